/**
 * What the practice's page does: each form and each button that asks the server, and how it says what is refused. Whatever is secret is
 * made and sealed here, before it leaves the browser.
 */

import { newInitialPassword } from "../../shared/code.js";
import { save } from "../../shared/dom.js";
import { openRecord, versionOf } from "../../shared/vault.js";
import { call } from "../api.js";
import { changePassword, changeRecovery, makeUser, namesOf, openOwn, rotation, sealAll } from "../keys.js";
import * as passkeys from "../passkeys.js";
import { forgetPlace } from "../places.js";
import { signOut } from "../session.js";

/** @typedef {import("../types.js").Session} Session */
/** @typedef {import("../types.js").Vault} Vault */
/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Trouble} Trouble */
/**
 * What an act is done with: `values` as typed, `id` and `name` of whom or what it is about.
 * @typedef {object} Deed
 * @property {Record<string, string>} values
 * @property {string} id
 * @property {string} name
 * @property {import("./types.js").Holders} holders  for whom keys are sealed, with the keys that were on the screen; nobody else is
 * @property {Session} session
 * @property {Vault | null} vault
 * @property {() => State} state
 * @property {() => Promise<void>} load        the lists, anew
 * @property {() => Promise<Session>} renew    session, vault and lists, anew
 * @property {() => Promise<boolean>} knows    whether this browser knows the own keys; fails where `holders` have others
 * @property {(rows: import("./types.js").Row[]) => void} confirm  these keys are the ones from now on
 * @property {(dialog: object) => void} show   another dialog
 * @property {(key: string, values?: Record<string, string>) => void} tell  a sentence that passes
 */
/** @typedef {{ known?: Record<string, string | [string, string]>, act: (deed: Deed) => Promise<void> }} Act */

/** What the page itself finds wrong. */
export class Wrong extends Error {
  /** @param {string} key @param {string | null} [field] */
  constructor(key, field = null) {
    super(key);
    /** @type {Trouble} */
    this.trouble = { key, values: {}, field };
  }
}

/** What changed under one's hands: the page shows the lists anew. */
const STALE = { recipients: "practice.changed", "not-found": "practice.changed" };
const WRONG = { "sign-in": /** @type {[string, string]} */ (["own.wrong", "password"]) };

