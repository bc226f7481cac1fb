/**
 * What statistics say about a line. The reports in line-reports.json are real: two moments of a call between Chromium 156
 * and Firefox 153, direct and relayed, without what names a machine.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { compare, count, parse } from "../../static/shared/line.js";

/** @type {Record<string, any[][]>} */
const recorded = JSON.parse(readFileSync(new URL("line-reports.json", import.meta.url), "utf8"));

test("reports_of_chromium_and_firefox_say_what_the_line_carries", () => {
  for (const [name, moments] of Object.entries(recorded)) {
    const line = summary(moments);
    const [browser, path] = name.split(" ");
    assert.equal(line.path, path, name);
    assert.equal(line.transport, "udp", name);
    assert.equal(line.codecs, "opus VP8", name);
    assert.ok(line.sent > 100 && line.sent < 4000, `${name} sends ${line.sent} kbit/s`);
    assert.ok(line.received > 100 && line.received < 4000, `${name} receives ${line.received} kbit/s`);
    assert.deepEqual([line.lossIn, line.lossOut], [0, 0], name);
    assert.ok(line.rtt !== null && line.rtt < 50 && line.jitter !== null && line.jitter < 50, name);
    assert.ok(line.frames >= 10 && line.frames <= 31 && line.width > line.height && line.height >= 180, name);
    assert.equal(line.available === null, browser === "firefox", `${name}: only Chromium tells what it believes`);
  }
});

test("both_ends_of_a_call_say_the_same_of_it", () => {
  const near = (/** @type {number} */ one, /** @type {number} */ other) => Math.abs(one - other) < 0.2 * Math.max(one, other);
  for (const path of ["direct", "relayed"]) {
    const [chromium, firefox] = ["chromium", "firefox"].map((browser) => summary(recorded[`${browser} ${path}`]));
    assert.ok(near(chromium.sent, firefox.received), `${path}: ${chromium.sent} and ${firefox.received} kbit/s`);
    assert.ok(near(firefox.sent, chromium.received), `${path}: ${firefox.sent} and ${chromium.received} kbit/s`);
  }
});

test("loss_is_counted_in_both_directions_since_the_last_look", () => {
  const [first, last] = structuredClone(recorded["chromium direct"]);
  for (const entry of last) {
    const before = first.find(({ id }) => id === entry.id);
    if (entry.type === "inbound-rtp") Object.assign(entry, { packetsReceived: before.packetsReceived + 95, packetsLost: before.packetsLost + 5 });
    if (entry.type === "remote-inbound-rtp") entry.fractionLost = 0.1;
  }
  const line = summary([first, last]);
  assert.deepEqual([line.lossIn, line.lossOut], [0.05, 0.1]);
});

test("invented_sound_is_counted_and_silence_is_not", () => {
  const [first, last] = structuredClone(recorded["chromium direct"]);
  const [before, sound] = [first, last].map((report) => report.find((entry) => entry.type === "inbound-rtp" && entry.kind === "audio"));
  const more = (/** @type {Record<string, number>} */ fields) => {
    for (const [field, by] of Object.entries(fields)) sound[field] = before[field] + by;
  };
  more({ totalSamplesReceived: 100_000, concealedSamples: 8000, silentConcealedSamples: 3000 });
  assert.equal(summary([first, last]).concealed, 0.05);
  more({ packetsReceived: 0, concealedSamples: 100_000, silentConcealedSamples: 0 });
  assert.equal(summary([first, last]).concealed, 0, "nobody sends sound");
});

test("a_connection_that_carries_nothing_yet_has_a_line_of_zeros", () => {
  const line = compare(count(report([]), 2000), count(report([]), 0));
  assert.deepEqual(line, parse({}));
  assert.deepEqual([line.sent, line.rtt, line.path, line.transport, line.codecs], [0, null, "unknown", null, ""]);
});

test("what_a_page_tells_is_what_its_partner_reads", () => {
  for (const moments of Object.values(recorded)) {
    const line = summary(moments);
    assert.deepEqual(parse(JSON.parse(JSON.stringify({ type: "line", ...line }))), line);
  }
});

test("a_strangers_message_is_believed_within_bounds_only", () => {
  const nothing = parse({});
  for (const value of [null, undefined, "", "1", NaN, Infinity, [], {}, true, "x".repeat(9999), "10.1.2.3"]) {
    const all = Object.fromEntries(Object.keys(nothing).map((field) => [field, value]));
    assert.deepEqual(parse(all), nothing, String(value));
    assert.deepEqual(parse(value), nothing);
  }
  const huge = parse({ sent: 1e99, lossIn: 7, rtt: 1e99, frames: -3, width: 1e9, codecs: "a".repeat(13), path: "relay", more: "x" });
  assert.deepEqual(Object.keys(huge), Object.keys(nothing));
  assert.deepEqual([huge.sent, huge.lossIn, huge.rtt, huge.frames, huge.width, huge.codecs, huge.path], [1e6, 1, 60_000, 0, 16_384, "", "unknown"]);
});

/** @param {any[][]} moments */
function summary([first, last]) {
  return compare(count(report(last), last[0].timestamp), count(report(first), first[0].timestamp));
}

/** @param {any[]} entries @returns {RTCStatsReport} */
function report(entries) {
  return /** @type {any} */ (new Map(entries.map((entry) => [entry.id, entry])));
}
