/**
 * Whether a connection to a partner can be trusted (R21, R22): runs its check over the data channel, judges what DTLS and
 * SRTP agreed on, and keeps what two people have vouched for. What comes of it are actions; what does not fit ends the call.
 * All connections to the same page have the same fingerprints ({@link Peer} sees to it), so what one has proven holds for the next.
 */

import { Check } from "../shared/check.js";
import { judge } from "../shared/transport.js";

/** Of DTLS its version and cipher, of SRTP its cipher. */
const PARAMETERS = 3;
const REPORTS = 5;
const REPORT_MS = 400;

/** @typedef {import("./peers.js").Page} Page */
/** @typedef {import("./peers.js").Partner} Partner */
/** @typedef {import("../shared/peer.js").Peer} Peer */

/**
 * @param {Peer} peer  one connection of the partner's
 * @param {{ seat: number, role: string, key: string }} partner  as the broker tells
 * @param {Page} page
 * @param {() => Partner | undefined} current  whom the connection belongs to, as long as it does
 */
export function trust(peer, partner, page, current) {
  const { state, dispatch, trusted, keepPair, endCall } = page;
  const { seat: own, role, language } = state();
  const { seat } = partner;
  const check = new Check({
    ...trusted(seat),
    own: { seat: own ?? 0, role: role ?? "" },
    partner,
    language,
    fingerprints: () => peer.fingerprints(),
  });
  /** @type {(from: EventTarget, type: string, listener: (detail: any) => void) => void} */
  const on = (from, type, listener) =>
    from.addEventListener(type, (event) => current() && listener(/** @type {CustomEvent} */ (event).detail));
  // A browser may hand over a message a moment before it lets answer.
  const opened = new Promise((done) => peer.addEventListener("open", done, { once: true }));
  on(check, "say", (message) => opened.then(() => peer.tell(message)));
  on(peer, "told", (message) => message.type === "check" && check.hear(message));
  on(check, "result", ({ pair, ...result }) => {
    const whole = current();
    if (pair) keepPair(seat, pair);
    if (whole && state().peers[seat]?.check.level !== "checked") whole.check = check;
    if (whole?.check === check) dispatch({ type: "check", seat, ...result });
  });
  on(check, "mismatch", () => endCall("mismatch"));
  on(peer, "mismatch", () => endCall("mismatch"));
  on(peer, "open", async () => {
    check.begin();
    const { verdict, said } = await judgement(peer, () => !current());
    if (!current()) return;
    if (verdict === "weak" || verdict === "foreign") return endCall(verdict === "weak" ? "weak" : "mismatch");
    dispatch({ type: "peer", seat, change: { transport: said } });
  });
}

/**
 * Browsers hand out reports that are a moment old, from before everything was agreed upon: then another is asked for.
 * @param {Peer} peer
 * @param {() => boolean} isOver
 */
async function judgement(peer, isOver) {
  const { connection } = peer;
  for (let tries = 1; ; tries++) {
    const certificates = connection.sctp?.transport?.getRemoteCertificates?.() ?? [];
    const report = await connection.getStats();
    const { verdict, said } = await judge(report.values(), certificates, peer.fingerprints().theirs);
    const isWhole = said.length >= PARAMETERS || verdict === "weak" || verdict === "foreign";
    if (isWhole || tries === REPORTS || isOver()) return { verdict, said };
    await new Promise((done) => setTimeout(done, REPORT_MS));
  }
}
