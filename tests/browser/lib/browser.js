/**
 * Debian's Chromium and Firefox with fake cameras, driven by puppeteer-core. {@link launch} lends one from the pool
 * (pool.js), or starts one where there is no pool; {@link closeAll} gives all back, at the latest.
 */

import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import puppeteer from "puppeteer-core";
import { borrow } from "./pool-client.js";

/** @typedef {"chromium" | "firefox"} Kind */
/**
 * @typedef {object} Options
 * @property {string} [language]     the browser's, like `de-DE`
 * @property {boolean} [fakeAsk]     whether the question for the camera answers itself; without, addresses are hidden behind .local names
 * @property {boolean} [autoplay]    whether sound may begin without a gesture
 * @property {boolean} [loopback]    Firefox only: whether it may call over loopback, the only way between browsers without a network of their own
 * @property {number} [cameras]      Chromium only: how many it has, called `fake_device_0` and so on
 * @property {boolean} [anyCertificate]  Chromium only: takes a self-made one, too, which proves nothing about TLS
 * @property {string} [network]      Chromium only: the network namespace it runs in
 * @property {string} [speech]       Chromium only: a WAV file for the microphone, which else beeps once a second
 * @property {string} [authority]    Firefox only: a file with a certificate authority it knows besides its own (Chromium looks in ~/.pki/nssdb)
 */
/**
 * @typedef {object} Browser
 * @property {Kind} kind
 * @property {import("puppeteer-core").Browser} puppet
 * @property {number} pid
 * @property {() => Promise<void>} end  gives it back, or ends it
 */

const CHROMIUM = "/usr/bin/chromium";

/** @type {Set<Browser>} */
const running = new Set();

/**
 * A browser that nobody else uses meanwhile. Every page belongs in a context of its own ({@link Visit.open}): what is
 * left outside of contexts may meet the next borrower.
 * @param {Kind} kind
 * @param {Options} [options]
 * @returns {Promise<Browser>}
 */
export async function launch(kind, options = {}) {
  const browser = isPooled(options) ? await borrow(kind, options) : await start(kind, options);
  running.add(browser);
  return browser;
}

/** What the pool cannot reach, or nobody else will ask for, is started for its user alone. @param {Options} options */
function isPooled({ network, speech, authority }) {
  return Boolean(process.env.VISAVIS_BROWSER_POOL) && !network && !speech && !authority;
}

/**
 * Starts a browser with a fresh profile.
 * @param {Kind} kind
 * @param {Options} options
 * @param {boolean} [pipe]  Chromium only: driven through a pipe, which crosses network namespaces, instead of a port
 * @returns {Promise<Browser>}
 */
export async function start(kind, options, pipe = true) {
  const profile = await mkdtemp(join(tmpdir(), "visavis-profile-"));
  const puppet = await puppeteer.launch(await (kind === "chromium" ? chromium(profile, options, pipe) : firefox(profile, options)));
  const program = puppet.process();
  const end = async () => {
    const gone = program && program.exitCode === null && program.signalCode === null ? once(program, "exit") : null;
    const late = setTimeout(() => program?.kill("SIGKILL"), 10_000);
    // Nobody listens any more in a browser of the pool, from which start() has disconnected.
    await (puppet.connected ? puppet.close() : Promise.reject()).catch(() => program?.kill());
    await gone;
    clearTimeout(late);
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { kind, puppet, pid: program?.pid ?? -1, end };
}

/** @param {Browser} browser */
export async function close(browser) {
  running.delete(browser);
  await browser.end();
}

export async function closeAll() {
  await Promise.all([...running].map(close));
}

/**
 * @param {string} userDataDir
 * @param {Options} options
 * @param {boolean} pipe
 * @returns {Promise<import("puppeteer-core").LaunchOptions>}
 */
async function chromium(userDataDir, { language = "de-DE", fakeAsk = true, autoplay = true, anyCertificate = false, network, cameras = 1, speech }, pipe) {
  const args = [
    `--use-fake-device-for-media-stream=device-count=${cameras}`,
    "--mute-audio",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    `--lang=${language}`,
    `--accept-lang=${language}`,
  ];
  if (fakeAsk) args.push("--use-fake-ui-for-media-stream");
  if (speech) args.push(`--use-file-for-fake-audio-capture=${speech}`);
  if (anyCertificate) args.push("--ignore-certificate-errors");
  if (autoplay) args.push("--autoplay-policy=no-user-gesture-required");
  if (process.getuid?.() === 0) args.push("--no-sandbox");
  const executablePath = network ? await inNetwork(network, userDataDir) : CHROMIUM;
  return { browser: "chrome", executablePath, headless: true, pipe, userDataDir, args };
}

/**
 * A program that starts Chromium in a network namespace.
 * @param {string} network
 * @param {string} directory  where it may lie
 */
async function inNetwork(network, directory) {
  const path = join(directory, "chromium");
  await writeFile(path, `#!/bin/sh\nexec ip netns exec ${network} ${CHROMIUM} "$@"\n`, { mode: 0o755 });
  return path;
}

/**
 * @param {string} userDataDir
 * @param {Options} options
 * @returns {Promise<import("puppeteer-core").LaunchOptions>}
 */
async function firefox(userDataDir, { language = "de-DE", autoplay = true, loopback = true, authority }) {
  if (authority) await promisify(execFile)("certutil", ["-d", `sql:${userDataDir}`, "-A", "-t", "C,,", "-n", "authority", "-i", authority]);
  return {
    browser: "firefox",
    executablePath: "/usr/bin/firefox-esr",
    headless: true,
    userDataDir,
    args: ["--no-remote"],
    extraPrefsFirefox: {
      "media.navigator.streams.fake": true,
      "media.navigator.permission.disabled": true,
      "media.autoplay.default": autoplay ? 0 : 1,
      "media.peerconnection.ice.loopback": loopback,
      "intl.accept_languages": language,
      "network.captive-portal-service.enabled": false,
      "network.connectivity-service.enabled": false,
      "media.gmp-manager.updateEnabled": false,
      "services.settings.server": "data:,#remote-settings-off",
    },
  };
}
