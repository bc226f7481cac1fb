/** Walks through the consultation as the state knows it, and the samples that the browser tests draw. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { STATES } from "../../static/consultation/samples.js";
import { asksForWhom, hintIn, initialState, practiceOf, reduce } from "../../static/consultation/state.js";
import { knockName, linkOf, statusOf, verdictOf, when } from "../../static/consultation/words-of.js";
import de from "../../static/shared/words/de.js";

/** @typedef {import("../../static/consultation/types.js").State} State */

const times = { startsAt: "2026-11-21T09:00:00Z", opensAt: "2026-11-21T08:30:00Z", expiresAt: "2026-11-22T09:00:00Z" };
const seen = { type: "seen", role: "patient", seat: 2, state: "open", ...times };
const waiting = { type: "waiting", consultation: "c", seat: 2, role: "patient", knock: "k", occupied: false, ...times };
const welcome = { type: "welcome", consultation: "c", seat: 2, role: "patient", incarnation: 1, token: "t", iceServers: [], relayedOnly: false, holders: [], ...times };
const doctorPeer = { type: "peer", seat: 1, role: "doctor", incarnation: 1, key: "K" };
const patientPeer = { type: "peer", seat: 2, role: "patient", incarnation: 1, key: "K" };
const readiness = { verdict: "green", camera: "ok", microphone: "ok", relay: "ok", causes: { camera: null, microphone: null, relay: null } };
const knock = { type: "knock", knock: "k", seat: 2, role: "patient", since: times.startsAt, device: "first" };

test("a_patient_walks_from_the_link_to_the_call_and_out", () => {
  let state = walk(initialState(), { type: "look", code: "K" });
  assert.equal(state.screen, "looking");
  state = hear(state, seen);
  assert.equal(state.screen, "welcome");
  state = walk(state, { type: "submitName", name: "  " });
  assert.deepEqual([state.screen, state.problem], ["welcome", "name-missing"]);
  state = walk(state, { type: "submitName", name: " Maria " });
  assert.deepEqual([state.screen, state.name], ["check", "Maria"]);
  state = hear(walk(state, { type: "join" }), waiting);
  assert.deepEqual([state.screen, state.joining], ["waiting", false]);
  state = hear(state, { type: "doctor", seat: 1, key: "K" });
  assert.equal(state.doctor, true);
  state = hear(state, welcome, doctorPeer);
  assert.equal(state.screen, "call");
  assert.equal(state.peers[1].link, "connecting");
  state = walk(state, { type: "link", seat: 1, link: "connected" }, { type: "peer", seat: 1, change: { path: "direct" } });
  assert.deepEqual([state.peers[1].link, state.peers[1].path], ["connected", "direct"]);
  state = hear(state, { type: "ended" });
  assert.deepEqual([state.screen, state.end, state.peers], ["end", "ended", {}]);
});

test("a_doctor_walks_from_the_link_to_the_room_and_lets_somebody_in", () => {
  let state = hear(initialState(), { ...seen, role: "doctor", seat: 1 });
  assert.equal(state.screen, "check");
  state = hear(walk(state, { type: "join" }), { ...welcome, role: "doctor", seat: 1 });
  assert.equal(state.screen, "room");
  state = hear(state, knock);
  assert.equal(state.announcement?.key, "room.somebodyKnocks");
  state = walk(state, { type: "named", knock: "k", name: "Maria" });
  assert.equal(state.knocks[0].name, "Maria");
  state = hear(walk(state, { type: "admit", knock: "k" }), { type: "knockGone", knock: "k" }, patientPeer);
  assert.deepEqual([state.screen, state.knocks.length, state.peers[2].name], ["call", 0, "Maria"]);
  state = hear(state, { type: "gone", seat: 2, reason: "left" });
  assert.deepEqual([state.screen, state.notice?.key, state.notice?.values.name], ["room", "gone.left", "Maria"]);
});

test("an_arrival_during_a_call_is_counted_in_silence", () => {
  const call = doctorInCall();
  const state = hear(call, { ...knock, knock: "x" });
  assert.equal(state.knocks.length, 1);
  assert.equal(state.announcement, call.announcement);
  assert.equal(state.screen, "call");
});

