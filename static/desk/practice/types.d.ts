/** The shape of what the practice's page knows. Types alone: no page loads this file. */

import type { Practice, Role, Session, Words } from "../types.js";
export type { Words };

export type Section = "workplaces" | "people" | "own" | "settings" | "software" | "audit" | "data";

/** What happened: by the user, the browser or the server. */
export type Action = { type: string; [field: string]: any };

/** A key of the words; `field` names the input that it is said at. */
export interface Trouble {
  key: string;
  values: Record<string, string>;
  field: string | null;
}

export interface Person {
  id: string;
  short: string;
  role: Role;
  publicKey: string;
  createdAt: string;
  lastSeenAt: string | null;
  /** Versions of the practice's key. */
  keys: number[];
  mustChange: boolean;
}

export interface Workplace {
  id: string;
  name: string;
  state: "waiting" | "released";
  publicKey: string;
  createdAt: string;
  requestedBy: string;
  releasedAt: string | null;
  releasedBy: string | null;
  lastSeenAt: string | null;
  keys: number[];
  /** This browser. */
  current: boolean;
}

export interface OpenSession {
  id: string;
  user: { id: string; name: string };
  workplace: { id: string; name: string } | null;
  createdAt: string;
  seenAt: string;
  expiresAt: string;
  current: boolean;
}

export interface Passkey {
  id: string;
  name: string;
  createdAt: string;
  usedAt: string | null;
}

export interface Token {
  /** Who made it, as far as that is known. */
  madeBy: string | null;
  id: string;
  name: string;
  scope: "plan" | "read";
  createdAt: string;
  usedAt: string | null;
}

export interface AuditLine {
  id: string;
  at: string;
  /** A short name, or "-" for the operator and the server itself. */
  actor: string;
  what: string;
  about: string;
}

export interface Dialog {
  kind:
    | "release"
    | "giveKeys"
    | "newUser"
    | "role"
    | "reset"
    | "withdrawUser"
    | "rename"
    | "withdrawPlace"
    | "password"
    | "recovery"
    | "passkey"
    | "removePasskey"
    | "token"
    | "removeToken"
    | "deletePractice"
    | "initial"
    | "recoveryShown"
    | "tokenShown";
  /** Whom or what it is about. */
  id: string;
  name: string;
  /** Shown once. */
  secret: string;
  /** For whom keys are sealed when it is confirmed: what its sentences name. */
  holders: Holders;
}

export interface State {
  screen: "opening" | "trouble" | "practice";
  language: "de" | "en";
  section: Section;
  session: Session | null;
  /** Versions of the practice's key that open here; without the current one there is little to do. */
  held: number[];
  users: Person[];
  workplaces: Workplace[];
  /** What is compared before a release, by public key. */
  checkWords: Record<string, string[]>;
  /** The public key of each user and workplace as this page knew it first, by id and by name. */
  seen: Record<string, string>;
  sessions: OpenSession[];
  passkeys: Passkey[];
  /** This browser can do WebAuthn. */
  webauthn: boolean;
  tokens: Token[];
  audit: AuditLine[];
  /** The trail goes on. */
  auditMore: boolean;
  dialog: Dialog | null;
  capsLock: boolean;
  /** Passwords are shown as typed. */
  shown: boolean;
  busy: boolean;
  trouble: Trouble | null;
}

/** Somebody who holds keys, or will. */
export type Row = Person | Workplace;

/** For whom keys are sealed. */
export interface Holders {
  users: Person[];
  workplaces: Workplace[];
}

export type { Practice, Role };
