/** When a dead line is tried anew, over which ways, and whether a line is silent: the clockwork without a browser. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Flow, Supply, WATCH_MS } from "../../static/shared/flow.js";
import { Mending, serversFor } from "../../static/shared/mending.js";

const dead = { dead: true, reachable: true };
const well = { dead: false, reachable: true };

/**
 * Every try from one moment to another, looked at four times a second.
 * @param {Mending} mending
 * @param {{ dead: boolean, reachable: boolean }} line
 * @param {number} from
 * @param {number} to
 */
function tries(mending, line, from, to) {
  const all = [];
  for (let now = from; now < to; now += WATCH_MS) {
    const ways = mending.step(now, line);
    if (ways) all.push([now - from, ways]);
  }
  return all;
}

test("a_dead_line_is_tried_at_once_then_over_the_relay_then_over_its_streams_and_never_ends", () => {
  const mending = new Mending();
  assert.deepEqual(tries(mending, well, 0, 1000), []);
  assert.equal(mending.trying, null);
  assert.deepEqual(tries(mending, dead, 1000, 40_000), [
    [0, "all"], [2500, "relay"], [6500, "stream"], [12_500, "all"], [20_500, "relay"], [28_500, "stream"], [36_500, "all"],
  ]);
  assert.deepEqual(mending.trying, { attempt: 8, nextAt: 45_500 });
});

test("while_the_partner_tries_nothing_is_tried_here", () => {
  const mending = new Mending();
  mending.step(0, well);
  mending.yield(1000); // its offer came before the silence was noticed here
  assert.deepEqual(tries(mending, dead, 1250, 3500), []);
  assert.equal(mending.step(3500, dead), "all", "it came to nothing");
});

test("nothing_is_tried_while_nobody_can_be_reached_and_at_once_when_somebody_can", () => {
  const mending = new Mending();
  assert.deepEqual(tries(mending, { dead: true, reachable: false }, 0, 30_000), []);
  assert.equal(mending.trying?.attempt, 1, "both sides see that it goes on");
  assert.equal(mending.step(30_000, dead), "all");
});

test("a_partner_who_comes_back_ends_the_pause", () => {
  const mending = new Mending();
  tries(mending, dead, 0, 7000);
  mending.hurry(8000);
  assert.equal(mending.step(8000, dead), "all");
});

test("a_line_that_breaks_again_soon_goes_on_with_the_next_rung_one_that_held_begins_anew", () => {
  const mending = new Mending();
  assert.equal(mending.step(0, dead), "all");
  tries(mending, well, 500, 5000);
  assert.equal(mending.step(5000, dead), "relay", "the direct path does not hold");
  tries(mending, well, 5500, 16_500);
  assert.equal(mending.step(16_500, dead), "all");
});

test("over_streams_the_relay_is_asked_by_tls_or_where_there_is_none_by_tcp", () => {
  const udp = "turn:v.test:443?transport=udp";
  const tcp = "turn:v.test:443?transport=tcp";
  const tls = "turns:v.test:443?transport=tcp";
  const server = { username: "u", credential: "c" };
  assert.deepEqual(serversFor([{ ...server, urls: [udp, tcp, tls] }], "stream"), [{ ...server, urls: [tls] }]);
  assert.deepEqual(serversFor([{ ...server, urls: [udp, tcp] }], "stream"), [{ ...server, urls: [tcp] }]);
  assert.deepEqual(serversFor([{ ...server, urls: [udp, tcp] }], "relay"), [{ ...server, urls: [udp, tcp] }]);
});

// ---- silence ----

/**
 * Looks at a line, by what came since the look before: `x` packets, `.` none.
 * @param {string} looks
 * @param {Flow} [flow]
 * @returns {string} the same, with `!` where the line is silent
 */
function watch(looks, flow = new Flow()) {
  let mark = 0;
  return [...looks].map((look, index) => {
    if (look === "x") mark++;
    flow.note(index * WATCH_MS, `pair|${mark}`);
    return flow.silent ? "!" : look;
  }).join("");
}

test("a_steady_flow_that_stops_is_silent_after_five_looks_until_the_next_packet", () => {
  assert.equal(watch("xxxxxxxx........x."), "xxxxxxxx....!!!!x.");
});

test("looks_that_came_late_and_saw_nothing_new_do_not_make_a_flow_unsteady", () => {
  assert.equal(watch("xx.xx.x.xx......"), "xx.xx.x.xx....!!");
});

test("reports_and_keep_alives_alone_never_make_a_flow", () => {
  assert.equal(watch("x...x...x..x....x...........").includes("!"), false);
});

test("after_a_switch_a_flow_has_to_show_anew", () => {
  const flow = new Flow();
  watch("xxxxxxxx", flow);
  flow.reset();
  for (let look = 8; look < 40; look++) flow.note(look * WATCH_MS, "pair|8");
  assert.equal(flow.silent, false);
});

test("a_page_that_hardly_gets_to_look_waits_for_a_third_look", () => {
  const flow = new Flow();
  const silentAt = [900, 1800, 2700].map((later) => {
    if (later === 900) watch("xxxxxxxx", flow);
    flow.note(7 * WATCH_MS + later, "pair|8");
    return flow.silent;
  });
  assert.deepEqual(silentAt, [false, false, true]);
});

test("a_pause_of_the_pages_own_clock_proves_nothing", () => {
  const flow = new Flow();
  watch("xxxxxxxx", flow);
  flow.note(30_000, "pair|8");
  assert.equal(flow.silent, false);
  for (let now = 30_250; now < 31_250; now += WATCH_MS) flow.note(now, "pair|8");
  assert.equal(flow.silent, false, "a second later");
  flow.note(31_250, "pair|8");
  assert.equal(flow.silent, true);
});

test("a_microphone_that_gives_nothing_is_fetched_anew_and_again_later_but_not_one_that_is_off", () => {
  const supply = new Supply();
  const starved = (/** @type {number[]} */ counts, on = true) => counts.map((sent) => supply.starves(sent, on));
  assert.deepEqual(starved([50, 100, 100, 100, 100]), [false, false, false, false, true]);
  assert.equal(starved(Array(10).fill(100)).filter(Boolean).length, 1, "ten looks later");
  assert.equal(starved([150, 150, 150, 200]).includes(true), false);
  assert.equal(starved(Array(9).fill(200), false).includes(true), false);
});
