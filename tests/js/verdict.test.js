/** Whose line it is: every conclusion from both sides, and the calm of the sentence. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { parse } from "../../static/shared/line.js";
import { conclude, Judge } from "../../static/shared/verdict.js";

/** @typedef {import("../../static/shared/verdict.js").Side} Side */

const MIRROR = { own: "partner", partner: "own", between: "between" };
const LOOK_MS = 2000;
const good = { rtt: 30, late: 0, slow: 4 };
const lossy = { rtt: 30, late: 0.1, slow: 5 };
const narrow = { rtt: 35, late: 0.02, slow: 140 };
const far = { rtt: 700, late: 0, slow: 10 };
const nobody = { calm: 0, bad: 0 };

/** @param {Partial<import("../../static/shared/line.js").LineSummary>} line @param {Partial<Side>} [more] @returns {Side} */
const side = (line, more = {}) => ({ line: { ...parse({}), ...line }, reach: good, others: nobody, ...more });

test("the_side_that_reaches_the_server_badly_has_the_weak_line", () => {
  const loses = { lossIn: 0.05 };
  assert.equal(told(side(loses, { reach: lossy }), side(loses)), "own.loss");
  assert.equal(told(side({ available: 120 }, { reach: narrow }), side({ available: 90 })), "own.narrow");
  assert.equal(told(side({ rtt: 800 }, { reach: far }), side({ rtt: 790 })), "own.slow");
  assert.equal(told(side({ lossIn: 0.2, available: 100 }, { reach: { ...narrow, late: 0.3 } }), side({})), "own.narrow", "a narrow line loses, too");
});

test("the_loss_of_one_direction_only_is_enough", () => {
  assert.equal(told(side({ lossIn: 0.08 }, { reach: lossy }), side({})), "own.loss");
  assert.equal(told(side({}, { reach: lossy }), side({ lossIn: 0.08 })), "own.loss");
  assert.equal(told(side({ lossOut: 0.08 }, { reach: lossy }), side({}, { line: null })), "own.loss", "the partner's page is silent");
});

test("where_both_reach_the_server_alike_it_lies_between", () => {
  assert.equal(told(side({ lossIn: 0.05 }), side({})), "between.loss");
  assert.equal(told(side({ rtt: 900 }), side({})), "between.slow");
  assert.equal(told(side({ available: 100 }, { reach: narrow }), side({}, { reach: narrow })), "between.narrow");
});

test("a_low_estimate_or_invented_sound_alone_is_nobodys_line", () => {
  assert.equal(told(side({ available: 100 }), side({})), null, "little was sent");
  assert.equal(told(side({ concealed: 0.2 }, { reach: lossy }), side({})), null, "a busy computer");
  assert.equal(told(side({ concealed: 0.2, lossIn: 0.01 }, { reach: lossy }), side({})), "own.loss");
});

test("a_good_line_has_no_verdict_whatever_the_way_to_the_server", () => {
  for (const reach of [null, good, lossy, narrow, far]) assert.equal(told(side({ lossIn: 0.01, rtt: 120, available: 900 }, { reach }), side({})), null);
});

test("in_a_group_trouble_with_everybody_is_the_own_line", () => {
  const loses = { lossIn: 0.05 };
  const alone = side(loses, { others: { calm: 0, bad: 3 } });
  const fine = side(loses, { others: { calm: 3, bad: 0 } });
  assert.equal(told(alone, fine), "own.loss");
  assert.equal(told({ ...alone, reach: null }, { ...fine, reach: null }), "own.loss");
  assert.equal(told(alone, alone), "between.loss");
  assert.equal(told({ ...alone, reach: good }, { ...fine, reach: lossy }), "partner.loss", "what was measured weighs more");
});

