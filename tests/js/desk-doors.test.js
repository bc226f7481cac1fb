/** The doors of the desk as their pages know them: what is typed, what is refused, who gets the next key, what the trail tells. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { check as checkPractice, initialState, isOther, lacks, reduce, sectionsFor, shownFor } from "../../static/desk/practice/state.js";
import { auditSentence, stayingNames } from "../../static/desk/practice/words-of.js";
import { STATES } from "../../static/desk/practice/samples.js";
import { consults, keeps } from "../../static/desk/roles.js";
import { check } from "../../static/desk/sign-in/state.js";
import words from "../../static/desk/words/practice.de.js";
import { sentenceOf } from "../../static/desk/words.js";

const page = /** @type {any} */ (globalThis);
/** What the server answers, and where the page went. */
const world = { answer: /** @type {() => Response | Promise<Response>} */ (() => new Response()), asked: /** @type {any[]} */ ([]), went: /** @type {string[]} */ ([]), kept: new Map() };
page.sessionStorage = { getItem: (/** @type {string} */ key) => world.kept.get(key) ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ value) => world.kept.set(key, value), removeItem: (/** @type {string} */ key) => world.kept.delete(key) };
page.location = { pathname: "/desk/practice.html", search: "", hash: "#people", replace: (/** @type {string} */ url) => world.went.push(url) };
page.fetch = async (/** @type {string} */ url, /** @type {RequestInit} */ options) => {
  world.asked.push({ url, ...options });
  return world.answer();
};
const { Problem, call, comeBack, keepToken } = await import("../../static/desk/api.js");

beforeEach(() => {
  Object.assign(world, { asked: [], went: [] });
  world.kept.clear();
});

/** @param {number} status @param {string} kind @param {Record<string, string>} [headers] */
function refusal(status, kind, headers = {}) {
  return () => new Response(JSON.stringify({ type: `#${kind}`, title: "", status, detail: "So nicht." }), { status, headers });
}

/** @param {Promise<unknown>} what @returns {Promise<InstanceType<typeof Problem>>} */
async function refused(what) {
  return what.then(() => assert.fail("it was not refused"), (error) => (assert.ok(error instanceof Problem), error));
}

test("a_call_bears_the_tabs_token_and_knows_an_empty_answer", async () => {
  world.answer = () => new Response(JSON.stringify({ salt: "x" }));
  await call("POST", "salt", { practice: "p", user: "u" });
  keepToken("geheim");
  world.answer = () => new Response(null, { status: 204 });
  assert.equal(await call("PATCH", "", { name: "n" }), undefined);
  assert.deepEqual(world.asked.map(({ url, headers }) => [url, headers.authorization]), [["/api/practice/salt", undefined], ["/api/practice", "Bearer geheim"]]);
});

test("what_is_refused_says_its_kind_and_when_to_come_again", async () => {
  world.answer = refusal(429, "too-many", { "retry-after": "61" });
  const { status, kind, detail, retryAfter } = await refused(call("POST", "sign-in", {}));
  assert.deepEqual({ status, kind, detail, retryAfter }, { status: 429, kind: "too-many", detail: "So nicht.", retryAfter: 61 });
  world.answer = () => new Response("<h1>Bad Gateway</h1>", { status: 502 });
  assert.equal((await refused(call("GET", "me"))).kind, "server");
  world.answer = () => Promise.reject(new TypeError("Failed to fetch"));
  assert.equal((await refused(call("GET", "me"))).kind, "network");
});

test("a_session_that_ended_leads_to_the_sign_in_page_and_back_again", async () => {
  keepToken("geheim");
  world.answer = refusal(401, "session");
  await refused(call("GET", "users"));
  await null;
  assert.deepEqual(world.went, ["/desk/sign-in.html#ended"]);
  assert.equal(world.kept.has("visavis.desk.token"), false);
  comeBack();
  assert.equal(world.went[1], "/desk/practice.html#people");
});

test("names_passwords_and_recovery_keys_are_looked_at_before_the_server_is_asked", () => {
  const right = { practice: " Markt12 ", user: "dr.müller", password: "x" };
  assert.equal(check(right), null);
  /** @type {[Record<string, string>, string, string][]} */
  const wrong = [
    [{ ...right, practice: "" }, "entry.practiceMissing", "practice"],
    [{ ...right, user: "a b" }, "entry.userOdd", "user"],
    [{ ...right, password: "" }, "password.missing", "password"],
    [{ ...right, password: "x".repeat(1025) }, "password.long", "password"],
    [{ workplace: " " }, "entry.workplaceMissing", "workplace"],
    [{ recovery: "K7QF" }, "entry.code-length", "recovery"],
    [{ fresh: "kurz", again: "kurz" }, "password.short", "fresh"],
    [{ fresh: "lang genug", again: "lang genüg" }, "password.differs", "again"],
    [{ initial: "", fresh: "lang genug", again: "lang genug" }, "password.missing", "initial"],
  ];
  for (const [values, key, field] of wrong) {
    const found = check(values);
    assert.deepEqual([found?.key, found?.field], [key, field]);
  }
  assert.equal(check({ fresh: "ü".repeat(1024), again: "ü".repeat(1024) }), null);
  assert.equal(checkPractice({ retentionDays: "89" }), null);
  for (const days of ["0", "90", "1.5", ""]) assert.equal(checkPractice({ retentionDays: days })?.field, "retentionDays");
});

