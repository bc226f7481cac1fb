/** The sending ladder, second by second: what a line's measures do to the picture and the sound. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Gauge, Sending, total } from "../../static/shared/sending.js";

/** @typedef {import("../../static/shared/sending.js").Measure} Measure */
/** @typedef {import("../../static/shared/sending.js").Wish} Wish */

/** @type {Measure} */
const WIDE = { available: 4_000_000, loss: 0, roundTrip: 20, sent: 4_000_000, limited: true };
const NARROW = { ...WIDE, available: 90_000 };
const LOSSY = { ...WIDE, loss: 0.12 };
/** @type {Wish} */
const TWO = { partners: 1, quality: "automatic", camera: true, deaf: false, wait: false };

/** A Sending and its clock. */
function begin() {
  const sending = new Sending();
  let now = 1_000_000;
  /**
   * So many seconds under these conditions.
   * @param {number} seconds @param {Measure} measure @param {Partial<Wish>} [wish]
   * @returns {import("../../static/shared/sending.js").Plan} the last second's
   */
  const live = (seconds, measure, wish) => {
    let plan;
    for (let second = 0; second < seconds; second++) plan = sending.step((now += 1000), measure, { ...TWO, ...wish });
    return /** @type {import("../../static/shared/sending.js").Plan} */ (plan);
  };
  /** Seconds until the picture is as wanted. @param {boolean} active @param {Measure} measure */
  const secondsUntil = (active, measure) => {
    for (let seconds = 1; seconds < 200; seconds++) if (live(1, measure).active === active) return seconds;
    return Infinity;
  };
  return { live, secondsUntil, less: () => sending.less(now), tries: () => sending.tries(now) };
}

test("a wide line gets the whole picture, and the browser's own sound", () => {
  const { live } = begin();
  assert.deepEqual(live(30, WIDE), {
    picture: "on", active: true, maxBitrate: 1_700_000, maxFramerate: 30, height: 720,
    degradationPreference: "maintain-framerate", sound: null, ask: false,
  });
});

test("the rate that the browser begins with is no judgement of the line", () => {
  const { live } = begin();
  assert.equal(live(4, { ...WIDE, available: 120_000 }).maxBitrate, 1_700_000);
  assert.equal(live(10, WIDE).maxBitrate, 1_700_000);
});

test("a narrower line gets the rung that fits, with fewer and smaller frames", () => {
  for (const [available, maxBitrate, height, maxFramerate] of [[1_200_000, 1_700_000, 720, 30], [600_000, 800_000, 480, 24], [300_000, 300_000, 360, 20], [170_000, 120_000, 240, 15]]) {
    const { live } = begin();
    live(10, WIDE);
    const plan = live(3, { ...WIDE, available });
    assert.deepEqual([plan.active, plan.maxBitrate, plan.height, plan.maxFramerate], [true, maxBitrate, height, maxFramerate], `${available}`);
  }
});

test("a line that gets wider carries the picture up again, rung by rung", () => {
  const { live } = begin();
  live(10, WIDE);
  live(5, { ...WIDE, available: 170_000 });
  assert.equal(live(5, WIDE).maxBitrate, 120_000);
  assert.equal(live(2, WIDE).maxBitrate, 300_000);
  assert.equal(live(20, WIDE).maxBitrate, 1_700_000);
});

test("a rung that did not hold is tried again later each time", () => {
  const { live } = begin();
  const [high, low] = [{ ...WIDE, available: 380_000 }, { ...WIDE, available: 340_000 }];
  live(10, WIDE);
  live(5, low);
  const waits = [];
  for (let round = 0; round < 5; round++) {
    let seconds = 0;
    do seconds++;
    while (live(1, high).maxBitrate === 300_000 && seconds < 100);
    waits.push(seconds);
    live(4, low);
  }
  assert.deepEqual(waits, [6, 11, 21, 41, 41]);
});

/** @type {[string, Measure][]} */
const WEAK = [["under 150 kbit/s", { ...WIDE, available: 149_000 }], ["over 8 % loss", LOSSY]];
for (const [name, measure] of WEAK) {
  test(`${name} for five seconds pause the picture, and the partner is asked to send less`, () => {
    const { live, secondsUntil } = begin();
    live(20, WIDE);
    assert.equal(secondsUntil(false, measure), 6);
    const { live: again } = begin();
    again(20, WIDE);
    const plan = again(6, measure);
    assert.deepEqual([plan.picture, plan.ask], ["weak", true]);
    assert.equal(again(1, measure).ask, false, "not every second");
  });

  test(`${name} for four seconds pause nothing`, () => {
    const { live } = begin();
    live(20, WIDE);
    for (let round = 0; round < 10; round++) {
      assert.ok(live(5, measure).active);
      assert.ok(live(1, WIDE).active);
    }
  });
}