test("both_pages_come_to_the_same_conclusion_from_the_same_data", () => {
  const random = generator(4711);
  const pick = (/** @type {any[]} */ all) => all[Math.floor(random() * all.length)];
  const reach = () => pick([null, good, lossy, narrow, far, { rtt: random() * 900, late: random() ** 3, slow: random() ** 2 * 300 }, { ...good, slow: 40 + random() * 40 }, { ...good, late: random() * 0.05 }]);
  const line = () => pick([null, parse({ lossIn: random() ** 4, lossOut: random() ** 4, rtt: random() * 600, concealed: random() ** 4, available: pick([null, random() * 1000]) })]);
  const any = () => ({ line: line(), reach: reach(), others: { calm: pick([0, 0, 2]), bad: pick([0, 0, 3]) } });
  const seen = new Set();
  for (let count = 0; count < 20_000; count++) {
    const [one, other] = [any(), any()];
    const [here, there] = [conclude(one, other), conclude(other, one)];
    assert.deepEqual(here && { ...here, verdict: { ...here.verdict, whose: MIRROR[here.verdict.whose] } }, there, JSON.stringify([one, other]));
    seen.add(here ? `${here.verdict.whose}.${here.verdict.what}` : "none");
  }
  assert.equal(seen.size, 10, "every verdict was among them");
});

test("a_sentence_comes_after_4_s_stays_8_s_and_goes_after_6_s_of_calm", () => {
  const bad = [side({ lossIn: 0.05 }, { reach: lossy }), side({})];
  const times = watch([[0, bad], [4, calm()]]);
  assert.deepEqual(times, [[4, "own.loss"], [12, null]], "4 s of trouble and no more: it stays 8 s");
  assert.deepEqual(watch([[0, bad], [30, calm()]]), [[4, "own.loss"], [36, null]], "6 s of calm");
});

test("a_blip_says_nothing_and_a_pause_in_the_trouble_keeps_the_sentence", () => {
  const bad = [side({ lossIn: 0.05 }, { reach: lossy }), side({})];
  assert.deepEqual(watch([[0, bad], [2, calm()]]), []);
  assert.deepEqual(watch([[0, bad], [20, calm()], [24, bad], [40, calm()]]), [[4, "own.loss"], [46, null]]);
});

test("before_the_ways_are_measured_it_waits_and_then_says_what_it_knows", () => {
  const unknown = [side({ lossIn: 0.05 }, { reach: null }), side({}, { reach: null })];
  assert.deepEqual(watch([[0, unknown], [8, [side({ lossIn: 0.05 }), side({}, { reach: lossy })]]]).at(0), [10, "partner.loss"]);
  assert.deepEqual(watch([[0, unknown]]).at(0), [24, "between.loss"], "the server is away");
});

test("another_sentence_takes_its_place_only_after_a_while", () => {
  const [mine, yours] = [[side({ lossIn: 0.05 }, { reach: lossy }), side({})], [side({ lossIn: 0.05 }), side({}, { reach: lossy })]];
  assert.deepEqual(watch([[0, mine], [6, yours]]).slice(0, 2), [[4, "own.loss"], [12, "partner.loss"]]);
  assert.deepEqual(watch([[0, mine], [20, yours], [22, mine], [40, calm()]]), [[4, "own.loss"], [46, null]]);
});

test("a_page_that_slept_does_not_count_the_time", () => {
  const judge = new Judge();
  const bad = /** @type {[Side, Side]} */ ([side({ lossIn: 0.05 }, { reach: lossy }), side({})]);
  judge.judge(...bad, 0);
  assert.equal(judge.verdict, null);
  judge.judge(side({}), side({}), 1000_000);
  judge.judge(...bad, 1000_500);
  assert.equal(judge.verdict, null);
  assert.deepEqual([judge.suspects, judge.state], [true, "unclear"]);
});

function calm() {
  return [side({}), side({})];
}

/**
 * What is said when, in seconds, if the sides are like this from then on. A look sees what was since the last.
 * @param {[number, Side[]][]} course
 */
function watch(course) {
  const judge = new Judge();
  /** @type {[number, string | null][]} */
  const said = [];
  for (let now = 0; now <= 60_000; now += LOOK_MS) {
    const [own, theirs] = course.filter(([from]) => from * 1000 < now).at(-1)?.[1] ?? calm();
    judge.judge(own, theirs, now);
    const key = judge.verdict && `${judge.verdict.whose}.${judge.verdict.what}`;
    if (key !== (said.at(-1)?.[1] ?? null)) said.push([now / 1000, key]);
  }
  return said;
}

/** @param {Side} own @param {Side} theirs */
function told(own, theirs) {
  const found = conclude(own, theirs);
  return found && `${found.verdict.whose}.${found.verdict.what}`;
}

/** The same random numbers every time. @param {number} seed */
function generator(seed) {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}
