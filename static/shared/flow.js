/**
 * Whether packets that came steadily have stopped. `connectionState` lags by seconds (decisions.md: it stayed `connected`
 * through a gap of 6.5 s); this looks at the pair that carries the call. {@link selectedPair} finds that pair.
 */

/** How often whoever owns a connection looks, in ms. */
export const WATCH_MS = 250;
/** A line that carried packets and carries none for so long, and so many looks, is silent. A page that hardly gets to look is busy. */
const SILENT_MS = 1200;
const SILENT_LOOKS = 3;
/** Longer than between two looks of a hidden tab, where timers come once a second. */
const PAUSED_MS = 2000;
/** So many of the last looks with new packets make a steady flow; reports and keep-alives alone never do. */
const STEADY = { looks: 6, of: 10 };

/** A pause of the clock of the page itself (sleep) proves nothing. */
export class Flow {
  silent = false;
  #mark = /** @type {string | null} */ (null);
  #noted = 0;
  #movedAt = 0;
  #still = 0;
  #steady = false;
  /** Of the last looks, whether there were new packets. @type {boolean[]} */
  #looks = [];

  /** From here on a steady flow has to show anew. */
  reset() {
    this.#looks = [];
    this.#steady = false;
    this.silent = false;
  }

  /** @param {number} now  in ms, when the browser looked: not when it told @param {string | null} mark  changes whenever a packet came */
  note(now, mark) {
    if (now === this.#noted) return; // the same look, told again
    const paused = now - this.#noted > PAUSED_MS;
    const moved = mark !== this.#mark;
    this.#noted = now;
    this.#mark = mark;
    this.#looks = [...this.#looks, moved].slice(-STEADY.of);
    if (moved) this.#steady = this.#looks.filter(Boolean).length >= STEADY.looks;
    this.#still = moved || paused ? 0 : this.#still + 1;
    if (moved) this.silent = false;
    if (this.#still === 0) this.#movedAt = now;
    else if (this.#steady && this.#still >= SILENT_LOOKS && now - this.#movedAt >= SILENT_MS) this.silent = true;
  }
}

/** So many looks in a row without a packet of sound sent, where there should be fifty a second. */
const STARVED_LOOKS = 3;
/** Between two attempts to get it flowing again. */
const FED_LOOKS = 10;

/** Whether the own sound does not come out of the browser: an interruption on a phone may leave a track that lives and gives nothing. */
export class Supply {
  #sent = -1;
  #without = 0;

  /**
   * @param {number} sent  packets of sound so far, to all partners
   * @param {boolean} on   whether there should be some
   * @returns {boolean} whether to fetch the microphone anew
   */
  starves(sent, on) {
    this.#without = on && sent === this.#sent ? this.#without + 1 : 0;
    this.#sent = sent;
    return this.#without >= STARVED_LOOKS && (this.#without - STARVED_LOOKS) % FED_LOOKS === 0;
  }
}

/** Packets of sound sent. @param {RTCStatsReport} report @returns {number} */
export function soundSent(report) {
  return [...report.values()].reduce((sum, { type, kind, packetsSent = 0 }) => sum + (type === "outbound-rtp" && kind === "audio" ? packetsSent : 0), 0);
}

/**
 * The pair that carries the call, and what it says about the way (R20). In the closed relay both ends are relayed or
 * none is, so either candidate's type tells. `received` changes whenever a packet came; `at` is ms since 1970.
 * @param {RTCStatsReport} report
 * @returns {{ id: string, path: import("./peer.js").Path, received: string, at: number } | null}
 */
export function selectedPair(report) {
  /** @type {any[]} */
  const all = [...report.values()];
  const chosen = all.find(({ type, selectedCandidatePairId }) => type === "transport" && selectedCandidatePairId);
  const pair = chosen
    ? report.get(chosen.selectedCandidatePairId)
    : all.find(({ type, selected, nominated, state }) =>
        type === "candidate-pair" && (selected ?? (nominated && state === "succeeded")));
  if (!pair) return null;
  const types = [pair.localCandidateId, pair.remoteCandidateId].map((id) => report.get(id)?.candidateType);
  const path = types.includes("relay") ? "relayed" : types.includes(undefined) ? "unknown" : "direct";
  return { id: pair.id, at: pair.timestamp, path, received: `${pair.bytesReceived}|${pair.lastPacketReceivedTimestamp}` };
}

/** Whether a picture has been received and decoded. @param {RTCStatsReport} report */
export function hasPicture(report) {
  return [...report.values()].some(({ type, framesDecoded }) => type === "inbound-rtp" && framesDecoded > 0);
}
