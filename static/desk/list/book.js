/**
 * The consultations between the server and this browser: loads them page by page, opens their records in slices, so that
 * the page stays fluent, and brings changes to the server. Codes are told once, when they are made: a record that does not
 * arrive is kept, sealed, until it does.
 */

import { base64url } from "../../shared/seal.js";
import { openRecord, sealRecord, versionOf } from "../../shared/vault.js";
import { call } from "../api.js";
import { changeOf, factsOf, labelsOf, noFacts, planOf } from "./draft.js";
import { keepDraft, keepUnsaved, keptDraft, unsaved } from "./kept.js";

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Desk} Desk */
/** @typedef {import("./types.js").Facts} Facts */
/** @typedef {import("./types.js").Draft} Draft */
/** @typedef {import("./types.js").Values} Values */
/** @typedef {import("../types.js").Vault} Vault */
/** @typedef {(facts: Facts) => Facts} Change */

/** The first page is for the eye, the others for the search. */
const FIRST_PAGE = 100;
const PAGE = 1000;
/** So many records are opened before the page gets its turn. */
const SLICE = 100;
/** So often a record that others change at the same time is tried. */
const TRIES = 4;
const SECRET_BYTES = 16;

export class Book {
  /** Replaced when the practice's key changes. @type {Vault} */
  vault;
  #state;
  #tell;
  /** Records that wait to be opened. @type {Desk[]} */
  #closed = [];
  #opening = false;
  /** Consultations that wait to be read anew. @type {Set<string>} */
  #outdated = new Set();
  #reading = false;
  /** What lists that are being loaded have told so far. @type {Set<Set<string>>} */
  #loading = new Set();
  /** Changes of records, one after the other. @type {Promise<unknown>} */
  #turn = Promise.resolve();

  /** @param {Vault} vault @param {() => State} state @param {(action: Action) => void} tell */
  constructor(vault, state, tell) {
    this.vault = vault;
    this.#state = state;
    this.#tell = (/** @type {Action} */ action) => {
      // What is planned while the list is loaded may belong to a page that is here already.
      if (action.type === "stored") for (const ids of this.#loading) ids.add(action.desk.id);
      tell(action);
    };
  }

  // ---- reading ----

  /** The first page of what is coming, for the eye: it may be outdated already. @param {any} answer */
  show({ consultations }) {
    this.#tell({ type: "page", consultations, past: false, last: false, ids: [] });
    this.#open(consultations);
  }

  /** @param {boolean} past */
  async load(past) {
    /** @type {Set<string>} */
    const ids = new Set();
    this.#loading.add(ids);
    try {
      for (let answer = await page(past); ; ) {
        const { consultations, next } = answer;
        for (const { id } of consultations) ids.add(id);
        const following = next && page(past, next); // comes while these are drawn and opened
        this.#tell({ type: "page", consultations, past, last: !next, ids: [...ids] });
        this.#open(consultations);
        if (!following) return;
        answer = await following;
      }
    } finally {
      this.#loading.delete(ids);
    }
  }