test("an easy picture, for which the browser never learns how wide the line is, is neither paused nor kept small", () => {
  const { live } = begin();
  const easy = { ...WIDE, available: 80_000, sent: 55_000, limited: false };
  live(20, WIDE);
  assert.equal(live(30, easy).maxBitrate, 1_700_000);
  live(5, { ...WIDE, available: 200_000 });
  assert.equal(live(20, easy).maxBitrate, 1_700_000);
  assert.equal(live(10, { ...easy, available: 60_000 }).picture, "weak", "but the sound needs its rate");
});

test("a line that has just got narrow is believed before the encoder complains", () => {
  const { live } = begin();
  live(20, WIDE);
  assert.equal(live(3, { ...WIDE, available: 230_000, sent: 430_000, limited: false }).maxBitrate, 300_000);
  assert.equal(live(20, { ...WIDE, available: 230_000, sent: 220_000, limited: false }).maxBitrate, 300_000);
});

test("five percent of loss alone cost no picture", () => {
  const { live } = begin();
  const plan = live(60, { ...WIDE, loss: 0.05 });
  assert.deepEqual([plan.active, plan.maxBitrate], [true, 1_700_000]);
});

test("the picture comes back after 15 s of calm on the lowest rung, then after 30 and 60", () => {
  const { live, secondsUntil, tries } = begin();
  live(20, WIDE);
  const waits = [];
  for (let round = 0; round < 4; round++) {
    secondsUntil(false, NARROW);
    waits.push(secondsUntil(true, NARROW) - 1);
    assert.ok(tries());
    const plan = live(1, NARROW);
    assert.deepEqual([plan.maxBitrate, plan.height, plan.maxFramerate], [120_000, 160, 8], "small, until the line has carried it");
  }
  assert.deepEqual(waits, [15, 30, 60, 60]);
  assert.equal(live(8, { ...WIDE, available: 170_000 }).height, 240);
});

test("a return that fails ends within five seconds", () => {
  for (const measure of [NARROW, LOSSY]) {
    const { live, secondsUntil } = begin();
    live(20, WIDE);
    secondsUntil(false, measure);
    secondsUntil(true, WIDE);
    assert.ok(secondsUntil(false, measure) <= 5);
  }
});

test("what the browser still believes of the line when a picture comes back counts for nothing at first", () => {
  const { live, secondsUntil } = begin();
  live(20, WIDE);
  secondsUntil(false, NARROW);
  secondsUntil(true, NARROW);
  live(3, NARROW);
  assert.ok(live(10, WIDE).active);
});

test("the sound gets smaller where the line hardly carries it; where that loses packets, not before it must", () => {
  /** @type {[Partial<Measure>, number | null][]} */
  const lines = [[{ available: 90_000 }, 24_000], [{ available: 90_000, loss: 0.05 }, null], [{ available: 60_000, loss: 0.05 }, 24_000], [{ available: 120_000 }, null]];
  for (const [measure, sound] of lines) {
    const { live } = begin();
    assert.equal(live(20, { ...WIDE, ...measure }).sound, sound);
  }
});

test("a picture that held for half a minute has not failed: the next pause is a short one", () => {
  const { live, secondsUntil } = begin();
  live(20, WIDE);
  for (let round = 0; round < 3; round++) {
    secondsUntil(false, NARROW);
    assert.equal(secondsUntil(true, WIDE) - 1, 15);
    live(40, WIDE);
  }
});

test("loss while the picture is paused is no calm", () => {
  const { live } = begin();
  live(20, WIDE);
  live(6, LOSSY);
  assert.equal(live(60, LOSSY).active, false);
  assert.equal(live(15, WIDE).active, false);
  assert.equal(live(1, WIDE).active, true);
});

test("where the browser tells no rate, loss and packets that queue are enough", () => {
  const firefox = { ...WIDE, available: null };
  const { live } = begin();
  assert.equal(live(20, firefox).maxBitrate, 1_700_000);
  assert.equal(live(3, { ...firefox, roundTrip: 400 }).maxBitrate, 800_000);
  assert.equal(live(6, { ...firefox, roundTrip: 900 }).picture, "weak");
  assert.equal(live(16, firefox).maxBitrate, 120_000);
  assert.equal(live(60, firefox).maxBitrate, 1_700_000);
});

