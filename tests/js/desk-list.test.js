/** The desk's list as its state knows it: days and clocks, search, the week, what is past, the form, and who is at the door. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { changeOf, doubtsOf, labelsOf, noFacts, planOf, problemOf } from "../../static/desk/list/draft.js";
import { matcher, textOf } from "../../static/desk/list/search.js";
import { countOf, rowsOf, weekOf } from "../../static/desk/list/shown.js";
import { inCall, initialState, queue, reduce } from "../../static/desk/list/state.js";
import { clockOf, dayOf, mondayOf, momentOf, plusDays } from "../../static/desk/list/zone.js";

/** @typedef {import("../../static/desk/list/types.js").State} State */
/** @typedef {import("../../static/desk/list/types.js").Action} Action */

const BERLIN = "Europe/Berlin";
const NOW = Date.parse("2026-11-25T08:30:00Z"); // a Wednesday, half past nine in Berlin
const session = { practice: { id: "p", short: "markt", name: "Praxis am Markt", phone: "030 1234567", timeZone: BERLIN }, user: { short: "weber", role: "doctor" }, mail: false };

// ---- days and clocks ----

test("a_day_is_the_practices_wherever_the_browser_is", () => {
  const late = Date.parse("2026-11-29T23:30:00Z");
  assert.deepEqual([dayOf(BERLIN, late), clockOf(BERLIN, late)], ["2026-11-30", "00:30"]);
  assert.deepEqual([dayOf("America/New_York", late), clockOf("America/New_York", late)], ["2026-11-29", "18:30"]);
  assert.deepEqual([dayOf("Australia/Lord_Howe", late), clockOf("Australia/Lord_Howe", late)], ["2026-11-30", "10:30"]);
  assert.deepEqual([dayOf("Asia/Kathmandu", late), clockOf("Asia/Kathmandu", late)], ["2026-11-30", "05:15"]);
});

test("a_local_time_is_the_same_moment_as_at_the_server", () => {
  const moments = [
    ["2026-11-30", "09:00", "2026-11-30T08:00:00.000Z", "plain"],
    ["2026-07-01", "09:00", "2026-07-01T07:00:00.000Z", "plain"],
    ["2026-03-29", "01:59", "2026-03-29T00:59:00.000Z", "plain"],
    ["2026-03-29", "02:30", "2026-03-29T01:30:00.000Z", "skipped"], // 03:30, as chrono moves it
    ["2026-03-29", "03:00", "2026-03-29T01:00:00.000Z", "plain"],
    ["2026-10-25", "02:30", "2026-10-25T00:30:00.000Z", "twice"],
    ["2026-10-25", "03:00", "2026-10-25T02:00:00.000Z", "plain"],
  ];
  for (const [day, clock, at, kind] of moments) {
    const found = momentOf(BERLIN, day, clock);
    assert.deepEqual([new Date(found.at).toISOString(), found.kind], [at, kind], `${day} ${clock}`);
  }
  assert.equal(momentOf("Australia/Lord_Howe", "2026-10-04", "02:15").kind, "skipped"); // their clocks move by half an hour
});

test("days_are_counted_over_a_change_of_the_clocks", () => {
  assert.equal(plusDays("2026-10-24", 2), "2026-10-26");
  assert.equal(plusDays("2026-03-01", -1), "2026-02-28");
  assert.deepEqual(["2026-11-23", "2026-11-25", "2026-11-29"].map(mondayOf), ["2026-11-23", "2026-11-23", "2026-11-23"]);
});

// ---- search ----

test("the_search_finds_every_word_whatever_case_accents_and_order", () => {
  const text = textOf({ ...noFacts(), name: "Zoë Müller-Groß", title: "Kontrolle", note: "bringt Befunde mit", phone: "+49 (30) 123-45 67" });
  for (const query of ["müller", "MULLER zoe", "mueller", "groß kontrolle", "GROSS", "befund zo", "123", "+49 (30) 123", "301234567", "0 1 2", ""]) {
    assert.ok(matcher(query)(text), query);
  }
  for (const query of ["maria", "müller maria", "99999"]) assert.ok(!matcher(query)(text), query);
  assert.ok(matcher("Müller")(textOf({ ...noFacts(), name: "Mu\u0308ller" })), "accents of their own are the same letter");
  for (const [name, query] of [["Elif Yılmaz", "yilmaz"], ["Łukasz Đorđević", "lukasz dordevic"], ["İpek", "ipek"], ["Søren", "soren"], ["Nguyễn", "nguyen"]]) {
    assert.ok(matcher(query)(textOf({ ...noFacts(), name })), name);
    assert.ok(matcher(name)(textOf({ ...noFacts(), name })), name);
  }
  assert.ok(!matcher("x")(textOf(null)), "what cannot be read is not found");
});

