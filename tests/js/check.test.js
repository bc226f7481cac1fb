/**
 * The check of the encryption (R22): what two pages compute is what docs/protocol.md says; a broker that swaps fingerprints
 * is caught, whatever it does with the messages; and what a hostile page says neither throws nor passes.
 */

import assert from "node:assert/strict";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { Check } from "../../static/shared/check.js";
import de from "../../static/shared/check-words/de.js";
import en from "../../static/shared/check-words/en.js";
import { generateKeys } from "../../static/shared/seal.js";
import * as document from "./lib/check-by-the-document.js";

/** @typedef {import("../../static/shared/seal.js").Keys} Keys */
/** @typedef {{ seat: number, role: string, keys: Keys, fingerprints: string[], secret: string | null, pair: string | null, language: "de" | "en" }} Person */
/** @typedef {{ who: "doctor" | "patient", message: any }} Said */

const consultation = "019abc12-3456-7def-8123-456789abcdef";
const ATTACKS = 100;
const TRIES = 2 ** 20;

/** @type {Keys[]} key pairs take a while: a stock of them */
const stock = await Promise.all(Array.from({ length: 8 }, generateKeys));

/** @param {number} bytes */
const random = (bytes) => randomBytes(bytes).toString("base64url");
const certificate = () => [`sha-256 ${[...randomBytes(32)].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(":")}`];

/** @param {Partial<Person>} [change] @returns {Person} the lower seat */
const doctor = (change) => ({ seat: 1, role: "doctor", keys: stock[0], fingerprints: certificate(), secret: null, pair: null, language: "de", ...change });
/** @param {Partial<Person>} [change] @returns {Person} the higher seat */
const patient = (change) => ({ seat: 2, role: "patient", keys: stock[1], fingerprints: certificate(), secret: null, pair: null, language: "en", ...change });

/**
 * A page's check of its connection, and what came of it.
 * @param {Person} own
 * @param {Person} partner  as this page sees it
 */
function page(own, partner) {
  const check = new Check({
    consultation,
    own,
    partner: { seat: partner.seat, role: partner.role, key: partner.keys.key },
    keys: own.keys,
    secret: own.secret,
    pair: own.pair,
    language: own.language,
    fingerprints: () => ({ own: own.fingerprints, theirs: partner.fingerprints }),
  });
  const seen = { check, said: /** @type {any[]} */ ([]), results: /** @type {any[]} */ ([]), mismatches: 0 };
  check.addEventListener("say", (event) => seen.said.push(/** @type {CustomEvent} */ (event).detail));
  check.addEventListener("result", (event) => seen.results.push(/** @type {CustomEvent} */ (event).detail));
  check.addEventListener("mismatch", () => seen.mismatches++);
  return seen;
}

/** @typedef {ReturnType<typeof page>} Page */

/**
 * Lets two pages talk until nobody has anything more to say.
 * @param {Page} one
 * @param {Page} two
 * @param {(message: any, from: Page) => any[]} [pass]  what becomes of a message on its way
 */
async function talk(one, two, pass = (message) => [message]) {
  await Promise.all([one.check.begin(), two.check.begin()]);
  for (let moved = true; moved;) {
    moved = false;
    for (const [from, to] of [[one, two], [two, one]]) {
      for (const message of from.said.splice(0)) {
        moved = true;
        for (const passed of pass(JSON.parse(JSON.stringify(message)), from)) await to.check.hear(passed);
      }
    }
  }
}

/** @param {Page} seen */
const levels = (seen) => seen.results.map(({ level, by }) => `${level}${by ? ` by ${by}` : ""}`);