test("a_page_that_comes_back_keeps_its_call_and_a_new_one_starts_anew", () => {
  const call = walk(doctorInCall(), { type: "link", seat: 2, link: "connected" });
  const away = hear(call, { type: "away", seat: 2, incarnation: 1 });
  assert.equal(away.peers[2].away, true);
  const back = hear(away, patientPeer);
  assert.deepEqual([back.peers[2].away, back.peers[2].link], [false, "connected"]);
  const anew = hear(away, { ...patientPeer, incarnation: 2 });
  assert.deepEqual([anew.peers[2].link, anew.peers[2].microphone], ["connecting", null]);
  assert.equal(hear(anew, { type: "away", seat: 2, incarnation: 1 }).peers[2].away, false, "of a page that is no more");
});

test("whoever_went_while_the_socket_was_lost_is_not_shown_any_more", () => {
  const back = (/** @type {unknown[]} */ holders) => hear(doctorInCall(), { ...welcome, role: "doctor", seat: 1, holders });
  assert.deepEqual([back([]).screen, back([]).peers], ["room", {}]);
  assert.deepEqual(back([{ seat: 2, incarnation: 2 }]).peers, {});
});

test("times_are_the_practices_and_the_devices_own_where_they_differ", () => {
  const at = (/** @type {string | null} */ timeZone) =>
    when(times.startsAt, { ...initialState(), now: Date.parse(times.opensAt), practice: { name: null, phone: null, timeZone } }, de);
  assert.equal(at(null), "heute um 10:00\u00a0Uhr"); // the test runs in Europe/Berlin
  assert.equal(at("Europe/Vienna"), "heute um 10:00\u00a0Uhr");
  assert.equal(at("Asia/Kathmandu"), "heute um 14:45\u00a0Uhr (bei Ihnen 10:00\u00a0Uhr)");
});

test("a_resumed_socket_shows_nobody_twice", () => {
  const call = hear(doctorInCall(), knock);
  const resumed = hear(call, { ...welcome, role: "doctor", seat: 1, holders: [{ seat: 2, incarnation: 1 }] });
  assert.deepEqual([resumed.screen, resumed.knocks.length, resumed.peers[2].away], ["call", 0, true]);
  const whole = hear(resumed, patientPeer, knock, knock);
  assert.deepEqual([Object.keys(whole.peers), whole.knocks.length, whole.peers[2].away], [["2"], 1, false]);
});

test("a_name_stays_when_the_same_knock_is_told_again", () => {
  const state = walk(hear(initialState(), knock), { type: "named", knock: "k", name: "Maria" });
  assert.equal(hear(state, knock).knocks[0].name, "Maria");
});

test("whoever_is_sent_back_waits_and_is_told_so", () => {
  const state = hear(patientInCall(), { type: "sentBack" }, waiting);
  assert.deepEqual([state.screen, state.sentBack, state.peers], ["waiting", true, {}]);
});

test("every_farewell_ends_in_its_own_words", () => {
  for (const type of ["refused", "removed", "replaced", "ended", "revoked"]) {
    const state = hear(patientInCall(), { type });
    assert.deepEqual([state.screen, state.end], ["end", type]);
    assert.ok(de[`end.${type}.title`]);
  }
});

test("every_reason_to_be_gone_has_its_words", () => {
  for (const reason of ["left", "sentBack", "removed", "replaced", "ended", "revoked"]) {
    const state = hear(doctorInCall(), { type: "gone", seat: 2, reason });
    assert.deepEqual([state.peers, state.notice?.key], [{}, `gone.${reason}`]);
    assert.ok(de[`gone.${reason}`]);
  }
});

test("every_error_of_a_code_names_cause_and_next_step", () => {
  for (const error of ["code-typo", "code-unknown"]) {
    const state = hear(initialState(), { type: "error", error });
    assert.deepEqual([state.screen, state.problem], ["code", error]);
    assert.ok(de[`problem.${error}`]);
  }
  for (const error of ["code-expired", "code-revoked", "code-used", "crowded"]) {
    const state = hear(initialState(), { type: "error", error });
    assert.deepEqual([state.screen, state.problem], ["problem", error]);
    for (const part of ["title", "text", "next"]) assert.ok(de[`problem.${error}.${part}`]);
  }
  const early = hear(initialState(), { type: "error", error: "code-early", opensAt: times.opensAt });
  assert.deepEqual([early.screen, early.opensAt], ["early", times.opensAt]);
});