// ---- the list ----

test("today_and_what_comes_stand_by_day_and_the_past_newest_first", () => {
  const desks = [desk("c", "2026-11-27T08:00:00Z"), desk("a", "2026-11-25T07:00:00Z"), desk("b", "2026-11-25T09:00:00Z"), desk("y", "2026-11-24T09:00:00Z"), desk("x", "2026-11-23T09:00:00Z")];
  const state = listed(...desks);
  assert.deepEqual(ids(state), ["2026-11-25", "a", "b", "2026-11-27", "c"], "the morning's consultation stays until midnight");
  const past = walk(state, { type: "past", on: true });
  assert.deepEqual(ids(past), ["2026-11-24", "y", "2026-11-23", "x"]);
  assert.equal(countOf(rowsOf(past)), 2);
});

test("who_sits_in_a_call_or_waits_over_midnight_stays_in_the_list", () => {
  const state = listed(desk("y", "2026-11-24T09:00:00Z"), desk("z", "2026-11-24T10:00:00Z"), desk("x", "2026-11-24T11:00:00Z"));
  const busy = walk(state, { type: "call", consultation: "y", seats: [1, 2] }, { type: "waiting", ...knock("k", "z") });
  assert.deepEqual(ids(busy), ["2026-11-24", "y", "z"]);
});

test("a_consultation_that_ends_at_midnight_is_past_then", () => {
  const state = listed({ ...desk("m", "2026-11-24T22:40:00Z"), durationMinutes: 20 }, { ...desk("n", "2026-11-24T22:40:00Z"), durationMinutes: 21 });
  assert.deepEqual(ids(state), ["2026-11-24", "n"]);
});

test("the_search_and_a_chosen_day_narrow_the_list", () => {
  let state = listed(desk("a", "2026-11-25T09:00:00Z"), desk("b", "2026-11-26T09:00:00Z"), desk("y", "2026-11-24T09:00:00Z"));
  state = named(state, { a: "Maria Beispiel", b: "Ömer Öz", y: "Maria Muster" });
  assert.deepEqual(ids(walk(state, { type: "search", query: "oz omer" })), ["2026-11-26", "b"]);
  assert.deepEqual(ids(walk(state, { type: "search", query: "maria" })), ["2026-11-25", "a"]);
  const chosen = walk(state, { type: "day", day: "2026-11-26" });
  assert.deepEqual(ids(chosen), ["2026-11-26", "b"]);
  assert.deepEqual(ids(walk(state, { type: "day", day: "2026-11-24" })), ["2026-11-24", "y"], "a day of the past too");
  assert.deepEqual(ids(walk(chosen, { type: "day", day: "2026-11-26" })).length, 4, "a second click shows all again");
});

test("the_week_counts_its_days_and_knows_nothing_of_a_past_that_is_not_loaded", () => {
  const state = listed(desk("a", "2026-11-25T09:00:00Z"), desk("b", "2026-11-25T10:00:00Z"), { ...desk("c", "2026-11-26T09:00:00Z"), state: "revoked" }, desk("y", "2026-11-24T09:00:00Z"));
  assert.deepEqual(weekOf(state).map(({ count }) => count), [null, null, 2, 0, 0, 0, 0]);
  const known = walk(state, { type: "page", consultations: [], past: true, last: true, ids: [] });
  assert.deepEqual(weekOf(known).map(({ count }) => count), [0, 1, 2, 0, 0, 0, 0]);
  assert.deepEqual(weekOf(state).map(({ today }) => today).indexOf(true), 2);
  assert.equal(weekOf(walk(state, { type: "week", by: 1 }))[0].day, "2026-11-30");
});

