/** The sealed vault (R36): who can open what, and who cannot. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { problem, RECOVERY_LENGTH } from "../../static/shared/code.js";
import { randomDevice } from "../../static/shared/seal.js";
import {
  checkNumbers, fromPassword, fromRecoveryKey, newPracticeKey, newRecoveryKey, newUserPair, newWorkplacePair, openKey, openRecord, sealKey,
  sealRecord, unwrapPair, versionOf, wrapPair,
} from "../../static/shared/vault.js";

const SALT = randomDevice();
const SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The same text with its last symbol but one changed: for base64url that changes bits that count. @param {string} text */
function changed(text) {
  return text.slice(0, -2) + (text.at(-2) === "A" ? "B" : "A") + text.at(-1);
}

test("a_password_gives_the_same_halves_again_and_another_password_or_salt_gives_others", async () => {
  const [first, again, other, elsewhere] = await Promise.all([
    fromPassword("Grüne Wiese 7", SALT), fromPassword("Gru\u0308ne Wiese 7", SALT), fromPassword("Grüne Wiese 8", SALT), fromPassword("Grüne Wiese 7", randomDevice()),
  ]);
  assert.match(first.signIn, /^[A-Za-z0-9_-]{43}$/);
  assert.equal(again.signIn, first.signIn, "however the keyboard composes an umlaut");
  assert.notEqual(other.signIn, first.signIn);
  assert.notEqual(elsewhere.signIn, first.signIn);
  assert.equal(first.wrap.extractable, false);
});

test("a_password_may_have_any_length_to_1024_characters_and_every_one_counts", async () => {
  const seen = new Set();
  for (const length of [1, 2, 63, 64, 65, 127, 128, 129, 511, 1023, 1024]) seen.add((await fromPassword("ü".repeat(length), SALT)).signIn);
  seen.add((await fromPassword("ü".repeat(1023) + "u", SALT)).signIn);
  seen.add((await fromPassword("🔑".repeat(1024), SALT)).signIn);
  seen.add((await fromPassword(" ", SALT)).signIn);
  seen.add((await fromPassword("  ", SALT)).signIn);
  assert.equal(seen.size, 15);
});

test("a_longer_password_and_none_are_refused_not_cut", async () => {
  for (const wrong of ["", "x".repeat(1025)]) await assert.rejects(fromPassword(wrong, SALT), RangeError);
});

test("a_users_pair_opens_with_its_password_or_its_recovery_key_alone", async () => {
  const pair = await newUserPair();
  const recovery = newRecoveryKey();
  const [byPassword, byRecovery] = [await fromPassword("richtig", SALT), await fromRecoveryKey(recovery)];
  const wrapped = [await wrapPair(byPassword.wrap, pair.private), await wrapPair(byRecovery.wrap, pair.private)];
  assert.notEqual(byRecovery.signIn, byPassword.signIn);
  const key = await newPracticeKey(1);
  const sealed = await sealKey(key, pair.public);
  for (const [opener, text] of /** @type {const} */ ([[byPassword, wrapped[0]], [await fromRecoveryKey(recovery.toLowerCase().replaceAll("-", " ").replaceAll("0", "o")), wrapped[1]]])) {
    const own = await unwrapPair(opener.wrap, text);
    assert.ok(own && (await openKey(sealed, 1, own)), "and what was sealed for the pair opens");
    assert.equal(own.public, pair.public, "its public half comes out of the private one");
    assert.equal(own.private.extractable, false);
  }
  assert.equal(await unwrapPair(byPassword.wrap, wrapped[1]), null);
  assert.equal(await unwrapPair((await fromPassword("falsch", SALT)).wrap, wrapped[0]), null);
  assert.equal(await unwrapPair(byPassword.wrap, changed(wrapped[0])), null);
  assert.equal(await unwrapPair(byPassword.wrap, "!"), null);
});

test("a_pair_can_be_wrapped_anew_for_another_password", async () => {
  const pair = await newUserPair();
  const [old, next] = [await fromPassword("alt", SALT), await fromPassword("neu", SALT)];
  const own = await unwrapPair(old.wrap, await wrapPair(old.wrap, pair.private), true);
  assert.ok(own);
  const again = await unwrapPair(next.wrap, await wrapPair(next.wrap, own.private));
  assert.ok(again && (await openKey(await sealKey(await newPracticeKey(1), pair.public), 1, again)));
});