test("somebody_early_goes_on_when_the_room_opens", () => {
  const early = hear(initialState(), { ...seen, state: "early" });
  assert.equal(early.screen, "early");
  assert.equal(hear(early, seen).screen, "welcome");
});

test("the_practice_that_invites_is_named_and_without_one_the_configured_practice", () => {
  const practice = { name: "Praxis am Markt", phone: "030 1", timeZone: "Europe/Vienna" };
  const configured = { name: "MVZ", phone: null, timeZone: "Europe/Berlin" };
  const page = walk(initialState(), { type: "practice", practice: configured });
  assert.deepEqual(practiceOf(hear(page, seen)), configured);
  for (const message of [seen, waiting, welcome]) assert.deepEqual(practiceOf(hear(page, { ...message, practice })), practice);
  const invited = hear(initialState(), { ...seen, practice });
  assert.deepEqual(practiceOf(walk(invited, { type: "practice", practice: configured })), practice, "in whichever order they come");
  assert.equal(hear(invited, { ...welcome, practice }, doctorPeer).peers[1].name, practice.name);
  assert.deepEqual(practiceOf(walk(walk(invited, { type: "practice", practice: configured }), { type: "askCode" })), configured, "another code, another practice");
});

test("the_check_before_the_appointment_leads_to_a_result_and_back", () => {
  let state = walk(hear(initialState(), { ...seen, state: "early" }), { type: "trial" });
  assert.equal(state.screen, "trial");
  assert.equal(hear(state, { ...seen, state: "early" }).screen, "trial", "looking again disturbs nobody");
  state = walk(state, { type: "hints", change: { silent: true } }, { type: "judge" });
  assert.deepEqual([state.screen, state.readiness, state.hints.silent], ["ready", null, false]);
  state = walk(state, { type: "ready", readiness });
  assert.deepEqual([state.readiness, state.announcement?.key], [readiness, "ready.green.title"]);
  state = walk(state, { type: "told", told: "telling" }, { type: "told", told: "told" });
  assert.deepEqual([state.told, state.announcement?.key], ["told", "ready.told"]);
  assert.equal(walk(state, { type: "early" }).screen, "early");
  const again = walk(state, { type: "trial" });
  assert.deepEqual([again.readiness, again.told], [null, "no"]);
});

test("the_room_opens_also_for_whoever_is_checking", () => {
  const early = hear(initialState(), { ...seen, state: "early" });
  for (const steps of [["trial"], ["trial", "judge"]]) {
    const state = hear(walk(early, ...steps.map((type) => ({ type }))), seen);
    assert.equal(state.screen, "welcome");
    assert.equal(walk(state, { type: "ready", readiness }), state, "what comes too late changes nothing");
  }
});

test("looking_again_after_a_lost_socket_disturbs_nobody_who_went_on", () => {
  const state = walk(hear(initialState(), seen), { type: "submitName", name: "Maria" });
  assert.equal(hear(state, seen).screen, "check");
});

test("a_lost_socket_is_said_once_and_ends_no_call", () => {
  const call = walk(patientInCall(), { type: "signaling", signaling: "up" });
  const down = walk(call, { type: "signaling", signaling: "down" });
  assert.deepEqual([down.screen, down.announcement?.key], ["call", "signaling.down"]);
  assert.equal(walk(down, { type: "signaling", signaling: "down" }).announcement, down.announcement);
  assert.equal(walk(down, { type: "signaling", signaling: "up" }).announcement?.key, "signaling.up");
  const closed = walk(call, { type: "signaling", signaling: "closed", code: 1008 });
  assert.equal(closed.screen, "call");
});

test("a_socket_closed_for_good_before_the_call_says_what_to_do", () => {
  const state = hear(initialState(), seen);
  assert.equal(walk(state, { type: "signaling", signaling: "closed", code: 1008 }).problem, "too-many");
  assert.equal(walk(state, { type: "signaling", signaling: "closed", code: 1003 }).problem, "unavailable");
});