describe("two pages with nobody between", () => {
  test("are checked in silence by the link's secret, on both sides", async () => {
    const secret = random(16);
    const [one, two] = meet(doctor({ secret }), patient({ secret }));
    await talk(one, two);
    for (const side of [one, two]) assert.deepEqual([levels(side), side.mismatches], [["checked by link"], 0]);
  });

  test("compare the same words where one link or both have no secret, in the lower seat's language", async () => {
    for (const [mine, theirs] of [[null, null], [random(16), null], [null, random(16)]]) {
      for (const language of /** @type {const} */ (["de", "en"])) {
        const [one, two] = meet(doctor({ secret: mine, language }), patient({ secret: theirs }));
        await talk(one, two);
        for (const side of [one, two]) assert.deepEqual([levels(side), side.mismatches], [["words"], 0]);
        assert.deepEqual(one.results[0].words, two.results[0].words);
        assert.equal(two.results[0].language, language);
        for (const word of one.results[0].words) assert.ok((language === "de" ? de : en).includes(word));
      }
    }
  });

  test("keep a key of the two when a person says that the words are the same, and need no words the next time", async () => {
    const [one, two] = meet(doctor(), patient());
    await talk(one, two);
    await Promise.all([one.check.confirm(), two.check.confirm()]);
    assert.deepEqual(levels(one), ["words", "checked by words"]);
    const pair = one.results[1].pair;
    assert.equal(pair, two.results[1].pair);
    // Reloaded: new page keys, new certificates.
    const again = meet(doctor({ pair, keys: stock[2] }), patient({ pair, keys: stock[3] }));
    await talk(...again);
    for (const side of again) assert.deepEqual([levels(side), side.mismatches], [["checked by words"], 0]);
  });

  test("compare words, without an alarm, when only one has a key or each has another", async () => {
    for (const [mine, theirs] of [[random(32), null], [null, random(32)], [random(32), random(32)]]) {
      const sides = meet(doctor({ pair: mine }), patient({ pair: theirs }));
      await talk(...sides);
      for (const side of sides) assert.deepEqual([levels(side), side.mismatches], [["words"], 0]);
    }
  });

  test("stay where they are when the other never answers", async () => {
    const [one] = meet(doctor({ secret: random(16) }), patient());
    await one.check.begin();
    await one.check.confirm();
    assert.deepEqual([one.results, one.mismatches, one.said.map(({ step }) => step)], [[], 0, ["commit"]]);
  });

  test("find a mismatch when their links have different secrets", async () => {
    const sides = meet(doctor({ secret: random(16) }), patient({ secret: random(16) }));
    await talk(...sides);
    for (const side of sides) assert.deepEqual([side.results, side.mismatches], [[], 1]);
  });

  test("end when a person says that the words differ, and hear nothing more", async () => {
    const [one, two] = meet(doctor(), patient());
    await talk(one, two);
    one.check.refuse();
    await one.check.confirm();
    await one.check.begin();
    assert.deepEqual([levels(one), one.mismatches, one.said], [["words"], 1, [{ type: "check", step: "mismatch" }]]);
  });

  test("end together: the other is told, and believes it unless its own check has ended well", async () => {
    const [one, two] = meet(doctor(), patient());
    await talk(one, two);
    one.check.refuse();
    await talk(one, two);
    assert.deepEqual([one.mismatches, two.mismatches], [1, 1]);
    const secret = random(16);
    const proven = meet(doctor({ secret }), patient({ secret }));
    await talk(...proven);
    await proven[0].check.hear({ type: "check", step: "mismatch" });
    assert.deepEqual([levels(proven[0]), proven[0].mismatches], [["checked by link"], 0]);
  });

  test("see every fingerprint, role, seat, key and consultation count", async () => {
    const secret = random(16);
    const [right, partner] = [doctor({ secret }), patient({ secret })];
    const more = [...partner.fingerprints, ...certificate()].sort();
    for (const wrong of [{ fingerprints: more }, { fingerprints: certificate() }, { role: "guest" }, { seat: 3 }, { keys: stock[2] }]) {
      const sides = [page(right, { ...partner, ...wrong }), page(partner, right)];
      await talk(sides[0], sides[1]);
      caught(sides, JSON.stringify(wrong));
    }
  });
});

