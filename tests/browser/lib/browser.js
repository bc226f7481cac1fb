/**
 * Debian's Chromium and Firefox with fake cameras and fresh profiles, driven by puppeteer-core. {@link launch} starts
 * one; every browser is ended by {@link closeAll}, at the latest.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

/** @typedef {"chromium" | "firefox"} Kind */
/**
 * @typedef {object} Options
 * @property {string} [language]     the browser's, like `de-DE`
 * @property {boolean} [fakeAsk]     whether the question for the camera answers itself; without, addresses are hidden behind .local names
 * @property {boolean} [autoplay]    whether sound may begin without a gesture
 */
/** @typedef {{ kind: Kind, puppet: import("puppeteer-core").Browser, profile: string | null }} Browser */

/** @type {Set<Browser>} */
const running = new Set();

/**
 * @param {Kind} kind
 * @param {Options} [options]
 * @returns {Promise<Browser>}
 */
export async function launch(kind, options = {}) {
  const profile = kind === "chromium" ? await mkdtemp(join(tmpdir(), "visavis-profile-")) : null;
  const puppet = await puppeteer.launch(profile ? chromium(profile, options) : firefox(options));
  const browser = { kind, puppet, profile };
  running.add(browser);
  return browser;
}

/** @param {Browser} browser */
export async function close(browser) {
  running.delete(browser);
  const process = browser.puppet.process();
  const late = setTimeout(() => process?.kill("SIGKILL"), 10_000);
  await browser.puppet.close().catch(() => process?.kill("SIGKILL"));
  clearTimeout(late);
  if (browser.profile) await rm(browser.profile, { recursive: true, force: true, maxRetries: 5 });
}

export async function closeAll() {
  await Promise.all([...running].map(close));
}

/**
 * @param {string} userDataDir
 * @param {Options} options
 * @returns {import("puppeteer-core").LaunchOptions}
 */
function chromium(userDataDir, { language = "de-DE", fakeAsk = true, autoplay = true }) {
  const args = [
    "--use-fake-device-for-media-stream",
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
  if (autoplay) args.push("--autoplay-policy=no-user-gesture-required");
  if (process.getuid?.() === 0) args.push("--no-sandbox");
  return { browser: "chrome", executablePath: "/usr/bin/chromium", headless: true, pipe: true, userDataDir, args };
}

/**
 * @param {Options} options
 * @returns {import("puppeteer-core").LaunchOptions}
 */
function firefox({ language = "de-DE", autoplay = true }) {
  return {
    browser: "firefox",
    executablePath: "/usr/bin/firefox-esr",
    headless: true,
    args: ["--no-remote"],
    extraPrefsFirefox: {
      "media.navigator.streams.fake": true,
      "media.navigator.permission.disabled": true,
      "media.autoplay.default": autoplay ? 0 : 1,
      // Without a network of its own, loopback is the only way from browser to browser.
      "media.peerconnection.ice.loopback": true,
      "intl.accept_languages": language,
      "network.captive-portal-service.enabled": false,
      "network.connectivity-service.enabled": false,
      "media.gmp-manager.updateEnabled": false,
      "services.settings.server": "data:,#remote-settings-off",
    },
  };
}
