/**
 * How long a page was without a new picture, without a shown one and without sound: begun by {@link watchGaps}, read by
 * {@link gaps}. What a connection counted stays counted when another takes its place.
 */

/** @typedef {import("../../browser/lib/visit.js").Visit} Visit */
/** @typedef {{ at: number, frames: number, shown: number, sound: number, screen: string }} Sample */
/** @typedef {{ frames: number, shown: number, sound: number }} Gaps  in ms */

export const KINDS = /** @type {const} */ (["frames", "shown", "sound"]);

/** @param {Visit} visit */
export async function watchGaps(visit) {
  await visit.read(begin);
}

/** Runs in the page. */
function begin() {
  const page = /** @type {any} */ (window);
  const counted = new Map();
  const total = { frames: 0, shown: 0, sound: 0 };
  /** @param {keyof Gaps} kind @param {string} id @param {number} count */
  const note = (kind, id, count) => {
    total[kind] += Math.max(0, count - (counted.get(id) ?? count));
    counted.set(id, count);
  };
  const look = async () => {
    const video = /** @type {HTMLVideoElement | null} */ (document.querySelector(".partner video"));
    if (video) note("shown", "", video.getVideoPlaybackQuality().totalVideoFrames);
    for (const [index, connection] of page.__seen.connections.entries()) {
      if (connection.signalingState === "closed") continue;
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type !== "inbound-rtp") continue;
        if (entry.kind === "video") note("frames", `${index} video`, entry.framesDecoded ?? 0);
        else note("sound", `${index} audio`, entry.packetsReceived ?? 0);
      }
    }
    page.__gaps.push({ at: performance.timeOrigin + performance.now(), ...total, screen: document.body.dataset.screen });
  };
  page.__gaps = [];
  setInterval(look, 50);
}

/** @param {Visit} visit @returns {Promise<Sample[]>} */
export function samples(visit) {
  return visit.read(() => /** @type {any} */ (window).__gaps);
}

/**
 * The longest gaps since a moment, and whether the page was anywhere but in the call.
 * @param {Visit} visit
 * @param {number} since
 * @returns {Promise<Gaps>}
 */
export async function gaps(visit, since = 0) {
  const all = await samples(visit);
  const elsewhere = all.find(({ screen }) => !["call", "looking"].includes(screen)); // a reload looks first
  if (elsewhere) throw new Error(`${visit.who}: left the call for the screen "${elsewhere.screen}"`);
  const first = Math.max(all.filter(({ at }) => at <= since).length - 1, 0);
  return /** @type {Gaps} */ (Object.fromEntries(KINDS.map((kind) => [kind, longest(all.slice(first), kind)])));
}

/** @param {Sample[]} all @param {keyof Gaps} kind */
function longest(all, kind) {
  let gap = 0;
  let movedAt = all[0].at;
  let count = all[0][kind];
  for (const sample of all) {
    gap = Math.max(gap, sample.at - movedAt);
    if (sample[kind] > count) movedAt = sample.at;
    count = sample[kind];
  }
  return Math.round(gap);
}

/**
 * How long after a moment pictures and sound were there again.
 * @param {Visit} visit
 * @param {number} since
 * @returns {Promise<Gaps>}
 */
export async function back(visit, since) {
  const all = await samples(visit);
  const then = all.filter(({ at }) => at <= since).pop() ?? all[0];
  const after = (/** @type {keyof Gaps} */ kind) => Math.round((all.find((sample) => sample.at > since && sample[kind] > then[kind])?.at ?? NaN) - since);
  return /** @type {Gaps} */ (Object.fromEntries(KINDS.map((kind) => [kind, after(kind)])));
}
