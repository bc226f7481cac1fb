/** Sealed names: who can open them, and who cannot (R10). */

import assert from "node:assert/strict";
import { test } from "node:test";

import { generateKeys, randomDevice, seal, unseal } from "../../static/shared/seal.js";

const consultation = "019abc12-3456-7def-8123-456789abcdef";
const secret = "AAECAwQFBgcICQoLDA0ODw";
const other = "DwAECAwQFBgcICQoLDA0OA";

/**
 * A patient on seat 2 seals, a doctor opens.
 * @param {string} name
 * @param {string | null} patients
 * @param {string | null} doctors
 */
async function passOn(name, patients, doctors) {
  const [patient, doctor] = await Promise.all([generateKeys(), generateKeys()]);
  const sealed = await seal(name, doctor.key, { keys: patient, secret: patients, consultation, seat: 2 });
  return { sealed, patient, doctor, opened: await unseal(sealed, { keys: doctor, secret: doctors, consultation, seat: 2 }) };
}

test("a_name_opens_for_its_addressee_with_and_without_a_link_secret", async () => {
  for (const both of [secret, null]) {
    const { sealed, opened } = await passOn("Zoë Müller-Beispiel", both, both);
    assert.deepEqual(opened, { name: "Zoë Müller-Beispiel" });
    assert.equal(sealed.salted, both !== null);
  }
});

test("a_secret_is_always_used_and_its_lack_is_told", async () => {
  const { sealed, opened } = await passOn("Maria", secret, null);
  assert.equal(sealed.salted, true);
  assert.deepEqual(opened, { locked: "no-secret" });
});

test("a_name_sealed_without_a_secret_opens_for_one_who_has_one", async () => {
  const { opened } = await passOn("Maria", null, secret);
  assert.deepEqual(opened, { name: "Maria" });
});

test("another_secret_seat_consultation_or_key_opens_nothing", async () => {
  const { sealed, doctor, opened } = await passOn("Maria", secret, other);
  assert.deepEqual(opened, { locked: "mismatch" });
  const right = { keys: doctor, secret, consultation, seat: 2 };
  assert.deepEqual(await unseal(sealed, right), { name: "Maria" });
  const stranger = await generateKeys();
  for (const wrong of [{ seat: 3 }, { consultation: "x" }, { keys: stranger }]) {
    assert.deepEqual(await unseal(sealed, { ...right, ...wrong }), { locked: "mismatch" });
  }
  assert.deepEqual(await unseal({ ...sealed, salted: false }, right), { locked: "mismatch" });
  assert.deepEqual(await unseal({ ...sealed, data: "!" }, right), { locked: "mismatch" });
  assert.deepEqual(await unseal({ ...sealed, key: "AAAA" }, right), { locked: "mismatch" });
});

test("every_name_has_the_same_length_on_the_wire", async () => {
  const short = await passOn("A", null, null);
  const long = await passOn("ß".repeat(200), null, null);
  assert.equal(short.sealed.data.length, long.sealed.data.length);
  assert.deepEqual(long.opened, { name: "ß".repeat(50) }, "100 bytes of UTF-8, cut between characters");
});

test("binary_values_are_base64url_of_the_right_length", async () => {
  const { sealed, patient } = await passOn("Maria", null, null);
  assert.match(patient.key, /^[A-Za-z0-9_-]{87}$/);
  assert.match(sealed.iv, /^[A-Za-z0-9_-]{16}$/);
  assert.match(sealed.data, /^[A-Za-z0-9_-]{192}$/);
  assert.match(randomDevice(), /^[A-Za-z0-9_-]{22}$/);
  assert.notEqual(randomDevice(), randomDevice());
});
