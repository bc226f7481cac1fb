/** Single letters in the call (WCAG 2.1.4): what they do, and where they are only letters. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { STATES } from "../../static/consultation/samples.js";
import { actionOf } from "../../static/consultation/shortcuts.js";

const call = /** @type {typeof STATES[number]} */ (STATES.find(({ name }) => name === "call-direct")).state;
const muted = /** @type {typeof STATES[number]} */ (STATES.find(({ name }) => name === "call-muted")).state;
/** @type {typeof call} */
const three = { ...call, peers: { ...call.peers, 3: { ...call.peers[1], seat: 3, role: "guest" } } };

test("letters_do_what_buttons_do", () => {
  assert.deepEqual(actionOf({ key: "m" }, call), { type: "device", device: "microphone", on: false });
  assert.deepEqual(actionOf({ key: "M" }, muted), { type: "device", device: "microphone", on: true }, "Caps Lock changes nothing");
  assert.deepEqual(actionOf({ key: "v" }, call), { type: "device", device: "camera", on: false });
  assert.deepEqual(actionOf({ key: "f" }, call), { type: "fullScreen" });
  assert.equal(actionOf({ key: "f" }, { ...call, display: { full: null, floating: null } }), null);
  assert.equal(actionOf({ key: "h" }, call), null, "two need no hand");
  assert.deepEqual(actionOf({ key: "h" }, three), { type: "hand" });
  assert.equal(actionOf({ key: "h" }, { ...three, role: "doctor" }), null, "the doctor leads");
  assert.equal(actionOf({ key: "x" }, call), null);
});

test("letters_are_letters_where_somebody_types_or_chooses_and_wherever_they_are_switched_off", () => {
  const inField = { closest: (/** @type {string} */ selector) => (selector.includes("select") ? {} : null) };
  const onButton = { closest: () => null };
  assert.equal(actionOf({ key: "m", target: inField }, call), null);
  assert.ok(actionOf({ key: "m", target: onButton }, call));
  for (const modifier of ["ctrlKey", "altKey", "metaKey", "shiftKey", "repeat", "isComposing"]) {
    assert.equal(actionOf({ key: "m", [modifier]: true }, call), null, modifier);
  }
  assert.equal(actionOf({ key: "m" }, { ...call, shortcuts: false }), null);
  assert.equal(actionOf({ key: "m" }, { ...call, panel: "more" }), null);
  assert.equal(actionOf({ key: "m" }, { ...call, screen: "room" }), null);
});
