/**
 * Who speaks, from sound levels that are looked at a few times a second: pure. A voice counts once it was loud for a
 * while, not for a cough, and goes on counting through the pauses of speech, so that nothing flickers.
 */

/** A level from 0 to 1, as its root mean square; rooms hum below it. */
const LOUD = 0.01;
/** A longer pause between two looks has no meaning: the page slept. */
const LOOK_MAX_MS = 400;
const BEGIN_MS = 700;
const STAY_MS = 2000;

/**
 * @typedef {object} Voice
 * @property {number} at        when it was looked at last, in ms
 * @property {number} loudMs    how long it was loud of late; silence takes away what sound has added
 * @property {number} loudAt
 * @property {number | null} since  speaking since then
 */

/** @type {Voice} */
const SILENCE = { at: NaN, loudMs: 0, loudAt: -Infinity, since: null };

/**
 * @param {Voice | undefined} voice
 * @param {number} level
 * @param {number} now
 * @returns {Voice}
 */
export function hear(voice = SILENCE, level, now) {
  const passed = Math.min(now - voice.at, LOOK_MAX_MS) || 0
  const loud = level >= LOUD;
  const loudMs = Math.min(BEGIN_MS, Math.max(0, voice.loudMs + (loud ? passed : -passed / 2)));
  const loudAt = loud ? now : voice.loudAt;
  const goesOn = voice.since !== null && now - loudAt < STAY_MS;
  return { at: now, loudMs, loudAt, since: goesOn ? voice.since : loud && loudMs >= BEGIN_MS ? now : null };
}

/**
 * The one to be marked: whoever was stays until silent, then whoever has been speaking for longest.
 * @template T
 * @param {T | null} before
 * @param {Map<T, Voice>} voices
 * @returns {T | null}
 */
export function speakerOf(before, voices) {
  if (before !== null && voices.get(before)?.since != null) return before;
  const speaking = [...voices].filter(([, { since }]) => since !== null);
  speaking.sort(([, one], [, other]) => Number(one.since) - Number(other.since));
  return speaking[0]?.[0] ?? null;
}
