/**
 * The report of a call's last minutes, to be handed to whoever looks after the network: figures, verdicts, versions. It
 * names people by their roles and seats, times by their distance, and holds nothing that could name anybody: no name, no
 * address, no code, no device. Pure; loaded when it is asked for.
 */

import { factsOf } from "./facts.js";
import { say } from "../shared/say.js";

/** @typedef {import("./weak-lines.js").Moment} Moment */
/** @typedef {import("./types.js").Words} Words */

/** As Cargo.toml has it; a test compares them. */
export const VERSION = "0.1.0";

/** The figures over time, one column each. @type {(keyof import("../shared/line.js").LineSummary)[]} */
const COLUMNS = ["received", "sent", "available", "lossIn", "concealed", "rtt", "jitter", "frames"];

/**
 * @param {Map<number, Moment[]>} past  by seat
 * @param {{ peers: Record<number, { role: string, transport: string[] | null }> }} state
 * @param {Words} words
 * @param {{ now: number, agent: string }} page  ms of the page's clock; the browser's own name for itself
 */
export function reportOf(past, { peers }, words, { now, agent }) {
  const head = [words["report.title"], `visavis ${VERSION}, ${browserOf(agent)}`, words["report.nobody"]];
  const parts = [...past].map(([seat, moments]) => {
    const last = moments.at(-1);
    const who = say(words, "report.seat", { role: words[`role.${peers[seat]?.role ?? "guest"}`], seat: String(seat) });
    const facts = factsOf(last?.own ?? null, last?.theirs ?? null, words).map(({ label, here, there }) => `${label}\t${here}\t${there}`);
    return [
      who,
      `\t${words["line.here"]}\t${words["line.there"]}`,
      ...facts,
      peers[seat]?.transport?.join(", ") ?? "",
      "",
      ["s", ...COLUMNS, ...COLUMNS.map((column) => `${column}'`), words["report.verdict"]].join("\t"),
      ...moments.map((moment) => row(moment, now)),
    ].join("\n");
  });
  return `${[head.join("\n"), ...parts].join("\n\n")}\n`;
}

/** @param {Moment} moment @param {number} now */
function row({ at, own, theirs, verdict }, now) {
  const figures = [own, theirs].flatMap((line) => COLUMNS.map((column) => line?.[column] ?? ""));
  return [Math.round((at - now) / 1000), ...figures, verdict ?? ""].join("\t");
}

/**
 * Name and main version, and nothing of the device that some agents name.
 * @param {string} agent
 */
export function browserOf(agent) {
  /** @type {[string, RegExp][]} */
  const browsers = [["Firefox", /(?:Firefox|FxiOS)\/(\d+)/], ["Edge", /Edg\w*\/(\d+)/], ["Chrome", /(?:Chrome|CriOS)\/(\d+)/], ["Safari", /Version\/(\d+)[\d.]* .*Safari/]];
  const systems = ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"];
  const browser = browsers.find(([, pattern]) => pattern.test(agent));
  const system = systems.find((name) => agent.includes(name));
  return [browser && `${browser[0]} ${browser[1].exec(agent)?.[1]}`, system].filter(Boolean).join(", ") || "?";
}