describe("what two pages compute", () => {
  test("is what docs/protocol.md says, whatever the keys and nonces", async () => {
    for (let round = 0; round < 10; round++) {
      const [secret, pair] = [random(16), random(32)];
      const [one, two] = [doctor({ secret: round % 2 ? secret : null, pair }), patient({ secret, pair, keys: stock[2 + randomInt(6)] })];
      const heard = await overheard(one, two);
      const sides = seen(one, two, heard);
      assert.equal(heard.commit.commitment, document.commitment(sides));
      assert.equal(heard.nonce.pair, document.pairName(pair));
      const [by, proven] = round % 2 ? [/** @type {const} */ ("link"), secret] : [/** @type {const} */ ("words"), pair];
      assert.equal(heard.proofs.doctor, document.proof(sides, proven, by, "lower"));
      assert.equal(heard.proofs.patient, document.proof(sides, proven, by, "higher"));
    }
  });

  test("is what it was: the recorded example", async (context) => {
    const golden = JSON.parse(readFileSync(new URL("../golden/check.json", import.meta.url), "utf8"));
    const [one, two] = await Promise.all([golden.lower, golden.higher].map(recorded));
    let nonces = [golden.lower.nonce, golden.higher.nonce];
    context.mock.method(crypto, "getRandomValues", (/** @type {Uint8Array} */ array) => {
      array.set(Buffer.from(nonces.shift(), "base64url"));
      return array;
    });
    const sides = { consultation: golden.consultation, language: golden.language, lower: { ...one, key: one.keys.key, nonce: golden.lower.nonce }, higher: { ...two, key: two.keys.key, nonce: golden.higher.nonce } };
    const heard = await overheard({ ...one, secret: golden.secret }, { ...two, secret: golden.secret });
    assert.equal(heard.commit.commitment, golden.commitment);
    assert.deepEqual(heard.proofs, { doctor: golden.proofs.lower, patient: golden.proofs.higher });
    nonces = [golden.lower.nonce, golden.higher.nonce];
    const pages = meet(one, two);
    await talk(...pages);
    await Promise.all(pages.map(({ check }) => check.confirm()));
    for (const { results } of pages) assert.deepEqual([results[0].words, results[1].pair], [golden.words, golden.pair]);
    assert.equal(document.commitment(sides), golden.commitment, "and the document agrees");
    assert.deepEqual(document.words(sides, de), golden.words);
    assert.equal(document.pair(sides, golden.lower.private, golden.higher.key), golden.pair);
    assert.equal(document.proof(sides, golden.secret, "link", "higher"), golden.proofs.higher);
  });
});

describe(`a broker that swaps both fingerprints is caught ${ATTACKS} times in ${ATTACKS}`, () => {
  /**
   * What stands between has a connection of its own to each of the two, and all that the broker knows: page keys included.
   * @param {Partial<Person>} [mine]   what both have
   * @param {Partial<Person>} [claimed]  what the one between claims to have towards each
   */
  const between = (mine, claimed) => {
    const [one, two] = [doctor(mine), patient(mine)];
    const [likeTwo, likeOne] = [{ ...two, fingerprints: certificate(), ...claimed }, { ...one, fingerprints: certificate(), ...claimed }];
    return { pages: [page(one, likeTwo), page(two, likeOne)], impostors: [page(likeTwo, one), page(likeOne, two)] };
  };

  test("when it passes on every message as it is", async () => {
    for (let round = 0; round < ATTACKS; round++) {
      const { pages } = between({ secret: random(16) });
      await talk(pages[0], pages[1]);
      caught(pages);
    }
  });

  test("without a secret, too, if it passes the messages on", async () => {
    for (let round = 0; round < ATTACKS; round++) {
      const { pages } = between();
      await talk(pages[0], pages[1]);
      caught(pages);
    }
  });

  test("when it forges proofs, with a secret of its own", async () => {
    for (let round = 0; round < ATTACKS; round++) {
      const { pages, impostors } = between({ secret: random(16) }, { secret: random(16) });
      for (const at of [0, 1]) await talk(pages[at], impostors[at]);
      for (const side of pages) assert.deepEqual([side.results, side.mismatches], [[], 1]);
    }
  });

  test("when it runs both checks itself and takes the proofs from one for the other, or sends them back", async () => {
    for (let round = 0; round < ATTACKS; round++) {
      const { pages, impostors } = between({ secret: random(16) }, { secret: random(16) });
      /** @type {any[]} */
      const proofs = [];
      const reflected = round % 2 === 1;
      for (const at of [0, 1]) {
        await talk(pages[at], impostors[at], (message, from) => {
          if (message.step !== "proof") return [message];
          if (from === pages[at]) proofs.push(message);
          return []; // held back for now
        });
      }
      assert.equal(proofs.length, 2);
      for (const at of [0, 1]) await pages[at].check.hear(proofs[reflected ? at : 1 - at]);
      for (const side of pages) assert.deepEqual([side.results, side.mismatches], [[], 1]);
    }
  });

  test("when it claims that nobody has a secret: then nothing is checked, and the words differ", async () => {
    for (let round = 0; round < ATTACKS; round++) {
      const { pages, impostors } = between({ secret: random(16), pair: random(32) }, { secret: null, pair: null });
      for (const at of [0, 1]) await talk(pages[at], impostors[at]);
      for (const side of pages) assert.deepEqual([levels(side), side.mismatches], [["words"], 0]);
      assert.notDeepEqual(pages[0].results[0].words, pages[1].results[0].words);
    }
  });
});

