/** The shapes of the practice's API (docs/protocol.md "The practice's API"). Types alone: no page loads this file. */

import type { Pair, PracticeKey } from "../shared/vault.js";

/** `head`: a doctor who keeps people, workplaces and settings as well. */
export type Role = "doctor" | "staff" | "admin" | "head";

/** The practice's key of a version, sealed for somebody's public key. */
export interface KeyFor {
  version: number;
  wrapped: string;
}

export interface Practice {
  id: string;
  short: string;
  name: string;
  phone: string | null;
  timeZone: string;
  keyVersion: number;
  retentionDays: number;
}

export interface User {
  id: string;
  short: string;
  role: Role;
  publicKey: string;
  byPassword: string;
  byRecovery: string | null;
  /** The password is an initial one. */
  mustChange: boolean;
  keys: KeyFor[];
}

export interface Session {
  /** Told by a sign-in alone. */
  token: string | null;
  expiresAt: string;
  practice: Practice;
  user: User;
  workplace: null | { id: string; name: string; state: "waiting" | "released"; keys: KeyFor[] };
  /** Whether the server can send mail. */
  mail: boolean;
  /** Whether passkeys work under this address. */
  passkeys: boolean;
  leadMinutes: number;
  /** With a set-up alone. */
  workplaceToken?: string;
}

/** What this browser keeps of itself as a workplace, in IndexedDB: one for each practice. */
export interface Place {
  /** The practice's short name. */
  practice: string;
  practiceName: string;
  id: string;
  token: string;
  pair: Pair;
  /** The own public keys of who signed in here, by short name: each once came out of its private half, in this browser. */
  own: Map<string, string>;
  /** Who signed in here last. */
  user: string;
  /** It was released, so that passkeys are worth offering. */
  released: boolean;
}

/** What opens records and seals them. */
export interface Vault {
  practice: Practice;
  user: User;
  /** By version. */
  keys: Map<number, PracticeKey>;
  /** What is sealed now is sealed with it. */
  current: PracticeKey;
}

/** A consultation as the desk sees it. */
export interface Desk {
  id: string;
  startsAt: string;
  opensAt: string;
  expiresAt: string;
  durationMinutes: number;
  state: "planned" | "open" | "expired" | "revoked";
  relayedOnly: boolean;
  language: "de" | "en";
  sealed: string | null;
  revision: number;
  /** Of the .ics. */
  sequence: number;
  createdBy: string | null;
  seats: { seat: number; role: "doctor" | "patient" | "guest" }[];
  readiness: null | { verdict: "green" | "yellow" | "red"; camera: Checked; microphone: Checked; relay: Checked; at: string };
}

export type Checked = "ok" | "missing" | "failed";

/** A catalogue of `words/`. */
export type Words = Record<string, string>;