test("a_network_without_video_is_said_until_a_line_comes", () => {
  const blocked = walk(patientInCall(), { type: "link", seat: 1, link: "blocked" });
  assert.equal(blocked.announcement?.key, "link.blocked");
  assert.equal(walk(blocked, { type: "link", seat: 1, link: "interrupted" }).peers[1].link, "blocked");
  assert.equal(walk(blocked, { type: "link", seat: 1, link: "connected" }).peers[1].link, "connected");
});

test("a_weak_line_is_said_once_the_own_one_first_and_a_dead_one_otherwise", () => {
  const call = hear(walk(doctorInCall(), { type: "link", seat: 2, link: "connected" }), { ...patientPeer, seat: 3 });
  const both = walk(call, { type: "link", seat: 3, link: "connected" });
  const look = (/** @type {State} */ state, /** @type {Record<number, string | null>} */ verdicts) =>
    walk(state, { type: "lines", changes: Object.entries(verdicts).map(([seat, verdict]) => ({ seat: Number(seat), change: { verdict } })) });
  const said = look(both, { 2: null, 3: "partner.loss" });
  assert.deepEqual([said.announcement?.key, verdictOf(Object.values(said.peers))?.peer.seat], ["line.partner.loss", 3]);
  assert.equal(look(said, { 2: null, 3: "partner.loss" }).announcement, said.announcement, "once");
  assert.equal(look(said, { 2: "own.narrow" }).announcement?.key, "line.own.narrow");
  assert.equal(look(said, { 3: null }).announcement, said.announcement, "calm is not announced");
  assert.equal(verdictOf(Object.values(walk(said, { type: "link", seat: 3, link: "interrupted" }).peers)), null);
});

test("an_interrupted_line_says_when_the_next_try_comes", () => {
  const interrupted = walk(patientInCall(), { type: "link", seat: 1, link: "interrupted" });
  const [peer] = Object.values(interrupted.peers);
  const whole = de["link.interrupted"].replace("{who}", de["role.doctor"]);
  assert.equal(linkOf(peer, 5000, de), whole);
  const trying = { attempt: 2, nextAt: 7400 };
  assert.match(linkOf({ ...peer, trying }, 5000, de), / 3 s\.$/);
  assert.equal(linkOf({ ...peer, trying }, 7400, de), whole, "it is being tried");
  assert.match(linkOf({ ...peer, trying, away: true }, 5000, de), /Rückkehr/);
});

test("nothing_happens_to_a_seat_that_is_not_there", () => {
  const state = patientInCall();
  assert.equal(hear(state, { type: "gone", seat: 9, reason: "left" }), state);
  assert.equal(walk(state, { type: "link", seat: 9, link: "connected" }), state);
  assert.equal(walk(state, { type: "peer", seat: 9, change: { path: "direct" } }), state);
});

test("of_several_hints_the_one_that_matters_most_is_shown_and_said_once", () => {
  let state = walk(patientInCall(), { type: "hints", change: { echo: true } });
  assert.deepEqual([hintIn(state), state.announcement?.key], ["hint.echo", "hint.echo"]);
  state = walk(state, { type: "hints", change: { silent: true } });
  assert.deepEqual([hintIn(state), state.announcement?.key], ["hint.silent", "hint.silent"]);
  const { id } = state.announcement ?? {};
  state = walk(state, { type: "hints", change: { echo: false } });
  assert.deepEqual([hintIn(state), state.announcement?.id], ["hint.silent", id]);
  state = walk(state, { type: "hints", change: { silent: false } });
  assert.deepEqual([hintIn(state), state.announcement?.id], [null, id]);
});

test("a_device_that_fails_in_the_call_is_said_and_before_the_call_only_shown", () => {
  const { media } = initialState();
  const broken = { ...media, camera: "missing", trouble: { ...media.trouble, camera: "none" } };
  assert.equal(walk(initialState(), { type: "media", media: broken }).announcement, null);
  assert.equal(walk(patientInCall(), { type: "media", media: broken }).announcement?.key, "trouble.none.camera");
  assert.equal(walk(patientInCall(), { type: "media", media: { ...media, microphone: "interrupted" } }).announcement?.key, "held.microphone");
});