test(`grinding before the reveal: of 2^${Math.log2(TRIES)} answers none makes the words fit`, (context) => {
  // The one between has ended its check with the patient and knows those words. Towards the doctor it has but the commitment.
  const seed = (/** @type {string} */ what) => createHash("sha256").update(`grinding ${what}`).digest("base64url");
  const target = createHash("sha256").update("the patient's words").digest();
  const side = { consultation, language: "de", lower: { seat: 1, role: "doctor", key: seed("key"), nonce: seed("the doctor's nonce"), fingerprints: ["sha-256 AA"] } };
  const [before, after] = document.transcript({ ...side, higher: { seat: 2, role: "patient", key: seed("other key"), nonce: "?", fingerprints: ["sha-256 BB"] } }).split("?");
  const fitting = [0, 0, 0, 0];
  for (let tried = 0; tried < TRIES; tried++) {
    const words = createHash("sha256").update(before + Buffer.from(`answer ${tried}`.padStart(32)).toString("base64url") + after).digest();
    for (let at = 0; at < 4 && words[at] === target[at]; at++) fitting[at]++;
  }
  context.diagnostic(`of ${TRIES} answers ${fitting[0]} hit the first word, ${fitting[1]} two, ${fitting[2]} three, ${fitting[3]} all four`);
  assert.ok(fitting[0] > 3500 && fitting[0] < 4700 && fitting[1] > 0, "the search itself works: two words would have been found");
  assert.equal(fitting[3], 0);
});

describe("a hostile page", () => {
  test("cannot make a side try again: what comes twice or out of order counts for nothing", async () => {
    const [one, two] = meet(doctor(), patient());
    /** @type {string[]} */
    const steps = [];
    await talk(one, two, (message) => {
      steps.push(message.step);
      return [{ ...message, step: "proof", proof: random(32) }, message, message, { ...message, nonce: random(32), commitment: random(32) }];
    });
    assert.deepEqual(steps, ["commit", "nonce", "reveal"]);
    assert.deepEqual([levels(one), levels(two), one.mismatches, two.mismatches], [["words"], ["words"], 0, 0]);
    assert.deepEqual(one.results[0].words, two.results[0].words);
  });

  test("finds no use in messages of another check", async () => {
    const secret = random(16);
    const [one, two] = [doctor({ secret }), patient({ secret })];
    /** @type {any[]} */
    const old = [];
    await talk(...meet(one, two), (message) => (old.push(message), [message]));
    for (const [own, partner] of [[one, two], [two, one]]) {
      const side = page(own, partner);
      await side.check.begin();
      for (const message of old) await side.check.hear(message);
      assert.deepEqual(side.results, []);
    }
  });

  test("says nonsense, too long and too much: nothing throws, nothing is checked", async () => {
    const long = "A".repeat(1 << 20);
    const values = [null, undefined, 0, -1, NaN, true, "", "A", long, random(32), random(31), random(33), [], [random(32)], {}, { length: 43 }, "__proto__", "constructor", "toString", "de", "\0", "\ud800", "=".repeat(43)];
    const steps = ["commit", "nonce", "reveal", "proof", "__proto__", "constructor", null, 7, long];
    const any = (/** @type {any[]} */ list) => list[randomInt(list.length)];
    for (let round = 0; round < 2000; round++) {
      const side = round % 2 ? page(doctor({ secret: random(16) }), patient()) : page(patient({ secret: random(16) }), doctor());
      await side.check.begin();
      for (let message = 0; message < 10; message++) {
        const said = { step: any(steps), commitment: any(values), nonce: any(values), language: any(["de", "en", ...values]), link: any([true, ...values]), pair: any(values), proof: any(values) };
        await side.check.hear(randomInt(20) === 0 ? any(values) : said);
      }
      assert.ok(levels(side).every((level) => level === "words"), levels(side).join());
    }
  });

  test("with a page key that is none is a mismatch at the latest when the words are said to be the same", async () => {
    const broken = { ...patient(), keys: { ...stock[1], key: "AAAA" } };
    const [one, two] = meet(doctor(), broken);
    await talk(one, two);
    await one.check.confirm();
    assert.deepEqual([levels(one), one.mismatches], [["words"], 1]);
  });
});