test("a_workplaces_pair_cannot_be_taken_out_of_its_browser", async () => {
  const pair = await newWorkplacePair();
  assert.equal(pair.private.extractable, false);
  await assert.rejects(crypto.subtle.exportKey("pkcs8", pair.private));
});

test("a_recovery_key_is_random_and_a_typo_is_told", () => {
  const key = newRecoveryKey();
  assert.match(key, /^([0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}$/);
  assert.notEqual(newRecoveryKey(), key);
  assert.equal(problem(key, RECOVERY_LENGTH), null);
  assert.equal(problem(key), "code-length", "it is no access code");
  assert.equal(problem(key.slice(0, -1), RECOVERY_LENGTH), "code-length");
  const bare = key.replaceAll("-", "");
  for (let at = 0; at < bare.length; at++) {
    for (const symbol of SYMBOLS) {
      if (symbol !== bare[at]) assert.equal(problem(bare.slice(0, at) + symbol + bare.slice(at + 1), RECOVERY_LENGTH), "code-typo", `${symbol} at ${at}`);
    }
    const swapped = bare.slice(0, at) + bare.charAt(at + 1) + bare.charAt(at) + bare.slice(at + 2);
    if (bare[at] !== bare[at + 1] && at + 1 < bare.length) assert.equal(problem(swapped, RECOVERY_LENGTH), "code-typo", `swapped at ${at}`);
  }
});

test("the_practices_key_opens_for_its_addressee_under_its_version_alone", async () => {
  const [doctor, stranger, key] = [await newWorkplacePair(), await newWorkplacePair(), await newPracticeKey(3)];
  const sealed = await sealKey(key, doctor.public);
  const opened = await openKey(sealed, 3, doctor);
  assert.ok(opened);
  assert.equal(opened.version, 3);
  const record = await sealRecord(key, "p|1", { name: "Maria" });
  assert.deepEqual(await openRecord(opened, "p|1", record), { name: "Maria" });
  assert.equal(await openKey(sealed, 3, stranger), null);
  assert.equal(await openKey(sealed, 2, doctor), null, "another version");
  assert.equal(await openKey(sealed, 3, { public: stranger.public, private: doctor.private }), null, "a pair put together");
  const [once, closed] = sealed.split(".");
  for (const wrong of [changed(sealed), `${once}`, `${(await newWorkplacePair()).public}.${closed}`, `AAAA.${closed}`, `!.${closed}`, ""]) {
    assert.equal(await openKey(wrong, 3, doctor), null, wrong);
  }
  assert.notEqual(await sealKey(key, doctor.public), sealed, "a key of its own for each time");
});

test("a_record_opens_with_its_key_and_in_its_place_alone", async () => {
  const [key, other] = [await newPracticeKey(12), await newPracticeKey(12)];
  const record = { title: "Kontrolle", name: "Zoë Müller", codes: { 2: "K7QF-3XM2-9TDA" } };
  const sealed = await sealRecord(key, "practice|consultation", record);
  assert.equal(versionOf(sealed), 12);
  assert.deepEqual(await openRecord(key, "practice|consultation", sealed), record);
  assert.equal(await openRecord(key, "practice|another", sealed), null, "moved to another consultation");
  assert.equal(await openRecord(key, "another|consultation", sealed), null, "moved to another practice");
  assert.equal(await openRecord(other, "practice|consultation", sealed), null, "another key");
  for (const wrong of [changed(sealed), "12.", "12", "", "12.!"]) assert.equal(await openRecord(key, "practice|consultation", wrong), null, wrong);
});

test("a_records_length_tells_no_name", async () => {
  const key = await newPracticeKey(1);
  /** @param {string} name */
  const length = async (name) => (await sealRecord(key, "p|c", { name, note: "" })).length;
  assert.equal(await length("A"), await length("Ä".repeat(100)));
  assert.ok((await length("A".repeat(300))) > (await length("A")));
});

test("a_workplaces_check_numbers_hang_on_its_key_and_its_practice", async () => {
  const [one, two] = [await newWorkplacePair(), await newWorkplacePair()];
  const numbers = await checkNumbers(one.public, "practice");
  assert.equal(numbers.length, 4);
  assert.deepEqual(await checkNumbers(one.public, "practice"), numbers);
  assert.notDeepEqual(await checkNumbers(two.public, "practice"), numbers);
  assert.notDeepEqual(await checkNumbers(one.public, "another"), numbers);
});