test("a_record_that_does_not_open_says_so_and_one_that_was_changed_meanwhile_is_not_mixed_up", () => {
  let state = listed({ ...desk("a", "2026-11-25T09:00:00Z"), sealed: "1.old" }, { ...desk("b", "2026-11-25T10:00:00Z"), sealed: "1.b" });
  state = walk(state, { type: "stored", desk: { ...desk("a", "2026-11-25T09:00:00Z"), sealed: "1.new", revision: 2 } });
  state = walk(state, { type: "opened", records: [{ id: "a", sealed: "1.old", facts: { ...noFacts(), name: "alt" } }, { id: "b", sealed: "1.b", facts: null }] });
  assert.deepEqual([state.entries.get("a")?.lock, state.entries.get("a")?.facts, state.entries.get("b")?.lock], ["sealed", null, "locked"]);
});

test("an_older_answer_that_comes_late_changes_nothing", () => {
  const state = walk(listed({ ...desk("a", "2026-11-25T09:00:00Z"), revision: 3 }), { type: "stored", desk: { ...desk("a", "2026-11-26T09:00:00Z"), revision: 2 } });
  assert.equal(state.entries.get("a")?.desk.revision, 3);
});

test("what_a_new_list_does_not_have_any_more_goes_and_only_with_the_last_page", () => {
  let state = listed(desk("a", "2026-11-25T09:00:00Z"), desk("b", "2026-11-25T10:00:00Z"));
  state = walk(state, { type: "page", consultations: [desk("past", "2026-11-20T09:00:00Z")], past: true, last: true, ids: ["past"] });
  assert.deepEqual([...state.entries.keys()], ["a", "b", "past"], "the past is a list of its own");
  const page = { type: "page", consultations: [desk("b", "2026-11-25T10:00:00Z")], past: false };
  assert.equal(walk(state, { ...page, last: false, ids: ["b"] }).entries.size, 3);
  assert.deepEqual([...walk(state, { ...page, last: true, ids: ["b"] }).entries.keys()], ["b", "past"]);
});

test("what_was_typed_stays_while_its_record_is_not_saved_yet", () => {
  const facts = { ...noFacts(), name: "Maria" };
  let state = walk(listed(), { type: "stored", desk: desk("a", "2026-11-25T09:00:00Z"), facts }, { type: "unsaved", id: "a" });
  state = walk(state, { type: "stored", desk: desk("a", "2026-11-25T09:00:00Z") });
  assert.deepEqual([state.entries.get("a")?.facts?.name, state.unsaved], ["Maria", ["a"]]);
  assert.deepEqual(walk(state, { type: "saved", id: "a" }).unsaved, []);
});

test("a_consultation_that_is_deleted_elsewhere_closes_its_page", () => {
  const state = walk(listed(desk("a", "2026-11-25T09:00:00Z")), { type: "go", screen: "detail", id: "a" }, { type: "gone", id: "a" });
  assert.deepEqual([state.screen, state.current, state.notice?.key], ["list", null, "detail.gone"]);
});

// ---- the form ----

test("a_new_plan_begins_at_the_next_five_minutes_or_on_the_chosen_day", () => {
  const now = walk(listed(), { type: "plan" });
  assert.deepEqual([now.draft?.values.date, now.draft?.values.time], ["2026-11-25", "09:35"]);
  const later = walk(listed(), { type: "day", day: "2026-11-27" }, { type: "plan" });
  assert.deepEqual([later.draft?.values.date, later.draft?.values.time], ["2026-11-27", ""]);
});

test("the_request_holds_no_word_of_the_patient", () => {
  const state = typed({ name: "Canary", title: "Canary", phone: "Canary", email: "Canary@example.org", note: "Canary", guests: "Canary\n\n Canary " });
  const plan = planOf(/** @type {any} */ (state.draft).values);
  assert.ok(!JSON.stringify(plan).includes("Canary"));
  assert.deepEqual(plan.seats, ["doctor", "patient", "guest", "guest"]);
  assert.equal(plan.startsAt, "2026-11-25T09:35:00");
});

test("a_field_that_cannot_be_understood_is_named", () => {
  /** @param {object} values */
  const problem = (values) => problemOf(/** @type {any} */ (typed(values).draft).values);
  assert.equal(problem({}), null);
  assert.equal(problem({ date: "" }), "date");
  assert.equal(problem({ time: "9" }), "time");
  assert.deepEqual(["4", "481", "", "7.5"].map((duration) => problem({ duration })), Array(4).fill("duration"));
  assert.equal(problem({ email: "maria" }), "email");
  assert.equal(problem({ email: " maria@example.org " }), null);
  assert.equal(problem({ guests: "a\nb\nc\nd\ne\nf\ng\nh" }), "guests");
  assert.deepEqual(labelsOf(" Dolmetscherin \n\nTochter"), ["Dolmetscherin", "Tochter"]);
});