/** @type {Record<string, Act>} */
export const ACTS = {
  // ---- workplaces ----
  release: {
    known: STALE,
    async act({ id, holders: { workplaces: [workplace] }, vault, state, confirm, load, tell }) {
      if (!vault || !workplace) throw new Wrong("practice.keyless");
      if (!(workplace.publicKey in state().checkWords)) throw new Wrong("practice.changed"); // its words were not there to compare
      await call("POST", `workplaces/${id}/release`, { keys: await sealAll(vault.keys.values(), workplace.publicKey) });
      confirm([workplace]);
      await load();
      tell("workplaces.releasedNow");
    },
  },
  refuse: {
    known: STALE,
    async act({ id, load, tell }) {
      await call("POST", `workplaces/${id}/withdraw`, {});
      await load();
      tell("workplaces.refused");
    },
  },
  rename: {
    known: STALE,
    async act({ id, values, load, tell }) {
      await call("PATCH", `workplaces/${id}`, { name: values.name.trim() });
      await load();
      tell("practice.done");
    },
  },
  withdrawPlace: {
    known: STALE,
    async act(deed) {
      const { id, session, renew, tell } = deed;
      await call("POST", `workplaces/${id}/withdraw`, { rotation: await nextKey(deed) });
      if (session.workplace?.id === id) return signOut();
      await renew();
      tell("workplaces.withdrawn");
    },
  },

  // ---- people ----
  newUser: {
    known: { taken: ["people.taken", "short"], recipients: "practice.changed" },
    async act({ values, session, vault, confirm, load, show }) {
      const { user } = namesOf({ practice: "", user: values.short });
      return withInitial(session, vault, user, async (made) => {
        const person = await call("POST", "users", { short: user, role: values.role, ...made });
        confirm([{ ...person, publicKey: made.publicKey }]);
        await load();
      }, show);
    },
  },
  reset: {
    known: STALE,
    async act({ id, name, session, vault, state, confirm, load, show }) {
      return withInitial(session, vault, name, async (made) => {
        await call("POST", `users/${id}/reset`, made);
        confirm(state().users.filter((one) => one.id === id).map((one) => ({ ...one, publicKey: made.publicKey })));
        await load();
      }, show);
    },
  },
  role: {
    known: { ...STALE, "last-admin": ["people.lastAdmin", "role"] },
    async act({ id, values, renew, tell }) {
      await call("PATCH", `users/${id}`, { role: values.role });
      await renew(); // it may have been one's own
      tell("practice.done");
    },
  },
  giveKeys: {
    known: STALE,
    async act({ id, name, holders: { users: [person] }, vault, confirm, knows, load, tell }) {
      if (!vault || !person) throw new Wrong("practice.keyless");
      await knows();
      const missing = [...vault.keys.values()].filter(({ version }) => !person.keys.includes(version));
      await call("PUT", `users/${id}/keys`, { keys: await sealAll(missing, person.publicKey) });
      confirm([person]);
      await load();
      tell("people.given", { name });
    },
  },
  withdrawUser: {
    known: { ...STALE, "last-admin": "people.lastAdmin" },
    async act(deed) {
      await call("POST", `users/${deed.id}/withdraw`, await nextKey(deed));
      const { renew, tell } = deed;
      await renew();
      tell("people.withdrawn");
    },
  },

  // ---- one's own access ----
  password: {
    known: WRONG,
    async act({ values, session, renew, tell }) {
      const own = await openOwn(session, values.password);
      if (!own) throw new Wrong("own.wrong", "password");
      await changePassword(session, own.pair, { by: "password", secret: own.secret }, values.fresh);
      await renew();
      tell("own.passwordChanged");
    },
  },
  recovery: {
    known: WRONG,
    async act({ values, session, renew, show }) {
      const own = await openOwn(session, values.password);
      if (!own) throw new Wrong("own.wrong", "password");
      const secret = await changeRecovery(own.pair, own.secret);
      await renew();
      show({ kind: "recoveryShown", secret });
    },
  },
  passkey: {
    async act({ values, load, tell }) {
      const { id, options } = await call("POST", "passkeys/begin", {});
      const credential = await passkeys.create(options).catch((error) => {
        if (passkeys.isRefused(error)) return null;
        throw error;
      });
      if (!credential) throw new Wrong("own.passkeyRefused");
      await call("POST", "passkeys/finish", { id, name: values.name.trim(), credential });
      await load();
      tell("own.passkeyAdded");
    },
  },
  removePasskey: {
    known: STALE,
    async act({ id, load }) {
      await call("DELETE", `passkeys/${id}`);
      await load();
    },
  },
  endSession: {
    known: STALE,
    async act({ id, load, tell }) {
      await call("DELETE", `sessions/${id}`);
      await load();
      tell("own.ended");
    },
  },

  // ---- the practice ----
  settings: {
    async act({ values, renew, tell }) {
      const { name, phone, timeZone, retentionDays } = values;
      await call("PATCH", "", { name: name.trim(), phone: phone.trim(), timeZone, retentionDays: Number(retentionDays) });
      await renew();
      tell("practice.done");
    },
  },
  token: {
    async act({ values, load, show }) {
      const { name, token } = await call("POST", "tokens", { name: values.name.trim(), scope: values.scope });
      await load();
      show({ kind: "tokenShown", name, secret: token });
    },
  },
  removeToken: {
    known: STALE,
    async act({ id, load, tell }) {
      await call("DELETE", `tokens/${id}`);
      await load();
      tell("software.removed");
    },
  },
  export: {
    async act({ session, vault, state, tell }) {
      const { users, workplaces } = state();
      const { whole, closed } = await opened({ ...(await call("GET", "export")), users, workplaces }, session.practice.id, vault);
      save(`visavis-${session.practice.short}-${new Date().toISOString().slice(0, 10)}.json`, JSON.stringify(whole, null, 2), "application/json");
      tell(closed > 0 ? "data.exportedPartly" : "data.exported", { count: String(closed) });
    },
  },
  deletePractice: {
    known: WRONG,
    async act({ values, session }) {
      if (namesOf({ practice: values.practice, user: "" }).practice !== session.practice.short) throw new Wrong("data.deleteOdd", "practice");
      const own = await openOwn(session, values.password);
      if (!own) throw new Wrong("own.wrong", "password");
      await call("POST", "delete", { secret: own.secret });
      await forgetPlace(session.practice.short);
      await signOut();
    },
  },
};

/**
 * The practice's next key for exactly those whom the question named, the own keys among them known here.
 * @param {Deed} deed
 */
async function nextKey({ session, holders, confirm, knows }) {
  if (!(await knows())) throw new Wrong("practice.ownUnknown");
  const next = await rotation(session.practice.keyVersion, holders);
  confirm([...holders.users, ...holders.workplaces]);
  return next;
}

/**
 * A first password for somebody, with a pair of their own and every key that this page holds; shown once.
 * @param {Session} session
 * @param {Vault | null} vault
 * @param {string} name
 * @param {(made: { publicKey: string, [field: string]: unknown }) => Promise<void>} tellServer
 * @param {Deed["show"]} show
 */
async function withInitial({ practice }, vault, name, tellServer, show) {
  if (!vault) throw new Wrong("practice.keyless");
  const secret = newInitialPassword();
  const { pair: _, ...made } = await makeUser(secret, { practice: practice.short, user: name });
  await tellServer({ ...made, keys: await sealAll(vault.keys.values(), made.publicKey) });
  show({ kind: "initial", name, secret });
}

/**
 * Everything that is stored, with each record opened that this page has the key of.
 * @param {{ consultations?: { id: string, sealed: string | null }[] }} whole
 * @param {string} practice  its id
 * @param {Vault | null} vault
 */
async function opened({ consultations = [], ...rest }, practice, vault) {
  const read = await Promise.all(consultations.map(async (one) => {
    const key = one.sealed === null ? undefined : vault?.keys.get(versionOf(one.sealed));
    const record = one.sealed !== null && key ? await openRecord(key, `${practice}|${one.id}`, one.sealed) : null;
    return record ? { ...one, sealed: undefined, record } : one;
  }));
  return { whole: { ...rest, consultations: read }, closed: read.filter(({ sealed }) => sealed).length };
}