test("hands_are_kept_in_the_order_of_raising_and_the_doctor_hears_of_each_once", () => {
  const group = groupOf("doctor", 1);
  const hand = (/** @type {number} */ seat, /** @type {boolean} */ up) => ({ type: "peer", seat, change: { hand: up } });
  const raised = walk(group, hand(3, true), hand(2, true), hand(4, true));
  assert.deepEqual([raised.hands, raised.announcement?.key], [[3, 2, 4], "hand.told"]);
  assert.equal(walk(raised, hand(3, true)).announcement, raised.announcement);
  assert.deepEqual(walk(raised, hand(3, false), hand(3, true)).hands, [2, 4, 3]);
  assert.deepEqual(hear(raised, { type: "gone", seat: 2, reason: "left" }).hands, [3, 4]);
  assert.deepEqual(hear(raised, { ...patientPeer, seat: 4, role: "guest", incarnation: 2 }).hands, [3, 2], "a reload lowers it");
  const patients = groupOf("patient", 2);
  assert.equal(walk(patients, hand(3, true)).announcement, patients.announcement);
});

test("only_a_doctor_may_ask_for_silence_and_nothing_is_switched", () => {
  const on = /** @type {const} */ ({ ...initialState().media, microphone: "on" });
  const group = walk(groupOf("patient", 2), { type: "media", media: on });
  assert.equal(walk(group, { type: "asked", seat: 3 }).asked, false, "a guest");
  assert.equal(walk(group, { type: "asked", seat: 9 }).asked, false, "nobody");
  const asked = walk(group, { type: "asked", seat: 1 });
  assert.deepEqual([asked.asked, asked.announcement?.key, asked.media.microphone], [true, "ask.mute", "on"]);
  assert.equal(walk(asked, { type: "asked", seat: 1 }).announcement, asked.announcement, "said once");
  assert.equal(walk(asked, { type: "media", media: { ...on, microphone: "off" } }).asked, false);
  assert.equal(walk(groupOf("patient", 2), { type: "asked", seat: 1 }).asked, false, "who is silent already");
});

test("any_tile_can_be_large_the_own_one_too_and_is_put_back_by_the_same_button", () => {
  const group = groupOf("patient", 2);
  const pin = (/** @type {number} */ seat) => ({ type: "pin", seat });
  assert.equal(walk(group, pin(3)).pinned, 3);
  assert.equal(walk(group, pin(3), pin(1)).pinned, 1);
  assert.equal(walk(group, pin(3), pin(3)).pinned, null);
  assert.equal(walk(group, pin(NaN)).pinned, "own");
  assert.equal(walk(group, pin(NaN), pin(NaN)).pinned, null);
});

test("what_one_partner_does_leaves_the_others_as_they_were", () => {
  const group = walk(groupOf("doctor", 1), { type: "pin", seat: 2 }, { type: "set", change: { speaker: 2 } });
  const gone = hear(group, { type: "gone", seat: 3, reason: "removed" });
  assert.deepEqual([gone.peers[2], gone.peers[4], gone.pinned, gone.speaker], [group.peers[2], group.peers[4], 2, 2]);
  const anew = hear(group, { ...patientPeer, seat: 3, role: "guest", incarnation: 2 });
  assert.deepEqual([anew.peers[2], anew.peers[4], Object.keys(anew.peers)], [group.peers[2], group.peers[4], ["2", "3", "4"]]);
});

test("a_doctor_is_asked_for_whom_to_hang_up_from_three_people_on_and_nobody_else_is", () => {
  assert.equal(asksForWhom(groupOf("doctor", 1)), true);
  assert.equal(asksForWhom(groupOf("patient", 2)), false);
  assert.equal(asksForWhom(doctorInCall()), false);
  const asked = walk(groupOf("doctor", 1), { type: "panel", panel: "leave" });
  const three = hear(asked, { type: "gone", seat: 4, reason: "left" });
  assert.equal(three.panel, "leave", "three are still in the call");
  assert.equal(hear(three, { type: "gone", seat: 3, reason: "left" }).panel, "none", "for two there is nothing to ask");
});