test("past_and_overlap_and_the_clocks_are_told_and_forbid_nothing", () => {
  const others = named(listed(desk("a", "2026-11-25T09:00:00Z"), desk("b", "2026-11-25T09:20:00Z"), { ...desk("r", "2026-11-25T09:00:00Z"), state: "revoked" }), { a: "Maria Beispiel" });
  /** @param {object} values @param {State} [from] */
  const doubts = (values, from = others) => doubtsOf(typed(values, from)).map(({ key, values: { time, name } }) => [key, time, name].filter(Boolean).join(" "));
  assert.deepEqual(doubts({ time: "10:00" }), ["plan.overlap 10:00 Maria Beispiel"], "what ends when the next begins does not overlap");
  assert.deepEqual(doubts({ time: "10:10" }), ["plan.overlap 10:00 Maria Beispiel", "plan.overlapNameless 10:20"]);
  assert.deepEqual(doubts({ time: "09:00" }), ["plan.past"]);
  assert.deepEqual(doubts({ time: "11:00" }), []);
  assert.deepEqual(doubts({ date: "2027-03-28", time: "02:30" }), ["plan.skipped 02:30"]);
  assert.deepEqual(doubts({ date: "2027-10-31", time: "02:30" }), ["plan.twice 02:30"]);
  assert.deepEqual(doubts({ time: "" }), [], "an unfinished time is no reason");
});

test("a_consultation_does_not_overlap_itself", () => {
  const state = walk(listed(desk("a", "2026-11-25T09:00:00Z")), { type: "change", id: "a" });
  assert.deepEqual(doubtsOf(state), []);
});

test("a_change_says_what_changed_alone_so_the_second_of_two_equal_hours_stays", () => {
  const second = desk("a", "2026-10-25T01:30:00Z"); // 02:30, the second time
  const state = walk(listed(second), { type: "change", id: "a" }, { type: "typed", field: "note", value: "neu" });
  assert.deepEqual(changeOf(/** @type {any} */ (state.draft).values, second, BERLIN), {});
  const moved = walk(state, { type: "typed", field: "time", value: "03:00" }, { type: "typed", field: "language", value: "en" });
  assert.deepEqual(changeOf(/** @type {any} */ (moved.draft).values, second, BERLIN), { startsAt: "2026-10-25T03:00:00", language: "en" });
});

test("when_somebody_else_was_faster_nothing_typed_is_lost", () => {
  let state = named(listed(desk("a", "2026-11-25T09:00:00Z")), { a: "Maria" });
  state = walk(state, { type: "change", id: "a" }, { type: "typed", field: "note", value: "meins" }, { type: "typed", field: "time", value: "11:00" });
  const theirs = { ...desk("a", "2026-11-25T09:30:00Z"), revision: 2, durationMinutes: 30 };
  state = walk(state, { type: "stored", desk: theirs, facts: { ...noFacts(), name: "Maria Beispiel" } }, { type: "stale", id: "a" });
  const { values, base, changed, revision } = /** @type {any} */ (state.draft);
  assert.deepEqual([values.note, values.time, values.duration, values.name], ["meins", "11:00", "30", "Maria Beispiel"]);
  assert.deepEqual([base.time, revision, changed.sort()], ["10:30", 2, ["duration", "name", "time"]]);
});

test("a_copy_keeps_everything_but_the_day_and_becomes_a_consultation_of_its_own", () => {
  let state = named(listed(desk("a", "2026-11-30T09:00:00Z")), { a: "Maria" });
  state = walk(state, { type: "copy", id: "a" });
  assert.deepEqual([state.draft?.id, state.draft?.values.name, state.draft?.values.date, state.draft?.values.time], [null, "Maria", "2026-11-25", "10:00"]);
});

// ---- at the door ----

