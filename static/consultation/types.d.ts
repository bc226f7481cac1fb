/** The shape of what the consultation page knows and hears. Types alone: no page loads this file. */

import type { LineSummary } from "../shared/line.js";
import type { Summary } from "../shared/media.js";
import type { Link, Path } from "../shared/peer.js";

export type Role = "doctor" | "patient" | "guest";
export type Screen =
  | "looking"
  | "code"
  | "welcome"
  | "early"
  | "trial"
  | "ready"
  | "problem"
  | "browser"
  | "check"
  | "waiting"
  | "room"
  | "call"
  | "end";

/** A catalogue of `shared/words/`. */
export type Words = Record<string, string>;

/** What happened: by the user, the browser, the broker or a partner. */
export type Action = { type: string; [field: string]: any };

/** A key of the words with what fills its holes; said once for each id. */
export interface Sentence {
  id: number;
  key: string;
  values: Record<string, string>;
}

/** Why a name cannot be read: our link has no secret, or it does not fit. */
export type Locked = "no-secret" | "mismatch" | null;

/** What one page tells another over the data channel (docs/protocol.md "Between the pages"). */
export type Told = { type: string; [field: string]: any };

/** What somebody sends besides sound: the picture, no picture because the line is weak, or sound alone by choice. */
export type Picture = "on" | "weak" | "sound";

/** How far the encryption to a partner is checked (R22). */
export interface Check {
  /** `open`: encrypted, not checked yet; `words`: two people can compare words; `checked`: nobody sits between. */
  level: "open" | "words" | "checked";
  by: null | "link" | "words";
  words: string[] | null;
  /** The words'. */
  language: string | null;
}

/** A device that waits. */
export interface Knock {
  knock: string;
  seat: number;
  role: Role;
  /** RFC 3339. */
  since: string;
  device: "first" | "another";
  name: string | null;
  locked: Locked;
}

/** A partner who is let in. */
export interface PeerState {
  seat: number;
  role: Role;
  incarnation: number;
  /** Its socket is lost; media may well flow. */
  away: boolean;
  /** `blocked`: for so long not connected that the network must be to blame. */
  link: Link | "blocked";
  path: Path;
  /** `null`: not told yet. */
  microphone: boolean | null;
  camera: boolean | null;
  picture: Picture;
  hand: boolean;
  /** `null`: not told yet. */
  hearsUs: boolean | null;
  /** While the line is dead: which try comes next, and when (ms since 1970). */
  trying: { attempt: number; nextAt: number } | null;
  check: Check;
  /** What this page measures of the line, and what the partner's tells; `null`: nothing yet, or not lately. */
  line: LineSummary | null;
  theirLine: LineSummary | null;
  /** Whose line is weak, and how: the end of a key, like `own.narrow`. */
  verdict: string | null;
  /** What DTLS and SRTP agreed on; `null`: not asked yet. */
  transport: string[] | null;
  name: string | null;
  locked: Locked;
}

/** Who invites. `timeZone`: IANA; none: the device's. */
export interface Practice {
  name: string | null;
  phone: string | null;
  timeZone: string | null;
}

/** How a part did: `missing`: there is none, or it was not reached; `failed`: it is there and does not work. */
export type Part = "ok" | "missing" | "failed";
export type Parts = Record<"camera" | "microphone" | "relay", Part>;

/** How the check before the appointment went. */
export interface Readiness extends Parts {
  verdict: "green" | "yellow" | "red";
  /** What is wrong with each part, and what to do: keys of the words. */
  causes: Record<keyof Parts, string | null>;
}

export interface State {
  screen: Screen;
  language: "de" | "en";
  /** ms since 1970, of the last action. */
  now: number;
  /** As this server's operator configured it. */
  practice: Practice;
  /** The practice that planned this consultation, if one did: it is shown instead, and can be told how the check went. */
  inviter: Practice | null;
  /** As typed, or from the link. */
  code: string;
  /** The user's own. */
  name: string;
  /** What is wrong, on the screens `code`, `welcome`, `problem` and `browser`. */
  problem: string | null;
  role: Role | null;
  seat: number | null;
  startsAt: string | null;
  opensAt: string | null;
  expiresAt: string | null;
  /** A reload is coming back to where it was. */
  back: boolean;
  joining: boolean;
  /** The check before the appointment: how it went (`null`: not known yet), and whether the practice was told. */
  readiness: Readiness | null;
  told: "no" | "telling" | "told" | "failed";
  media: Summary;
  /** Media go over the relay alone, so that neither side learns the other's address. */
  relayedOnly: boolean;
  /** What the user wants to send. */
  quality: "automatic" | "high" | "low" | "sound";
  picture: Picture;
  /** The own hand is raised. */
  hand: boolean;
  /** Seats of the partners whose hands are raised, in order of raising. */
  hands: number[];
  /** A doctor asks to switch the microphone off. */
  asked: boolean;
  /** Whose tile is large. */
  pinned: number | "own" | null;
  /** Who speaks. */
  speaker: number | "own" | null;
  /** Something to say about the own devices: a silent microphone, words spoken while muted or heard by nobody, an echo. */
  hints: import("../shared/hearing.js").Hints;
  /** Whether the call fills the screen, and its picture floats. */
  display: import("../shared/screen.js").Summary;
  /** Keyboard shortcuts are on. */
  shortcuts: boolean;
  /** Sound waits for a click. */
  hushed: boolean;
  signaling: "idle" | "connecting" | "up" | "down" | "closed";
  /** A doctor's page is open. */
  doctor: boolean;
  /** Another device holds this seat. */
  occupied: boolean;
  sentBack: boolean;
  knocks: Knock[];
  /** Names of those this page let in, by seat. */
  admitted: Record<number, string | null>;
  peers: Record<number, PeerState>;
  panel: "none" | "more" | "arrivals" | "lock" | "line" | "devices" | "remove" | "leave";
  /** Whom the open question is about: the seat. */
  about: number | null;
  /** The own picture is the large one. */
  swapped: boolean;
  /** Where the small picture lies, in the direction of writing. */
  corner: "end-top" | "end-bottom" | "start-bottom" | "start-top";
  /** How the consultation ended for this page. */
  end: string | null;
  /** A small line on the screen. */
  notice: Sentence | null;
  /** For the one polite live region. */
  announcement: Sentence | null;
}

/** What outlives a reload of this tab, never the tab itself, without cookies or lasting storage (R33). */
export interface Kept {
  code: string;
  /** The link's. */
  secret: string | null;
  device: string;
  /** Resumes an admitted seat. */
  token: string | null;
  name: string;
  role: Role | null;
  /** `ahead`: *Start* handed the code over, and this device has not joined yet. */
  stage: "ahead" | "waiting" | "call" | "end";
  /** The consultation for which the practice's page that opened this tab gives another code. */
  room: string | null;
  end: string | null;
  /** Of partners whose words were the same, by seat: what vouches for them after a reload. */
  pairs: Record<number, string>;
  /** Whether they are wanted on. */
  microphone: boolean;
  camera: boolean;
  quality: State["quality"];
  shortcuts: boolean;
}