test("a way that became longer for good is not taken for a slow line for ever", () => {
  const { live } = begin();
  live(20, { ...WIDE, available: null });
  assert.equal(live(120, { ...WIDE, available: null, roundTrip: 320 }).maxBitrate, 1_700_000);
});

test("a partner who asks for less gets the lowest rung for a while", () => {
  const { live, less } = begin();
  live(20, WIDE);
  less();
  assert.equal(live(1, WIDE).maxBitrate, 120_000);
  assert.equal(live(13, WIDE).maxBitrate, 120_000);
  assert.equal(live(30, WIDE).maxBitrate, 1_700_000);
});

test("sound only sends no picture, and is no weakness", () => {
  const { live } = begin();
  live(20, WIDE);
  const plan = live(10, NARROW, { quality: "sound" });
  assert.deepEqual([plan.picture, plan.active], ["sound", false]);
  assert.ok(live(1, WIDE).active, "and is over at once");
  assert.equal(live(10, NARROW).picture, "weak");
  assert.equal(live(1, NARROW, { camera: false }).picture, "on", "without a camera nothing is paused");
  assert.ok(live(1, NARROW).active);
});

test("a partner who wants sound only gets no picture; he is not told of any weakness", () => {
  const { live } = begin();
  const plan = live(20, NARROW, { deaf: true });
  assert.deepEqual([plan.picture, plan.active], ["on", false]);
});

test("low ends at 300 kbit/s, high keeps the picture's size", () => {
  const { live } = begin();
  assert.equal(live(20, WIDE, { quality: "low" }).maxBitrate, 300_000);
  const high = live(20, { ...WIDE, available: 300_000 }, { quality: "high" });
  assert.deepEqual([high.maxBitrate, high.height, high.maxFramerate, high.degradationPreference], [300_000, 720, 20, "maintain-resolution"]);
});

test("the more partners, the smaller each one's picture", () => {
  const sizes = [1, 2, 3, 4, 5, 6, 8].map((partners) => begin().live(5, WIDE, { partners }));
  assert.deepEqual(sizes.map(({ height }) => height), [720, 480, 480, 360, 360, 240, 240]);
  assert.deepEqual(sizes.map(({ maxFramerate }) => maxFramerate), [30, 24, 24, 20, 20, 15, 15]);
});

test("in a group only one picture comes back at a time", () => {
  const { live } = begin();
  live(20, WIDE);
  live(6, NARROW);
  assert.equal(live(60, WIDE, { wait: true }).active, false);
  assert.equal(live(1, WIDE).active, true);
});

test("two people send 2 Mbit/s at most, five and more 8 in all", () => {
  assert.ok(total(1, "high") <= 2_000_000);
  for (let partners = 2; partners <= 8; partners++) assert.ok(total(partners, "high") <= Math.min(8_000_000, 2_000_000 * partners), `${partners}`);
});

test("the gauge reads a rate, losses over some seconds and the latest round trip", () => {
  const gauge = new Gauge();
  /** @param {number} sent @param {number} lost @returns {any} */
  const report = (sent, lost) => new Map(Object.entries({
    t: { type: "transport", selectedCandidatePairId: "p" },
    p: { type: "candidate-pair", availableOutgoingBitrate: 500_000 },
    o: { type: "candidate-pair", availableOutgoingBitrate: 900_000 },
    oa: { type: "outbound-rtp", packetsSent: sent, bytesSent: 100 * sent, headerBytesSent: 20 * sent, timestamp: 10 * sent },
    ov: { type: "outbound-rtp", packetsSent: 3 * sent, qualityLimitationReason: "none" },
    ra: { type: "remote-inbound-rtp", packetsLost: lost, timestamp: 1, roundTripTime: 0.5 },
    rv: { type: "remote-inbound-rtp", packetsLost: 3 * lost, timestamp: 2, roundTripTime: 0.04 },
  }));
  assert.deepEqual(gauge.read(report(100, 50)), { available: 500_000, loss: null, roundTrip: 40, sent: null, limited: false });
  const { loss, sent } = gauge.read(report(200, 60)); // a second later
  assert.deepEqual([loss, sent], [0.1, 96_000]);
  for (let second = 3; second < 20; second++) gauge.read(report(100 * second, 60));
  assert.equal(gauge.read(report(2000, 60)).loss, 0, "old losses are forgotten");
  assert.deepEqual(new Gauge().read(/** @type {any} */ (new Map())), { available: null, loss: null, roundTrip: null, sent: null, limited: true });
});
