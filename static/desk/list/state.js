/**
 * Everything the desk's list knows, as plain data (`types.d.ts`), and how it changes (`reduce` is pure). `shown.js` picks
 * what is to be seen, `words-of.js` puts it into words, `view.js` draws it; `main.js` wires; `samples.js` has an example of
 * every screen and every trouble.
 */

import { blank, copyOf, merged, valuesOf } from "./draft.js";
import { textOf } from "./search.js";
import { isOn } from "./shown.js";
import { dayOf, mondayOf, plusDays } from "./zone.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Entry} Entry */
/** @typedef {import("./types.js").Desk} Desk */
/** @typedef {import("./types.js").Waiting} Waiting */

/** So many consultations that this browser has entered are remembered. */
const ENTERED_MOST = 20;
const MINUTE_MS = 60_000;

/** @returns {State} */
export function initialState() {
  return {
    screen: "opening",
    language: "de",
    now: 0,
    user: { short: "", role: "staff" },
    practice: { id: "", name: "", phone: null, timeZone: "Europe/Berlin" },
    mail: false,
    entries: new Map(),
    loaded: { coming: false, past: false },
    opening: false,
    past: false,
    query: "",
    week: "",
    day: null,
    waiting: [],
    calls: {},
    live: "opening",
    sound: true,
    hushed: false,
    entered: [],
    current: null,
    fresh: false,
    draft: null,
    dialog: "none",
    seat: null,
    busy: null,
    room: null,
    unsaved: [],
    notice: null,
    problem: null,
    announcement: null,
  };
}

/** @param {State} state @param {Action} action @returns {State} */
export function reduce(state, action) {
  return REACTIONS[action.type]?.(state, action) ?? state;
}

/** @type {Record<string, (state: State, action: Action) => State>} */
const REACTIONS = {
  set: (state, { change }) => ({ ...state, ...change }),
  tick: (state, { now }) => ({ ...state, now }),
  session(state, { session: { practice, user, mail }, now }) {
    return { ...state, practice, user, mail, now, week: mondayOf(dayOf(practice.timeZone, now)) };
  },

  // ---- the consultations ----

  /** A page of the list; with the last one, what is not in the list any more goes. */
  page(state, { consultations, past, last, ids }) {
    const entries = new Map(state.entries);
    for (const desk of consultations) {
      const known = entries.get(desk.id);
      if (!isOlder(desk, known)) entries.set(desk.id, entryOf(desk, known, state));
    }
    const told = last && new Set(ids);
    for (const [id, { desk }] of told ? entries : []) {
      if (!told.has(id) && (Date.parse(desk.expiresAt) <= state.now) === past && !state.unsaved.includes(id)) entries.delete(id);
    }
    const loaded = last ? { ...state.loaded, [past ? "past" : "coming"]: true } : state.loaded;
    const screen = state.screen === "opening" ? "list" : state.screen;
    const opening = state.opening || consultations.some((/** @type {Desk} */ { id }) => entries.get(id)?.lock === "sealed");
    return { ...state, entries, loaded, screen, opening };
  },
  opened(state, { records, left = 0 }) {
    const entries = new Map(state.entries);
    for (const { id, sealed, facts } of records) {
      const entry = entries.get(id);
      if (entry && entry.desk.sealed === sealed) entries.set(id, { ...entry, facts, lock: facts ? "open" : "locked", text: textOf(facts) });
    }
    return { ...state, entries, opening: left > 0 };
  },
  /** One consultation as it is now; `facts` where they are known already, because they were sealed here. */
  stored(state, { desk, facts }) {
    const known = state.entries.get(desk.id);
    if (isOlder(desk, known)) return state;
    /** @type {Entry} */
    const entry = { ...entryOf(desk, known, state), ...(facts ? { facts, lock: "open", text: textOf(facts) } : {}) };
    return { ...state, entries: new Map(state.entries).set(desk.id, entry) };
  },
  gone(state, { id }) {
    if (!state.entries.has(id)) return state;
    const entries = new Map(state.entries);
    entries.delete(id);
    const waiting = state.waiting.filter(({ consultation }) => consultation !== id);
    const unsaved = state.unsaved.filter((other) => other !== id);
    const rest = { ...state, entries, waiting, unsaved };
    if (state.current !== id) return rest;
    return { ...rest, screen: "list", current: null, draft: null, dialog: "none", notice: { key: "detail.gone", values: {} } };
  },
  unsaved: (state, { id }) => (state.unsaved.includes(id) ? state : { ...state, unsaved: [...state.unsaved, id] }),
  saved: (state, { id }) => ({ ...state, unsaved: state.unsaved.filter((other) => other !== id) }),

  // ---- what is shown ----

  /** To another screen. A draft waits where it is, for whoever comes back. */
  go(state, { screen, id = null, fresh = false }) {
    return { ...state, screen, current: id, fresh, dialog: "none", seat: null, problem: null };
  },
  search: (state, { query }) => ({ ...state, query }),
  past: (state, { on }) => ({ ...state, past: on, day: null }),
  day(state, { day }) {
    return { ...state, day: state.day === day ? null : day };
  },
  week: (state, { by }) => ({ ...state, week: plusDays(state.week, 7 * by) }),
  thisWeek: (state) => ({ ...state, week: mondayOf(dayOf(state.practice.timeZone, state.now)), day: null }),
  dialog: (state, { dialog, seat = null }) => ({ ...state, dialog, seat, problem: null }),

  // ---- the form ----

  plan(state) {
    return begun(state, "plan", null, () => blank(state));
  },
  copy(state, { id }) {
    const entry = state.entries.get(id);
    return entry ? begun(state, `copy=${id}`, null, () => copyOf(entry, state)) : state;
  },
  change(state, { id }) {
    const entry = state.entries.get(id);
    return entry ? begun(state, `change=${id}`, entry, () => valuesOf(entry, state.practice.timeZone)) : state;
  },
  discard: (state) => ({ ...state, draft: null }),
  typed(state, { field, value }) {
    if (!state.draft) return state;
    const problem = state.draft.problem === field ? null : state.draft.problem;
    return { ...state, draft: { ...state.draft, problem, values: { ...state.draft.values, [field]: value } } };
  },
  misread: (state, { field }) => (state.draft ? { ...state, draft: { ...state.draft, problem: field } } : state),
  /** Somebody else was faster: nothing typed is lost. */
  stale(state, { id }) {
    const entry = state.entries.get(id);
    if (!entry || !state.draft || state.draft.id !== id) return state;
    const theirs = valuesOf(entry, state.practice.timeZone);
    const { values, changed } = merged(state.draft, theirs);
    const draft = { ...state.draft, base: theirs, values, changed, revision: entry.desk.revision, problem: null };
    return { ...state, draft, busy: null };
  },

  // ---- what is under way ----

  busy: (state, { what }) => ({ ...state, busy: what, problem: null }),
  done: (state) => ({ ...state, busy: null }),
  failed: (state, { key, values = {} }) => ({ ...state, busy: null, problem: { key, values } }),
  notice: (state, { key, values = {} }) => ({ ...state, notice: { key, values } }),
  entered(state, { id }) {
    const entered = [id, ...state.entered.filter((other) => other !== id)].slice(0, ENTERED_MOST);
    return { ...state, busy: null, entered, room: id };
  },

  // ---- live (docs/protocol.md "Live") ----

  live: (state, { live }) => ({ ...state, live }),
  state(state, { waiting, calls }) {
    const taken = Object.fromEntries(calls.map((/** @type {any} */ { consultation, seats }) => [consultation, seats]));
    return welcomed({ ...state, waiting: waiting.filter(atTheDoor), calls: taken }, state.waiting);
  },
  waiting(state, { type: _, ...knock }) {
    if (!atTheDoor(knock)) return state;
    const others = state.waiting.filter((other) => other.knock !== knock.knock);
    return welcomed({ ...state, waiting: [...others, /** @type {Waiting} */ (knock)] }, state.waiting);
  },
  left: (state, { knock }) => ({ ...state, waiting: state.waiting.filter((other) => other.knock !== knock) }),
  call(state, { consultation, seats }) {
    const { [consultation]: _, ...others } = state.calls;
    const calls = seats.length > 0 ? { ...others, [consultation]: seats } : others;
    const arrived = state.room === consultation && doctorIn({ ...state, calls }, consultation);
    return { ...state, calls, room: arrived ? null : state.room };
  },
};