test("a_refusal_is_said_as_the_form_knows_it_or_as_every_page_does", () => {
  const many = new Problem(429, "too-many", "", 200);
  assert.deepEqual(sentenceOf(many), { key: "trouble.tooMany", values: { minutes: "4", detail: "" } });
  assert.equal(sentenceOf(many, { "too-many": "entry.tooMany" }).key, "entry.tooMany");
  assert.equal(sentenceOf(new Problem(422, "invalid", "name: so nicht", null)).key, "trouble.refused");
  assert.equal(sentenceOf(new Problem(503, "store", "", null)).key, "trouble.server");
  assert.equal(sentenceOf(new Problem(503, "no-space", "", null)).key, "trouble.noSpace");
  assert.equal(sentenceOf(new TypeError("unforeseen")).key, "trouble.server");
});

test("the_next_key_is_for_all_who_stay_and_for_released_workplaces_alone", () => {
  const { state } = STATES.find(({ name }) => name === "people") ?? assert.fail();
  const left = shownFor(state, "withdrawUser", "u2");
  assert.deepEqual([left.users.map(({ id }) => id), left.workplaces.map(({ id }) => id)], [["u1", "u3"], ["w1", "w3"]]);
  assert.deepEqual(shownFor(state, "withdrawPlace", "w3").workplaces.map(({ id }) => id), ["w1"]);
  assert.equal(stayingNames(shownFor(state, "withdrawPlace", "w3"), { ...words, locale: "de-DE" }), "Personen: aushilfe, dr.yilmaz, weber. Arbeitsplätze: Empfang.");
  assert.deepEqual(state.users.map((user) => lacks(state, user)), [[], [2], []]);
});

test("keys_are_for_the_rows_that_a_question_named_and_another_key_under_a_known_number_or_name_is_told", () => {
  const { state } = STATES.find(({ name }) => name === "people") ?? assert.fail();
  /** @param {Partial<import("../../static/desk/practice/types.js").State>} lists */
  const told = (lists) => reduce(known, { type: "loaded", ...lists });
  const known = reduce({ ...state, seen: {} }, { type: "loaded", users: state.users, workplaces: state.workplaces });
  const [, doctor] = known.users;
  const [waits, released] = known.workplaces;
  assert.deepEqual([...known.users, ...known.workplaces].filter(({ id }) => isOther(known, id)), []);

  const asked = reduce(known, { type: "dialog", kind: "withdrawUser", id: "u3" });
  const later = reduce(asked, { type: "loaded", users: [...known.users, { ...doctor, id: "u9", short: "geist" }], workplaces: known.workplaces });
  assert.deepEqual(later.dialog?.holders, asked.dialog?.holders, "what comes after the question is not in its answer");
  assert.deepEqual(reduce(later, { type: "askAgain" }).dialog?.holders.users.map(({ id }) => id), ["u1", "u2", "u9"]);

  const swapped = told({ users: known.users.map((one) => (one === doctor ? { ...one, publicKey: "other" } : one)) });
  assert.deepEqual([...swapped.users, ...swapped.workplaces].filter(({ id }) => isOther(swapped, id)).map(({ id }) => id), ["u2"]);
  const sure = reduce(swapped, { type: "confirmed", rows: swapped.users });
  assert.equal(isOther(sure, "u2"), false);
  assert.equal(isOther(told({ workplaces: [{ ...waits, id: "w9", publicKey: "other" }, released] }), "w9"), true, "another row of the same name");
  assert.equal(isOther(told({ workplaces: [waits, { ...waits, id: "w9", publicKey: "other" }] }), "w9"), false, "two of one name");
  assert.equal(isOther(told({ workplaces: [{ ...released, id: "w9", publicKey: "other" }] }), "w9"), false, "a released one may be renamed");
});

test("each_role_sees_what_it_may_use", () => {
  assert.deepEqual(["doctor", "staff", "admin", "head"].map((role) => [keeps(/** @type {any} */ (role)), consults(/** @type {any} */ (role))]), [[false, true], [false, false], [true, false], [true, true]]);
  assert.equal(sectionsFor("staff").includes("audit"), false);
  const { session } = STATES.find(({ name }) => name === "people-staff")?.state ?? assert.fail();
  assert.equal(reduce({ ...initialState(), section: "audit" }, { type: "entered", session, held: [] }).section, "workplaces");
});

test("what_is_shown_once_stays_until_it_is_put_away_and_is_then_forgotten", () => {
  let state = reduce(initialState(), { type: "dialog", kind: "newUser" });
  state = reduce(state, { type: "busy" });
  state = reduce(state, { type: "dialog", kind: "initial", name: "team", secret: "k7qf-3xm2-9tda" });
  state = reduce(state, { type: "done" });
  assert.equal(state.dialog?.secret, "k7qf-3xm2-9tda");
  state = reduce(state, { type: "closeDialog" });
  assert.equal(JSON.stringify(state).includes("k7qf"), false);
});

test("a_line_of_the_trail_is_a_sentence_even_if_it_is_new", () => {
  assert.equal(auditSentence({ id: "1", at: "", actor: "-", what: "rescue-link", about: "weber" }, words), "Der Server hat einen Link für ein neues Passwort von weber ausgestellt");
  assert.equal(auditSentence({ id: "1", at: "", actor: "weber", what: "danced", about: "alone" }, words), "weber: danced alone");
});