  /** One that was changed, by whomever. @param {string} id */
  async update(id) {
    this.#outdated.add(id);
    if (this.#reading) return;
    this.#reading = true;
    try {
      for (const next of this.#outdated) {
        this.#outdated.delete(next);
        await this.#read(next);
      }
    } finally {
      this.#reading = false;
    }
  }

  /** Tries again what no key fitted. */
  reopen() {
    this.#open([...this.#state().entries.values()].filter(({ lock }) => lock === "locked").map(({ desk }) => desk));
  }

  // ---- planning ----

  /** @param {Values} values @returns {Promise<{ id: string, note: boolean }>} */
  async create(values) {
    return this.#create(planOf(values), values);
  }

  /** For now, with nothing known of the patient. @returns {Promise<string>} */
  async now() {
    const { id } = await this.#create({}, {});
    return id;
  }

  /**
   * Fails with #stale where somebody else was faster; what they changed is known then.
   * @param {Draft} draft
   * @returns {Promise<{ moved: boolean }>}
   */
  async change({ id, values, revision }) {
    const { desk, facts, lock } = await this.#known(String(id));
    const changed = lock === "locked" ? null : factsOf(facts ?? noFacts(), values);
    const times = changeOf(values, desk, this.#state().practice.timeZone);
    const sealed = changed && { sealed: await this.#seal(desk.id, changed) };
    try {
      const answer = await call("PATCH", `consultations/${id}`, { ...times, ...sealed, revision });
      this.#tell({ type: "stored", desk: answer.consultation, facts: changed });
      return { moved: "startsAt" in times };
    } catch (problem) {
      if (kindOf(problem) === "stale") await this.#read(desk.id);
      throw problem;
    }
  }

  /**
   * Changes what is known, whatever others change at the same time.
   * @param {string} id
   * @param {Change} change
   */
  async amend(id, change) {
    const { desk, facts, lock } = await this.#known(id);
    if (lock === "locked") throw new Error("what cannot be read is not written over");
    const changed = change(facts ?? noFacts());
    this.#tell({ type: "stored", desk, facts: changed });
    await this.#save(id, changed, change);
  }

  /** @param {string} id @param {string} label */
  async addGuest(id, label) {
    const told = await call("POST", `consultations/${id}/seats`, { role: "guest" });
    await this.#told(id, told, label);
  }

  /** @param {string} id @param {number} seat */
  async reissue(id, seat) {
    await this.#told(id, await call("POST", `consultations/${id}/seats/${seat}/reissue`));
  }

  /** @param {string} id @param {number} seat */
  async remove(id, seat) {
    await call("DELETE", `consultations/${id}/seats/${seat}`);
    await this.#read(id);
  }

  /** @param {string} id */
  async cancel(id) {
    await call("POST", `consultations/${id}/cancel`);
    await this.#read(id);
  }

  /** @param {string} id */
  async delete(id) {
    await call("DELETE", `consultations/${id}`);
    keepUnsaved(this.#practice, id, null);
    this.#tell({ type: "gone", id });
  }

  /** A fresh code of the doctor's seat, with the links' secret. @param {string} id @returns {Promise<import("../../shared/room.js").Handed>} */
  async enter(id) {
    const { code } = await call("POST", `consultations/${id}/enter`);
    return { consultation: id, code, secret: (await this.#known(id)).facts?.secret ?? null };
  }

  // ---- what did not arrive ----

  /** Records that an earlier life of this page could not save. */
  async restore() {
    for (const [id, sealed] of Object.entries(unsaved(this.#practice))) {
      const mine = await this.#unseal(id, sealed);
      await this.#read(id);
      const entry = this.#state().entries.get(id);
      if (!entry) keepUnsaved(this.#practice, id, null); // it is gone
      if (!entry || !mine) continue;
      this.#tell({ type: "stored", desk: entry.desk, facts: over(mine)(entry.facts ?? noFacts()) });
      this.#tell({ type: "unsaved", id });
    }
    await this.retry();
  }

  async retry() {
    for (const id of this.#state().unsaved) {
      const { facts } = this.#entry(id);
      if (facts) await this.#save(id, facts, over(facts));
    }
  }

  /** What was typed outlives a reload and a session's end. @param {Draft | null} draft */
  async keepDraft(draft) {
    keepDraft(draft && (await sealRecord(this.vault.current, `${this.#practice}|draft`, { ...draft })));
  }

  async restoreDraft() {
    const sealed = keptDraft();
    const key = sealed && this.vault.keys.get(versionOf(sealed));
    const draft = key && (await openRecord(key, `${this.#practice}|draft`, sealed).catch(() => null));
    if (draft) this.#tell({ type: "set", change: { draft } });
  }

  // ---- inside ----

  get #practice() {
    return this.vault.practice.id;
  }

  /** @param {string} id */
  #entry(id) {
    const entry = this.#state().entries.get(id);
    if (!entry) throw new Error(`no consultation ${id}`);
    return entry;
  }

  /** With its record opened, if it can be. @param {string} id */
  async #known(id) {
    const { desk, lock } = this.#entry(id);
    if (lock === "sealed") {
      const facts = await this.#unseal(id, String(desk.sealed));
      this.#tell({ type: "opened", records: [{ id, sealed: desk.sealed, facts }], left: this.#closed.length });
    }
    return this.#entry(id);
  }

  /** @param {object} plan @param {Partial<Values>} values  as far as something is known */
  async #create(plan, values) {
    const { consultation, codes, note } = await call("POST", "consultations", plan);
    const { id } = consultation;
    const labels = labelsOf(values.guests ?? "");
    const guests = consultation.seats.filter((/** @type {any} */ { role }) => role === "guest");
    /** @type {Facts} */
    const facts = {
      ...factsOf(noFacts(), values),
      secret: base64url(crypto.getRandomValues(new Uint8Array(SECRET_BYTES))),
      codes: Object.fromEntries(codes.map((/** @type {any} */ { seat, code }) => [seat, code])),
      labels: Object.fromEntries(guests.map((/** @type {any} */ { seat }, /** @type {number} */ at) => [seat, labels[at] ?? ""])),
    };
    this.#tell({ type: "stored", desk: consultation, facts });
    await this.#save(id, facts, over(facts));
    return { id, note: Boolean(note) };
  }

  /** A code was made: it goes into the record. @param {string} id @param {{ seat: number, code: string }} told @param {string} [label] */
  async #told(id, { seat, code }, label) {
    /** @type {Change} */
    const change = (facts) => ({
      ...facts,
      codes: { ...facts.codes, [seat]: code },
      ...(label === undefined ? {} : { labels: { ...facts.labels, [seat]: label } }),
    });
    await this.amend(id, change); // first of all: the code is told this once
    await this.#read(id);
  }

  /** @param {string} id */
  async #read(id) {
    try {
      this.#tell({ type: "stored", desk: await call("GET", `consultations/${id}`) });
      await this.#known(id);
    } catch (problem) {
      if (kindOf(problem) !== "not-found") throw problem;
      this.#tell({ type: "gone", id });
    }
  }

  /**
   * Seals what is known and brings it to the server. What does not arrive is kept and told.
   * @param {string} id
   * @param {Facts} facts
   * @param {Change} change  once more, on what somebody else wrote meanwhile
   */
  #save(id, facts, change) {
    this.#turn = this.#turn.then(() => this.#bring(id, facts, change));
    return this.#turn;
  }

  /** @param {string} id @param {Facts} facts @param {Change} change */
  async #bring(id, facts, change) {
    try {
      for (let tries = TRIES; ; tries--) {
        const sealed = await this.#seal(id, facts);
        keepUnsaved(this.#practice, id, sealed);
        const answer = await call("PATCH", `consultations/${id}`, { sealed, revision: this.#entry(id).desk.revision }).catch((problem) => {
          if (kindOf(problem) !== "stale" || tries === 0) throw problem;
        });
        if (answer) {
          this.#tell({ type: "stored", desk: answer.consultation, facts });
          break;
        }
        const desk = await call("GET", `consultations/${id}`);
        facts = change((desk.sealed && (await this.#unseal(id, desk.sealed))) ?? noFacts());
        this.#tell({ type: "stored", desk, facts });
      }
      keepUnsaved(this.#practice, id, null);
      this.#tell({ type: "saved", id });
    } catch (problem) {
      if (kindOf(problem) === "not-found") {
        keepUnsaved(this.#practice, id, null);
        this.#tell({ type: "gone", id });
      } else {
        this.#tell({ type: "unsaved", id });
      }
    }
  }

  /** @param {Desk[]} desks */
  async #open(desks) {
    this.#closed.push(...desks.filter(({ sealed }) => sealed !== null));
    if (this.#opening) return;
    this.#opening = true;
    while (this.#closed.length > 0) {
      const slice = this.#closed.splice(0, SLICE).filter(({ id }) => this.#state().entries.get(id)?.lock !== "open");
      const records = await Promise.all(slice.map(async ({ id, sealed }) => ({ id, sealed, facts: await this.#unseal(id, String(sealed)) })));
      this.#tell({ type: "opened", records, left: this.#closed.length });
      await new Promise((resolve) => setTimeout(resolve));
    }
    this.#opening = false;
  }

  /** @param {string} id @param {Facts} facts */
  #seal(id, facts) {
    return sealRecord(this.vault.current, `${this.#practice}|${id}`, { ...facts });
  }

  /** @param {string} id @param {string} sealed @returns {Promise<Facts | null>} */
  async #unseal(id, sealed) {
    const key = this.vault.keys.get(versionOf(sealed));
    const record = key && (await openRecord(key, `${this.#practice}|${id}`, sealed).catch(() => null)); // a record of no JSON is none
    return record ? { ...noFacts(), ...record } : null;
  }
}

/** What was typed here goes over what stands there. @param {Facts} mine @returns {Change} */
function over(mine) {
  return (theirs) => ({
    ...theirs,
    ...mine,
    codes: { ...theirs.codes, ...mine.codes },
    labels: { ...theirs.labels, ...mine.labels },
  });
}

/** @param {boolean} past @param {string} [after] */
export function page(past, after) {
  const query = new URLSearchParams({ past: String(past), limit: String(after ? PAGE : FIRST_PAGE), ...(after ? { after } : {}) });
  return call("GET", `consultations?${query}`);
}

/** @param {unknown} problem */
function kindOf(problem) {
  return /** @type {Partial<import("../api.js").Problem>} */ (problem).kind;
}
