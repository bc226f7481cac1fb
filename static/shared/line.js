/**
 * What the statistics of one connection say about its line: {@link count} takes the counters out of a report,
 * {@link compare} two moments of them. A {@link LineSummary} is small, bounded and rounded: it is told to the partner,
 * and {@link parse} reads the partner's. Pure, and without any address.
 */

import { selectedPair } from "./flow.js";

/**
 * @typedef {object} LineSummary
 * @property {number} sent              kbit/s, headers included
 * @property {number} received          kbit/s
 * @property {number} lossOut           share of our packets that the partner missed
 * @property {number} lossIn            share of the partner's packets that we missed
 * @property {number | null} rtt        ms, to the partner and back
 * @property {number | null} jitter     ms, of the received sound
 * @property {number} concealed         share of the received sound that had to be invented; silence not counted
 * @property {number | null} available  kbit/s that the browser believes the line carries; Firefox does not tell
 * @property {number} frames            received pictures a second
 * @property {number} width             of the received picture
 * @property {number} height
 * @property {string} codecs            of what is received: "opus VP8"
 * @property {"direct" | "relayed" | "unknown"} path
 * @property {"udp" | "tcp" | "tls" | null} transport  how this side reaches its end of the line
 */

/** Bounds: what is more than this, no line of a call has. */
const MOST = { kbit: 1e6, ms: 60_000, frames: 240, pixels: 16_384 };
const PATHS = /** @type {const} */ (["direct", "relayed", "unknown"]);
const TRANSPORTS = /** @type {const} */ (["udp", "tcp", "tls"]);
const CODECS = /^(opus|red|G722|PCM[AU])?( ?(VP[89]|H26[45]|AV1))?$/;

/** @typedef {ReturnType<typeof count>} Counters */

/**
 * @param {RTCStatsReport} report
 * @param {number} now  ms
 */
export function count(report, now) {
  const all = entriesOf(report);
  const inbound = all.filter(({ type }) => type === "inbound-rtp");
  const outbound = all.filter(({ type }) => type === "outbound-rtp");
  const sound = inbound.find(({ kind }) => kind === "audio");
  const picture = inbound.find(({ kind }) => kind === "video");
  const chosen = selectedPair(report);
  const pair = chosen && report.get(chosen.id);
  const local = report.get(pair?.localCandidateId);
  const heard = all.filter(({ type }) => type === "remote-inbound-rtp");
  return {
    now,
    sentBytes: sum(outbound, "bytesSent") + sum(outbound, "headerBytesSent"),
    receivedBytes: sum(inbound, "bytesReceived") + sum(inbound, "headerBytesReceived"),
    received: sum(inbound, "packetsReceived"),
    lost: sum(inbound, "packetsLost"),
    /** The partner's reports of what it missed, by what was sent. */
    told: heard.map(({ localId, fractionLost = 0 }) => ({ id: localId, share: fractionLost, sent: report.get(localId)?.packetsSent ?? 0 })),
    heard: sound?.totalSamplesReceived ?? 0,
    concealed: (sound?.concealedSamples ?? 0) - (sound?.silentConcealedSamples ?? 0),
    soundPackets: sound?.packetsReceived ?? 0,
    decoded: picture?.framesDecoded ?? 0,
    width: picture?.frameWidth ?? 0,
    height: picture?.frameHeight ?? 0,
    rtt: heard.find(({ roundTripTime }) => roundTripTime > 0)?.roundTripTime ?? pair?.currentRoundTripTime ?? null,
    jitter: sound?.jitter ?? null,
    available: pair?.availableOutgoingBitrate ?? null,
    codecs: [sound, picture].map((one) => report.get(one?.codecId)?.mimeType?.split("/")[1]).filter(Boolean).join(" "),
    path: chosen?.path ?? "unknown",
    transport: local && (local.relayProtocol ?? local.protocol),
  };
}

/**
 * @param {Counters} now
 * @param {Counters} before  of the same connection
 * @returns {LineSummary}
 */
export function compare(now, before) {
  const ms = Math.max(now.now - before.now, 1);
  const lost = now.lost - before.lost;
  const told = now.told.map(({ id, share, sent }) => ({ share, sent: sent - (before.told.find((one) => one.id === id)?.sent ?? 0) }));
  const sent = told.reduce((all, one) => all + one.sent, 0);
  // Where no sound comes at all, all of it is invented: that is silence and no fault of the line.
  const heard = now.soundPackets > before.soundPackets ? now.heard - before.heard : 0;
  return bounded({
    sent: ((now.sentBytes - before.sentBytes) * 8) / ms,
    received: ((now.receivedBytes - before.receivedBytes) * 8) / ms,
    lossOut: share(told.reduce((all, one) => all + one.share * one.sent, 0), sent),
    lossIn: share(lost, lost + now.received - before.received),
    rtt: now.rtt === null ? null : now.rtt * 1000,
    jitter: now.jitter === null ? null : now.jitter * 1000,
    concealed: share(now.concealed - before.concealed, heard),
    available: now.available === null ? null : now.available / 1000,
    frames: ((now.decoded - before.decoded) * 1000) / ms,
    width: now.width,
    height: now.height,
    codecs: now.codecs,
    path: now.path,
    transport: now.transport,
  });
}

/**
 * What a partner's page told, every field of it believed only within bounds.
 * @param {any} message
 * @returns {LineSummary}
 */
export function parse(message) {
  return bounded(Object(message));
}

/** @param {Record<keyof LineSummary, any>} told @returns {LineSummary} */
function bounded(told) {
  return {
    sent: whole(told.sent, MOST.kbit) ?? 0,
    received: whole(told.received, MOST.kbit) ?? 0,
    lossOut: part(told.lossOut),
    lossIn: part(told.lossIn),
    rtt: whole(told.rtt, MOST.ms),
    jitter: whole(told.jitter, MOST.ms),
    concealed: part(told.concealed),
    available: whole(told.available, MOST.kbit),
    frames: whole(told.frames, MOST.frames) ?? 0,
    width: whole(told.width, MOST.pixels) ?? 0,
    height: whole(told.height, MOST.pixels) ?? 0,
    codecs: typeof told.codecs === "string" && CODECS.test(told.codecs) ? told.codecs : "",
    path: PATHS.find((path) => path === told.path) ?? "unknown",
    transport: TRANSPORTS.find((transport) => transport === told.transport) ?? null,
  };
}

/** @param {unknown} value @param {number} most */
export function whole(value, most = MOST.ms) {
  return typeof value === "number" && Number.isFinite(value) ? Math.round(Math.min(Math.max(value, 0), most)) : null;
}

/** @param {unknown} value @returns {number} a share, to the tenth of a per cent */
export function part(value) {
  return typeof value === "number" && Number.isFinite(value) ? Math.round(Math.min(Math.max(value, 0), 1) * 1000) / 1000 : 0;
}

/** @param {number} some @param {number} all */
function share(some, all) {
  return all > 0 ? some / all : 0;
}

/** @param {any[]} entries @param {string} field */
function sum(entries, field) {
  return entries.reduce((all, entry) => all + (entry[field] ?? 0), 0);
}

/** @param {RTCStatsReport} report @returns {any[]} */
function entriesOf(report) {
  return [...report.values()];
}