test("the_question_whether_to_remove_somebody_is_about_one_seat_and_goes_with_it", () => {
  const asked = walk(groupOf("doctor", 1), { type: "panel", panel: "remove", seat: 3 });
  assert.deepEqual([asked.panel, asked.about], ["remove", 3]);
  const other = hear(asked, { type: "gone", seat: 4, reason: "left" });
  assert.deepEqual([other.panel, other.about], ["remove", 3]);
  const gone = hear(other, { type: "gone", seat: 3, reason: "left" });
  assert.deepEqual([gone.panel, gone.about], ["none", null]);
  const missed = hear(asked, { ...welcome, role: "doctor", seat: 1, holders: [{ seat: 2, incarnation: 1 }] });
  assert.equal(missed.panel, "none", "it left while the socket was lost");
  assert.equal(walk(asked, { type: "panel", panel: "none" }).about, null);
  assert.equal(hear(asked, { type: "ended" }).about, null);
});

test("a_device_that_is_locked_or_in_use_is_not_called_missing", () => {
  /** @param {State["media"]["trouble"]["camera"]} camera */
  const told = (camera) => statusOf({ ...initialState().media, camera: "missing", trouble: { microphone: null, camera } }, "camera");
  assert.deepEqual([told("browser"), told("system"), told("in-use"), told("none"), told(null)], ["locked", "locked", "busy", "missing", "missing"]);
  assert.equal(statusOf({ ...initialState().media, camera: "on", trouble: { microphone: null, camera: "browser" } }, "camera"), "on");
});

test("another_doctor_who_knocks_is_not_called_the_own_device", () => {
  const state = groupOf("doctor", 1);
  /** @type {(seat: number) => string} */
  const named = (seat) => knockName({ knock: "k", seat, role: "doctor", since: times.startsAt, device: "first", name: null, locked: null }, state, de);
  assert.deepEqual([named(1), named(3)], [de["room.doctorDevice"], de["role.doctor"]]);
});

test("the_samples_have_every_screen_and_distinct_names", () => {
  const screens = ["browser", "call", "check", "code", "early", "end", "looking", "problem", "ready", "room", "trial", "waiting", "welcome"];
  assert.deepEqual([...new Set(STATES.map(({ state }) => state.screen))].sort(), screens);
  assert.equal(new Set(STATES.map(({ name }) => name)).size, STATES.length);
});

test("the_samples_have_every_problem_and_every_end_that_has_words", () => {
  /** @param {RegExp} pattern */
  const named = (pattern) => [...new Set(Object.keys(de).flatMap((key) => pattern.exec(key)?.[1] ?? []))].sort();
  /** @param {State["screen"][]} screens @param {"problem" | "end"} field */
  const sampled = (screens, field) =>
    [...new Set(STATES.filter(({ state }) => screens.includes(state.screen)).map(({ state }) => state[field]))].filter(Boolean).sort();
  assert.deepEqual(sampled(["code"], "problem"), named(/^problem\.(code-[a-z]+)$/));
  assert.deepEqual(sampled(["problem"], "problem"), named(/^problem\.([a-z-]+)\.title$/));
  assert.deepEqual(sampled(["browser"], "problem"), named(/^browser\.([a-z-]+)\.text$/));
  assert.deepEqual(sampled(["end"], "end"), named(/^end\.(\w+)\.title$/));
  const troubles = STATES.flatMap(({ state }) => Object.values(state.media.trouble)).filter(Boolean);
  assert.deepEqual([...new Set(troubles)].sort(), [...new Set(named(/^trouble\.([a-z-]+)\./))]);
});

/**
 * Four people, one of them this page's.
 * @param {"doctor" | "patient"} role
 * @param {number} seat
 */
function groupOf(role, seat) {
  const roles = ["doctor", "patient", "guest", "guest"];
  const others = roles.map((one, at) => ({ type: "peer", seat: at + 1, role: one, incarnation: 1, key: "K" })).filter((peer) => peer.seat !== seat);
  return hear(initialState(), { ...welcome, role, seat }, ...others);
}

function patientInCall() {
  return hear(initialState(), welcome, doctorPeer);
}

function doctorInCall() {
  return hear(initialState(), { ...welcome, role: "doctor", seat: 1 }, patientPeer);
}

/** @param {State} state @param {import("../../static/consultation/types.js").Action[]} actions */
function walk(state, ...actions) {
  return actions.reduce(reduce, state);
}

/** @param {State} state @param {import("../../static/shared/signaling.js").Message[]} messages */
function hear(state, ...messages) {
  return walk(state, ...messages.map((message) => ({ type: "server", message })));
}
