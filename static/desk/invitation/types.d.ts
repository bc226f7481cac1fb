/** The shape of what the invitation knows. Types alone: no page loads this file. */

import type { Desk, Facts, Words } from "../list/types.js";

export type { Desk, Facts, Words };

/** What an invitation is about. */
export interface Occasion {
  desk: Desk;
  /** What the record says; without one, nothing of it is known. */
  facts: Pick<Facts, "name" | "phone" | "email" | "secret" | "codes" | "labels">;
  practice: { name: string; phone: string | null; timeZone: string };
  /** Where the pages lie, without a slash at its end. */
  origin: string;
}

export type Kind = "invitation" | "change" | "cancellation" | "tip";

export interface Letter {
  subject: string;
  text: string;
  /** For an SMS. */
  short: string;
}

/** What the printed sheet says, ready to be drawn. */
export interface Sheet {
  language: "de" | "en";
  practice: string;
  phone: string | null;
  date: string;
  time: string;
  minutes: string;
  from: string;
  link: string;
  host: string;
  code: string;
  /** Of the file that a browser makes of it. */
  name: string;
}

/** What is being done for one seat. */
export interface Doing {
  /** Whether the form for the practice's own mail is open. */
  form: boolean;
  sending: boolean;
  /** What the user typed there. */
  address: string | null;
  /** The field's problem, as a key. */
  problem: string | null;
  /** What happened last. */
  outcome: { key: string; values: Record<string, string>; good: boolean } | null;
  /** A text that the browser did not let us copy. */
  spare: string | null;
}

/** What the user did, or what came of it. */
export type Action = { type: string; [field: string]: any };

export interface Panel {
  occasion: Occasion;
  kinds: Kind[];
  kind: Kind;
  /** Whether the server sends mail. */
  mail: boolean;
  /** Whether the device has a share sheet. */
  share: boolean;
  /** In ms. */
  now: number;
  doing: Record<number, Doing>;
}
