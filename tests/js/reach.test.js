/** The way to the server, measured over a made-up socket with a made-up clock. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { parseReached, Reach } from "../../static/shared/reach.js";

const MINUTE = 60_000;

test("a_good_way_is_short_and_loses_nothing", () => {
  const { reach, pass } = measured(() => 20);
  assert.deepEqual(reach.result, null);
  reach.measure();
  pass(10_000);
  assert.deepEqual(reach.result, { rtt: 20, late: 0, slow: 0 });
});

test("a_lost_packet_comes_late", () => {
  const { reach, pass } = measured(({ id }) => (id % 7 === 0 ? 230 : 20));
  reach.measure();
  pass(10_000);
  assert.equal(reach.result?.rtt, 20);
  assert.ok((reach.result?.late ?? 0) > 0.1, JSON.stringify(reach.result));
});

test("a_narrow_line_takes_its_time_with_a_large_message", () => {
  const kbit = 150;
  const { reach, pass } = measured(({ pad }) => 20 + (2 * 8 * pad.length) / kbit);
  reach.measure();
  pass(10_000);
  assert.deepEqual(reach.result, { rtt: 20, late: 0, slow: 128 });
});

test("what_never_comes_back_was_late_and_a_server_that_is_away_tells_nothing", () => {
  const lossy = measured(({ id }) => (id === 7 ? null : 20));
  lossy.reach.measure();
  lossy.pass(10_000);
  assert.ok((lossy.reach.result?.late ?? 0) > 0);
  const away = measured(() => null);
  away.reach.measure();
  away.pass(10_000);
  assert.deepEqual([away.reach.result, away.reach.running], [null, false]);
  const closed = measured(() => 20, () => false);
  closed.reach.measure();
  closed.pass(10_000);
  assert.deepEqual([closed.reach.result, closed.reach.running, closed.sent.length], [null, false, 1]);
});

test("what_came_late_because_the_page_was_busy_is_no_fault_of_the_line", () => {
  const busy = measured(() => 20);
  busy.reach.measure();
  busy.pass(1100);
  busy.stall(900);
  busy.pass(10_000);
  assert.deepEqual(busy.reach.result, { rtt: 20, late: 0, slow: 0 });
  const always = measured(() => 20);
  always.reach.measure();
  for (let count = 0; count < 40; count++) always.stall(300);
  assert.deepEqual([always.reach.result, always.reach.running], [null, false]);
});

test("a_series_is_short_small_and_ends", () => {
  const { reach, pass, sent } = measured(() => 20);
  reach.measure();
  reach.measure();
  pass(MINUTE);
  assert.equal(reach.running, false);
  assert.ok(sent.length < 30);
  const bytes = sent.reduce((all, message) => all + JSON.stringify(message).length, 0);
  assert.ok(bytes < 7000, `${bytes} bytes`);
  const perSecond = sent.map(({ at }) => sent.filter((other) => other.at >= at && other.at < at + 1000).length);
  assert.ok(Math.max(...perSecond) <= 5, "far below the broker's 30 a second");
});

test("two_series_are_taken_together_and_old_ones_forgotten", () => {
  let took = 20;
  const { reach, pass } = measured(({ id }) => (id === 5 ? 300 : took));
  reach.measure();
  pass(10_000);
  const first = reach.result?.late ?? 0;
  reach.measure();
  pass(10_000);
  assert.ok(first > 0 && (reach.result?.late ?? 0) < first);
  pass(2 * MINUTE);
  assert.deepEqual(reach.result, null);
  took = 40;
  reach.measure();
  pass(10_000);
  assert.deepEqual(reach.result, { rtt: 40, late: 0, slow: 0 });
  reach.forget();
  assert.deepEqual(reach.result, null);
});

test("a_strangers_way_is_believed_within_bounds_only", () => {
  for (const told of [null, undefined, 1, "x", [], {}, { rtt: "1" }, { rtt: NaN }]) assert.equal(parseReached(told), null);
  assert.deepEqual(parseReached({ rtt: 1e99, late: 5, slow: -1, more: "x" }), { rtt: 60_000, late: 1, slow: 0 });
});

/**
 * A page whose probes take so long; never back: `null`.
 * @param {(message: { id: number, pad: string }) => number | null} takes
 * @param {() => boolean} open
 */
function measured(takes, open = () => true) {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  /** @type {{ id: number, pad: string, at: number }[]} */
  const sent = [];
  const reach = new Reach((message) => {
    sent.push({ ...message, at: now });
    const ms = takes(message);
    if (open() && ms !== null) setTimeout(() => reach.echoed(message), ms);
    return open();
  }, () => now);
  const pass = (/** @type {number} */ ms) => {
    for (const end = now + ms; now < end; ) {
      now += 1;
      mock.timers.tick(1);
    }
  };
  /** Nothing is done for so long, and then all at once. */
  const stall = (/** @type {number} */ ms) => {
    now += ms;
    mock.timers.tick(ms);
  };
  return { reach, pass, stall, sent };
}
