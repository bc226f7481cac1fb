/** The shape of what the sign-in page knows. Types alone: no page loads this file. */

import type { Words } from "../types.js";
export type { Words };

export type Screen =
  | "opening"
  | "unsupported"
  | "signIn"
  | "forgot"
  | "setUp"
  | "rescue"
  | "first"
  | "recovery"
  | "name"
  | "waiting"
  | "refused";

/** What happened: by the user, the browser or the server. */
export type Action = { type: string; [field: string]: any };

/** A key of the words; `field` names the input that it is said at. */
export interface Trouble {
  key: string;
  values: Record<string, string>;
  field: string | null;
}

export interface State {
  screen: Screen;
  language: "de" | "en";
  /** Why the page is open: the session ended, or the user signed out. */
  why: null | "ended" | "out";
  /** Names as this workplace remembers them or as they were typed. */
  practice: string;
  user: string;
  /** Shown, once signed in. */
  practiceName: string | null;
  /** This browser is a released workplace of that practice and can do WebAuthn. */
  passkeys: boolean;
  capsLock: boolean;
  /** Passwords are shown as typed. */
  shown: boolean;
  busy: boolean;
  trouble: Trouble | null;
  /** Shown once, to be printed. */
  recoveryKey: string | null;
  /** The page must ask for the password again: it was reloaded since. */
  needsPassword: boolean;
  workplace: string;
  /** What the releasing colleague compares. */
  words: string[] | null;
  /** May release the own workplace. */
  admin: boolean;
  /** While waiting, the server does not answer. */
  offline: boolean;
}
