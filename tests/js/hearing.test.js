/** What the levels of both sides tell: each hint where it belongs, and nowhere else. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { LOOK_MS, Hearing, echoes } from "../../static/shared/hearing.js";

/** @typedef {import("../../static/shared/hearing.js").Look} Look */

const VOICE = { rms: 0.05, peak: 0.2 };
const ROOM = { rms: 0.0003, peak: 0.001 };
const DEAD = { rms: 0, peak: 0 };
/** @param {Partial<Look["partners"][number]>} [change] @returns {Look["partners"]} */
const partner = (change) => [{ seat: 1, rms: 0, hearsUs: true, ...change }];
const speaks = partner({ rms: 0.05 });

test("a_dead_microphone_is_told_after_four_seconds_in_which_the_other_spoke", () => {
  const hearing = listener();
  assert.equal(hearing(39, { own: DEAD, partners: speaks }).hints.silent, false);
  assert.equal(hearing(2, { own: DEAD, partners: speaks }).hints.silent, true);
  assert.equal(hearing(1, { own: ROOM, partners: speaks }).hints.silent, false);
});

test("a_quiet_listener_a_silent_pair_and_a_muted_microphone_are_no_dead_microphone", () => {
  assert.equal(listener()(200, { own: ROOM, partners: speaks }).hints.silent, false);
  assert.equal(listener()(200, { own: DEAD, partners: partner() }).hints.silent, false);
  assert.equal(listener()(200, { own: DEAD, on: false, partners: speaks }).hints.silent, false);
  assert.equal(listener()(200, { own: null, partners: speaks }).hints.silent, false);
});

test("who_speaks_though_muted_is_told_and_the_hint_ends_with_the_mute", () => {
  const hearing = listener();
  assert.equal(hearing(9, { own: VOICE, on: false }).hints.mutedSpeaking, false);
  assert.equal(hearing(1, { own: VOICE, on: false }).hints.mutedSpeaking, true);
  assert.equal(hearing(30, { own: ROOM, on: false }).hints.mutedSpeaking, true, "there is time to read it");
  assert.equal(hearing(1, { own: VOICE, on: true }).hints.mutedSpeaking, false);
});

test("a_cough_and_the_others_voice_from_the_loudspeaker_are_not_speaking_though_muted", () => {
  const hearing = listener();
  hearing(5, { own: VOICE, on: false });
  assert.equal(hearing(40, { own: ROOM, on: false }).hints.mutedSpeaking, false);
  assert.equal(listener()(100, { own: VOICE, on: false, partners: speaks }).hints.mutedSpeaking, false);
});

test("who_speaks_and_is_heard_by_nobody_is_told_after_four_seconds_of_speech", () => {
  const unheard = partner({ hearsUs: false });
  const hearing = listener();
  assert.equal(hearing(39, { own: VOICE, partners: unheard }).hints.unheard, false);
  hearing(20, { own: ROOM, partners: unheard });
  assert.equal(hearing(1, { own: VOICE, partners: unheard }).hints.unheard, true);
  assert.equal(hearing(1, { own: VOICE, partners: partner() }).hints.unheard, false);
  assert.equal(listener()(100, { own: VOICE, partners: partner({ hearsUs: null }) }).hints.unheard, false, "an older page tells nothing");
});

test("a_voice_is_heard_where_it_arrives_and_is_played", () => {
  const hearing = listener();
  assert.equal(hearing(3, { partners: partner() }).heard.get(1), false);
  assert.equal(hearing(2, { partners: speaks }).heard.get(1), true);
  assert.equal(hearing(290, { partners: partner() }).heard.get(1), true, "a pause is not silence");
  assert.equal(hearing(20, { partners: partner() }).heard.get(1), false);
  assert.equal(hearing(1, { partners: speaks }).heard.get(1), true);
  assert.equal(hearing(1, { partners: speaks, played: false }).heard.get(1), false);
});

test("after_a_sleep_nothing_from_before_counts", () => {
  const hearing = listener();
  hearing(39, { own: DEAD, partners: speaks });
  assert.equal(hearing(1, { own: DEAD, partners: speaks }, 60_000).hints.silent, false);
});

test("the_own_voice_that_comes_back_is_an_echo", () => {
  const own = talk(1);
  for (const late of [1, 4, 11]) assert.equal(echoes(own, back(own, late)), true, `${late * LOOK_MS} ms later`);
});

test("an_echo_is_told_once_it_was_there_twice", () => {
  const hearing = listener();
  const own = talk(2, 400);
  const theirs = back(own, 4);
  const told = own.map((level, at) => hearing(1, { own: { rms: 10 ** (level / 20), peak: 1 }, partners: partner({ rms: 10 ** (theirs[at] / 20) }) }).hints.echo);
  const first = told.indexOf(true);
  assert.equal(first, 119, "the window is full after 100 looks, the first look at it comes with the next ten, the second ten later");
});

test("nothing_else_is_an_echo", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const own = talk(seed);
    assert.equal(echoes(own, talk(seed + 1000)), false, `another voice ${seed}`);
    assert.equal(echoes(back(own, 4), own), false, `their voice in the own microphone ${seed}`);
    assert.equal(echoes(own, own.map((level) => (level > -46 ? -60 : -20))), false, `in turns ${seed}`);
  }
  const beeps = Array.from({ length: 100 }, (_, at) => (at % 10 < 4 ? -20 : -70));
  assert.equal(echoes(beeps, back(beeps, 3)), false, "what repeats itself");
  assert.equal(echoes(talk(1).fill(-20), talk(1).fill(-20)), false, "a tone");
});

/** A listener that is told the same for so many looks, and answers with what it heard last. */
function listener() {
  const hearing = new Hearing();
  let now = 1000;
  return (/** @type {number} */ looks, /** @type {Partial<Look>} */ change, pause = LOOK_MS) => {
    let answer;
    for (let look = 0; look < looks; look++) {
      now += pause;
      answer = hearing.look({ now, own: ROOM, on: true, partners: partner(), played: true, ...change });
    }
    if (!answer) throw new Error("no look");
    return answer;
  };
}

/** Somebody who talks: words and pauses of chance length, in decibels. @param {number} seed @param {number} [looks] */
function talk(seed, looks = 100) {
  let chance = seed * 2654435761;
  const next = () => ((chance = (chance * 1664525 + 1013904223) >>> 0) / 2 ** 32);
  /** @type {number[]} */
  const levels = [];
  while (levels.length < looks) {
    const loud = next() < 0.5;
    for (let left = 2 + next() * 8; left > 0; left--) levels.push(loud ? -30 + next() * 12 : -65 + next() * 4);
  }
  return levels.slice(0, looks);
}

/** Later and more quietly. @param {number[]} levels @param {number} late */
function back(levels, late) {
  return levels.map((_, at) => Math.max(-70, (levels[at - late] ?? -70) - 10));
}
