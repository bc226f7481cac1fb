/** axe-core in a page: {@link violations} names every rule that is broken, and where. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * @param {import("./visit.js").Visit} visit
 * @returns {Promise<string[]>}
 */
export async function violations(visit) {
  if (!(await visit.read(() => "axe" in window))) await visit.cdp?.send("Runtime.evaluate", { expression: source });
  return visit.read(async () => {
    const { violations: found } = await /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"] });
    return found.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ node) => `${node.target} ${node.failureSummary?.split("\n")[1]?.trim()}`).join("; ")}`);
  });
}
