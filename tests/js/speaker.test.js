/** Who speaks: begins after a moment of speech, stays through its pauses, and never flickers between two. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { hear, speakerOf } from "../../static/consultation/speaker.js";

/** @typedef {import("../../static/consultation/speaker.js").Voice} Voice */

const LOOK_MS = 100;

test("speech_counts_after_about_seven_tenths_of_a_second_and_a_cough_does_not", () => {
  const begins = listen(() => 0.2, 3000).find(({ voice }) => voice.since !== null)?.at ?? NaN;
  assert.ok(begins >= 600 && begins <= 1000, `after ${begins} ms`);
  assert.equal(listen((at) => (at < 400 ? 0.5 : 0), 5000).some(({ voice }) => voice.since !== null), false);
});

test("speech_has_pauses_and_goes_on_counting", () => {
  const spoken = listen((at) => (at % 1200 < 700 ? 0.1 : 0.001), 10_000);
  const first = spoken.findIndex(({ voice }) => voice.since !== null);
  assert.ok(first >= 0 && spoken[first].at < 2500, `after ${spoken[first]?.at} ms`);
  assert.ok(spoken.slice(first).every(({ voice }) => voice.since === spoken[first].voice.since), "without a break");
});

test("about_two_seconds_after_the_last_word_it_counts_no_more", () => {
  const ends = listen((at) => (at < 2000 ? 0.1 : 0), 6000).find(({ at, voice }) => at >= 2000 && voice.since === null)?.at ?? NaN;
  assert.ok(ends >= 3500 && ends <= 4500, `at ${ends} ms`);
});

test("a_humming_room_speaks_never", () => {
  assert.equal(listen(() => 0.008, 10_000).some(({ voice }) => voice.since !== null), false);
});

test("a_page_that_slept_has_heard_nothing_meanwhile", () => {
  const once = hear(undefined, 0.5, 0);
  assert.equal(hear(hear(once, 0.5, 200), 0.5, 60_000).since, null);
});

test("whoever_speaks_first_is_marked_until_silent_then_whoever_has_spoken_longest", () => {
  const voice = (/** @type {number | null} */ since) => ({ at: 0, loudMs: 700, loudAt: 0, since });
  const voices = new Map([[1, voice(30)], [2, voice(20)], [3, voice(null)]]);
  assert.equal(speakerOf(null, voices), 2);
  assert.equal(speakerOf(1, voices), 1);
  assert.equal(speakerOf(3, voices), 2);
  assert.equal(speakerOf(4, voices), 2, "whoever left");
  assert.equal(speakerOf(null, new Map([[3, voice(null)]])), null);
});

/**
 * @param {(at: number) => number} level
 * @param {number} ms
 */
function listen(level, ms) {
  /** @type {{ at: number, voice: Voice }[]} */
  const heard = [];
  for (let at = 0; at <= ms; at += LOOK_MS) heard.push({ at, voice: hear(heard.at(-1)?.voice, level(at), at) });
  return heard;
}