describe("the words", () => {
  for (const [language, list] of Object.entries({ de, en })) {
    test(`in ${language} are 256, short, of plain letters, and differ by three letters at least`, () => {
      assert.equal(new Set(list.map((word) => word.toLowerCase())).size, 256);
      for (const word of list) assert.match(word, /^[A-Za-z]{4,9}$/);
      for (const [at, word] of list.entries()) {
        for (const other of list.slice(0, at)) assert.ok(distance(word.toLowerCase(), other.toLowerCase()) >= 3, `${word} and ${other}`);
      }
    });
  }
});

/** @param {Person} one @param {Person} two @returns {[Page, Page]} */
function meet(one, two) {
  return [page(one, two), page(two, one)];
}

/** No side is checked, and one at least says so. @param {Page[]} sides @param {string} [what] */
function caught(sides, what) {
  for (const side of sides) assert.ok(!levels(side).some((level) => level.startsWith("checked")), what);
  assert.ok(sides.some(({ mismatches }) => mismatches === 1), what);
}

/**
 * An honest check that ends in proofs, with everything said.
 * @param {Person} one
 * @param {Person} two
 */
async function overheard(one, two) {
  /** @type {any} */
  const heard = { proofs: {} };
  const sides = meet(one, two);
  await talk(...sides, (message, from) => {
    if (message.step === "proof") heard.proofs[from === sides[0] ? "doctor" : "patient"] = message.proof;
    else heard[message.step] = message;
    return [message];
  });
  for (const side of sides) assert.match(levels(side).join(), /^checked by/);
  return heard;
}

/** @param {Person} one @param {Person} two @param {any} heard @returns {import("./lib/check-by-the-document.js").Sides} */
function seen(one, two, heard) {
  return {
    consultation,
    language: one.language,
    lower: { ...one, key: one.keys.key, nonce: heard.reveal.nonce },
    higher: { ...two, key: two.keys.key, nonce: heard.nonce.nonce },
  };
}

/** @param {any} side  of the golden file @returns {Promise<Person>} */
async function recorded({ seat, role, key, private: secret, fingerprints }) {
  const [x, y] = [Buffer.from(key, "base64url").subarray(1, 33), Buffer.from(key, "base64url").subarray(33)].map((half) => half.toString("base64url"));
  const jwk = { kty: "EC", crv: "P-256", x, y, d: secret };
  const imported = await crypto.subtle.importKey("jwk", jwk, { name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
  return { seat, role, keys: { private: imported, key }, fingerprints, secret: null, pair: null, language: "de" };
}

/** Of Levenshtein. @param {string} one @param {string} two */
function distance(one, two) {
  let row = Array.from({ length: two.length + 1 }, (_, at) => at);
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1];
    for (const [to, other] of [...two].entries()) next.push(Math.min(next[to] + 1, row[to + 1] + 1, row[to] + Number(letter !== other)));
    row = next;
  }
  return row[two.length];
}
