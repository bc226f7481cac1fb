/** What the check before the appointment makes of camera, microphone and line. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { initialState } from "../../static/consultation/state.js";
import { judge, Quiet, tried } from "../../static/consultation/readiness.js";
import de from "../../static/shared/words/de.js";

/** @typedef {import("../../static/shared/media.js").Summary} Summary */
/** @typedef {import("../../static/shared/media.js").Trouble} Trouble */

const ON = { ...initialState().media, microphone: /** @type {const} */ ("on"), camera: /** @type {const} */ ("on") };

test("everything_works_is_green_and_names_no_cause", () => {
  const { causes, ...told } = judge(tried(ON, false), "ok");
  assert.deepEqual(told, { verdict: "green", camera: "ok", microphone: "ok", relay: "ok" });
  assert.deepEqual(causes, { camera: null, microphone: null, relay: null });
});

test("without_a_camera_a_call_is_possible", () => {
  for (const trouble of /** @type {Trouble[]} */ (["none", "browser", "system", "in-use"])) {
    const { verdict, camera } = judge(tried(lacking({ camera: trouble }), false), "ok");
    assert.deepEqual([verdict, camera], ["yellow", trouble === "none" ? "missing" : "failed"]);
  }
});

test("without_a_microphone_there_is_none_but_one_that_only_waits_to_be_allowed_leaves_it_possible", () => {
  /** @param {Trouble} trouble */
  const judged = (trouble) => judge(tried(lacking({ microphone: trouble }), false), "ok");
  assert.deepEqual([judged("none").verdict, judged("none").microphone], ["red", "missing"]);
  for (const trouble of /** @type {Trouble[]} */ (["browser", "system", "in-use"])) {
    assert.deepEqual([judged(trouble).verdict, judged(trouble).microphone], ["yellow", "failed"]);
  }
});

test("a_microphone_from_which_nothing_comes_is_none", () => {
  const { verdict, microphone, causes } = judge(tried(ON, true), "ok");
  assert.deepEqual([verdict, microphone, causes.microphone], ["red", "failed", "hint.silent"]);
});

test("without_a_line_nothing_else_helps", () => {
  for (const relay of /** @type {const} */ (["failed", "missing"])) {
    assert.equal(judge(tried(ON, false), relay).verdict, "red");
    assert.equal(judge(tried(lacking({ camera: "none" }), false), relay).verdict, "red");
  }
});

test("a_device_that_the_system_holds_has_failed", () => {
  const { verdict, camera } = judge(tried({ ...ON, camera: "interrupted" }, false), "ok");
  assert.deepEqual([verdict, camera], ["yellow", "failed"]);
});

test("every_part_that_is_not_well_says_why_and_what_to_do", () => {
  /** @type {Trouble[]} */
  const troubles = ["none", "browser", "system", "in-use"];
  const devices = troubles.map((trouble) => tried(lacking({ camera: trouble, microphone: trouble }), false));
  for (const found of [...devices, tried(ON, true), tried({ ...ON, camera: "interrupted", microphone: "interrupted" }, false)]) {
    for (const relay of /** @type {const} */ (["ok", "failed", "missing"])) {
      const { verdict, causes, ...parts } = judge(found, relay);
      for (const key of [`ready.${verdict}`, `ready.${verdict}.title`, `ready.${verdict}.text`]) assert.ok(de[key], key);
      for (const [name, part] of Object.entries(parts)) {
        const cause = causes[/** @type {keyof typeof causes} */ (name)];
        assert.ok(de[`ready.${name}.${part}`], `${name} ${part}`);
        assert.equal(cause === null, part === "ok", name);
        assert.ok(cause === null || de[cause], String(cause));
      }
    }
  }
});

test("only_four_seconds_of_nothing_are_a_dead_microphone", () => {
  const quiet = new Quiet();
  const nothing = { rms: 0, peak: 0 };
  quiet.look(nothing, 0);
  quiet.look(nothing, 3999);
  assert.equal(quiet.silent, false);
  quiet.look(nothing, 4000);
  assert.equal(quiet.silent, true);
  quiet.look({ rms: 0.00001, peak: 0.0001 }, 4080);
  assert.equal(quiet.silent, false, "a quiet room is not nothing");
  quiet.look(nothing, 4160);
  quiet.look(null, 8000); // not measured
  quiet.look(nothing, 8080);
  assert.equal(quiet.silent, false);
});

/** @param {Partial<Record<"camera" | "microphone", Trouble>>} trouble @returns {Summary} */
function lacking(trouble) {
  /** @param {"camera" | "microphone"} device */
  const status = (device) => (trouble[device] ? "missing" : "on");
  return { ...ON, camera: status("camera"), microphone: status("microphone"), trouble: { camera: null, microphone: null, ...trouble } };
}
