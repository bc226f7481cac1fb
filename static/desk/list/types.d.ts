/** The shape of what the desk knows and hears. Types alone: no page loads this file. */

import type { Desk, Practice, Role, Words } from "../types.js";

export type { Desk, Words };

/** What happened: by the user, the server or the clock. */
export type Action = { type: string; [field: string]: any };

/** A key of the words with what fills its holes; each is said once. */
export interface Sentence {
  key: string;
  values: Record<string, string>;
}

export type SeatRole = Desk["seats"][number]["role"];

/** What only the practice's browsers know of a consultation: inside `sealed`. */
export interface Facts {
  title: string;
  name: string;
  phone: string;
  email: string;
  note: string;
  /** The links': 22 characters of base64url; `null` where the links were made without. */
  secret: string | null;
  /** By seat. */
  codes: Record<string, string>;
  /** Who a guest is, by seat. */
  labels: Record<string, string>;
  /** It is held by telephone instead. */
  telephone: boolean;
}

export interface Entry {
  desk: Desk;
  /** In the practice's time zone, `2026-11-30`. */
  day: string;
  /** In ms. */
  start: number;
  end: number;
  facts: Facts | null;
  /** `sealed`: not opened yet; `none`: nothing was sealed, as with the API; `locked`: this browser cannot. */
  lock: "sealed" | "open" | "none" | "locked";
  /** What the search looks through. */
  text: string;
}

/** A device at the door. */
export interface Waiting {
  consultation: string;
  knock: string;
  seat: number;
  role: SeatRole;
  /** RFC 3339. */
  since: string;
}

/** What the form holds, as typed. */
export interface Values {
  date: string;
  time: string;
  duration: string;
  name: string;
  title: string;
  phone: string;
  email: string;
  language: string;
  note: string;
  /** One guest in each line. */
  guests: string;
  relayedOnly: boolean;
}
export type Field = keyof Values;

export interface Draft {
  /** Where the form stands: what is typed there waits for whoever comes back. */
  place: string;
  /** Of the consultation that is changed; `null`: a new one. */
  id: string | null;
  /** What stood there when the form was opened, or when another's change came in. */
  base: Values;
  values: Values;
  /** That the base belongs to. */
  revision: number;
  /** The field that cannot be understood. */
  problem: Field | null;
  /** What somebody else changed meanwhile, and what it says there now. */
  changed: Field[];
}

export type Screen = "opening" | "list" | "detail" | "plan" | "trouble";

export interface State {
  screen: Screen;
  language: string;
  /** Of the clock, in ms. */
  now: number;
  user: { short: string; role: Role };
  practice: Pick<Practice, "id" | "name" | "phone" | "timeZone">;
  /** Whether the server can send mail. */
  mail: boolean;
  entries: Map<string, Entry>;
  /** Whether every page has come. */
  loaded: { coming: boolean; past: boolean };
  /** Records are still being opened: until then not all can be found. */
  opening: boolean;
  past: boolean;
  query: string;
  /** The strip's Monday. */
  week: string;
  /** The one day that is shown. */
  day: string | null;
  waiting: Waiting[];
  /** Seats that are taken, by consultation. */
  calls: Record<string, number[]>;
  live: "opening" | "up" | "down";
  sound: boolean;
  /** Sounds wait for a first click. */
  hushed: boolean;
  /** Consultations that this browser has entered. */
  entered: string[];
  /** The consultation of the detail. */
  current: string | null;
  /** It was made by “now” a moment ago. */
  fresh: boolean;
  draft: Draft | null;
  dialog: "none" | "cancel" | "delete" | "reissue" | "remove";
  /** That the dialog is about. */
  seat: number | null;
  /** What is under way. */
  busy: string | null;
  /** Where the call is, in case its tab did not open. */
  room: string | null;
  /** Consultations whose record did not reach the server yet. */
  unsaved: string[];
  notice: Sentence | null;
  /** What went wrong, until the next try; on the screen `trouble` why nothing is to be seen. */
  problem: Sentence | null;
  announcement: Sentence | null;
}