/** Whether the user sits in a call: then a knock is counted in silence (R08). @param {State} state */
export function inCall(state) {
  return state.entered.some((id) => doctorIn(state, id));
}

/** A knock's name, where the record tells it. @param {State} state @param {Waiting} waiting */
export function waitingName({ entries }, { consultation, seat, role }) {
  const facts = entries.get(consultation)?.facts;
  return (role === "patient" ? facts?.name : facts?.labels[seat]) || null;
}

/** Who has waited longest comes first. @param {State} state */
export function queue({ waiting }) {
  return [...waiting].sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
}

/** @param {State} state @param {string} id */
function doctorIn(state, id) {
  if (!isOn(state, id)) return false;
  const doctors = state.entries.get(id)?.desk.seats.filter(({ role }) => role === "doctor").map(({ seat }) => seat) ?? [];
  return doctors.some((seat) => state.calls[id].includes(seat));
}

/** A doctor's second device is no visitor. @param {any} waiting */
function atTheDoor({ role }) {
  return role !== "doctor";
}

/** Says who is new at the door, unless the user sits in a call. @param {State} state @param {Waiting[]} before */
function welcomed(state, before) {
  const known = new Set(before.map(({ knock }) => knock));
  const newcomer = state.waiting.find(({ knock }) => !known.has(knock));
  if (!newcomer || inCall(state)) return state;
  const name = waitingName(state, newcomer);
  return { ...state, announcement: { key: name ? "list.knocks" : "list.somebodyKnocks", values: { name: name ?? "" } } };
}

/** Answers come in any order. @param {Desk} desk @param {Entry | undefined} known */
function isOlder(desk, known) {
  return known !== undefined && known.desk.revision > desk.revision;
}

/**
 * @param {Desk} desk
 * @param {Entry | undefined} known
 * @param {State} state
 * @returns {Entry}
 */
function entryOf(desk, known, { practice }) {
  const start = Date.parse(desk.startsAt);
  const times = { desk, day: dayOf(practice.timeZone, start), start, end: start + desk.durationMinutes * MINUTE_MS };
  if (known && known.desk.sealed === desk.sealed) return { ...known, ...times };
  return { ...times, facts: null, lock: desk.sealed === null ? "none" : "sealed", text: "" };
}

/**
 * @param {State} state
 * @param {string} place
 * @param {Entry | null} entry  that is changed
 * @param {() => import("./types.js").Values} make
 * @returns {State}
 */
function begun(state, place, entry, make) {
  const { draft: waiting } = state;
  const touched = waiting && Object.keys(waiting.values).some((field) => waiting.values[/** @type {import("./types.js").Field} */ (field)] !== waiting.base[/** @type {import("./types.js").Field} */ (field)]);
  if (touched && waiting.place === place) return state;
  const values = make();
  const draft = { place, id: entry?.desk.id ?? null, base: values, values, revision: entry?.desk.revision ?? 0, problem: null, changed: [] };
  return { ...state, draft };
}