test("who_waits_is_in_order_of_arrival_and_leaves_again", () => {
  let state = listed(desk("a", "2026-11-25T09:00:00Z"), desk("b", "2026-11-25T09:20:00Z"));
  state = walk(state, { type: "waiting", ...knock("late", "b", "2026-11-25T08:20:00Z") }, { type: "waiting", ...knock("early", "a", "2026-11-25T08:10:00Z") });
  assert.deepEqual(queue(state).map((waiting) => waiting.knock), ["early", "late"]);
  state = walk(state, { type: "waiting", ...knock("late", "b", "2026-11-25T08:20:00Z") });
  assert.equal(state.waiting.length, 2, "a device that comes back is the same knock");
  state = walk(state, { type: "left", consultation: "a", knock: "early" });
  assert.deepEqual(queue(state).map((waiting) => waiting.knock), ["late"]);
  state = walk(state, { type: "state", waiting: [], calls: [{ consultation: "a", seats: [2] }] });
  assert.deepEqual([state.waiting, state.calls], [[], { a: [2] }]);
});

test("a_knock_is_announced_by_name_once_and_counted_in_silence_during_the_own_call", () => {
  let state = named(listed(desk("a", "2026-11-25T09:00:00Z"), desk("b", "2026-11-25T09:20:00Z")), { a: "Maria" });
  state = walk(state, { type: "waiting", ...knock("k", "a") });
  assert.deepEqual([state.announcement?.key, state.announcement?.values.name], ["list.knocks", "Maria"]);
  const said = state.announcement;
  state = walk(state, { type: "state", waiting: [knock("k", "a")], calls: [] });
  assert.equal(state.announcement, said, "a socket that is opened again says nothing new");
  state = walk(state, { type: "call", consultation: "a", seats: [1, 2] });
  assert.equal(inCall(state), false, "a colleague's call is not ours");
  state = walk(state, { type: "entered", id: "a" }, { type: "waiting", ...knock("l", "b") });
  assert.deepEqual([inCall(state), state.announcement, state.waiting.length], [true, said, 2]);
  state = walk(state, { type: "call", consultation: "a", seats: [2] });
  assert.equal(inCall(state), false, "the doctor has left");
});

test("a_doctors_second_device_is_no_visitor", () => {
  const state = walk(listed(desk("a", "2026-11-25T09:00:00Z")), { type: "waiting", ...knock("k", "a"), role: "doctor", seat: 1 });
  assert.deepEqual(state.waiting, []);
});

test("the_way_into_the_call_is_offered_until_the_doctor_is_there", () => {
  let state = walk(listed(desk("a", "2026-11-25T09:00:00Z")), { type: "entered", id: "a" });
  assert.equal(state.room, "a");
  state = walk(state, { type: "call", consultation: "a", seats: [2] });
  assert.notEqual(state.room, null);
  state = walk(state, { type: "call", consultation: "a", seats: [1, 2] });
  assert.equal(state.room, null);
});

/** @param {string} id @param {string} startsAt @returns {import("../../static/desk/types.js").Desk} */
function desk(id, startsAt) {
  return {
    id,
    startsAt,
    opensAt: startsAt,
    expiresAt: new Date(Date.parse(startsAt) + 24 * 3_600_000).toISOString(),
    durationMinutes: 20,
    state: "planned",
    relayedOnly: false,
    language: "de",
    sealed: null,
    revision: 1,
    sequence: 0,
    createdBy: "weber",
    seats: [{ seat: 1, role: "doctor" }, { seat: 2, role: "patient" }],
    readiness: null,
  };
}

/** @param {string} id @param {string} consultation @param {string} [since] */
function knock(id, consultation, since = "2026-11-25T08:20:00Z") {
  return { consultation, knock: id, seat: 2, role: "patient", since };
}

/** @param {import("../../static/desk/types.js").Desk[]} consultations */
function listed(...consultations) {
  return walk(initialState(), { type: "session", session, now: NOW }, { type: "page", consultations, past: false, last: true, ids: consultations.map(({ id }) => id) });
}

/** @param {State} state @param {Record<string, string>} names */
function named(state, names) {
  return Object.entries(names).reduce((so, [id, name]) => {
    const entry = so.entries.get(id);
    return walk(so, { type: "stored", desk: entry?.desk, facts: { ...noFacts(), name } });
  }, state);
}

/** @param {object} values @param {State} [from] */
function typed(values, from = listed()) {
  return Object.entries(values).reduce((state, [field, value]) => walk(state, { type: "typed", field, value }), walk(from, { type: "plan" }));
}

/** @param {State} state */
function ids(state) {
  return rowsOf(state).map(({ id }) => id);
}

/** @param {State} state @param {Action[]} actions */
function walk(state, ...actions) {
  return actions.reduce(reduce, state);
}
