/** Borrows browsers from the pool that VISAVIS_BROWSER_POOL names, a Unix socket: one connection for each loan. */

import { connect } from "node:net";
import puppeteer from "puppeteer-core";

/**
 * @param {import("./browser.js").Kind} kind
 * @param {import("./browser.js").Options} options
 * @returns {Promise<import("./browser.js").Browser>}
 */
export async function borrow(kind, options) {
  const loan = connect(process.env.VISAVIS_BROWSER_POOL ?? "");
  loan.write(`${JSON.stringify({ kind, options })}\n`);
  /** @type {import("./pool.js").Lent} */
  const lent = JSON.parse(await new Promise((resolve, reject) => {
    loan.once("data", (text) => resolve(String(text)));
    loan.once("error", reject);
    loan.once("close", () => reject(new Error("the pool lends no browser")));
  }));
  if ("trouble" in lent) throw new Error(lent.trouble);
  const puppet = await puppeteer.connect({ browserWSEndpoint: lent.endpoint, protocol: kind === "firefox" ? "webDriverBiDi" : "cdp" });
  const end = async () => {
    for (const context of puppet.browserContexts()) if (context !== puppet.defaultBrowserContext()) await context.close();
    await puppet.disconnect();
    await new Promise((resolve) => loan.once("close", resolve).end("returned\n"));
  };
  return { kind, puppet, pid: lent.pid, end };
}
