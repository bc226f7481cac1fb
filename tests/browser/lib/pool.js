/**
 * Runs a command beside a pool of browsers, so that test files borrow what others have started:
 *
 *     node tests/browser/lib/pool.js COMMAND...
 *
 * One connection to the Unix socket VISAVIS_BROWSER_POOL is one loan: a line `{ kind, options }`, answered by
 * {@link Lent}, and `returned` at its end. A browser whose borrower vanished without that line is ended, and so is one that
 * does not live any more; all others wait for the next who asks for the same kind with the same options.
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "./browser.js";

/** @typedef {import("./browser.js").Browser} Browser */
/** @typedef {{ endpoint: string, pid: number } | { trouble: string }} Lent */

/** Idle browsers by what was asked for. @type {Map<string, Browser[]>} */
const idle = new Map();
/** @type {Set<Browser>} */
const all = new Set();

/** @param {string} wish */
async function lend(wish) {
  const { kind, options } = JSON.parse(wish);
  for (let browser = idle.get(wish)?.pop(); browser; browser = idle.get(wish)?.pop()) {
    if (browser.puppet.process()?.exitCode === null) return browser;
    all.delete(browser);
  }
  const browser = await start(kind, options, false);
  all.add(browser);
  // The borrower alone drives it: Firefox serves one session, and two that attach to Chromium's pages hold each other up.
  await browser.puppet.disconnect();
  return browser;
}

/** @param {import("node:net").Socket} loan */
function serve(loan) {
  let said = "";
  let wish = "";
  /** @type {Promise<Browser> | null} */
  let lent = null;
  loan.on("data", (text) => {
    said += text;
    if (lent || !said.includes("\n")) return;
    [wish, said] = [said.slice(0, said.indexOf("\n")), ""];
    lent = lend(wish);
    lent.then(
      (browser) => loan.write(JSON.stringify({ endpoint: browser.puppet.wsEndpoint(), pid: browser.pid })),
      (error) => loan.write(JSON.stringify({ trouble: String(error) })),
    );
  });
  loan.on("error", () => {});
  loan.on("close", async () => {
    const browser = await lent?.catch(() => null);
    if (!browser) return;
    if (said.startsWith("returned")) idle.set(wish, [...(idle.get(wish) ?? []), browser]);
    else await end(browser);
  });
}

/** @param {Browser} browser */
async function end(browser) {
  all.delete(browser);
  await browser.end();
}

const directory = await mkdtemp(join(tmpdir(), "visavis-pool-"));
const path = join(directory, "socket");
const server = createServer(serve);
await new Promise((resolve) => server.listen(path, () => resolve(null)));
const [program, ...args] = process.argv.slice(2);
const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, VISAVIS_BROWSER_POOL: path } });
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.on(signal, () => child.kill(signal));
const code = await new Promise((resolve) => {
  child.on("error", (error) => {
    console.error(`${program}: ${error.message}`);
    resolve(127);
  });
  child.on("exit", (status, signal) => resolve(status ?? `${signal}`));
});
server.close();
await Promise.all([...all].map(end));
await rm(directory, { recursive: true, force: true });
process.exit(typeof code === "number" ? code : 1);
