/**
 * The part of a consultation's detail from which people are invited: {@link mountInvitation} puts it into a place and answers what
 * the user does there. What leaves this browser by the server is asked for by `send` alone, and carries no secret.
 */

import { save } from "../../shared/dom.js";
import { calendarOf } from "./ics.js";
import { handOver } from "./sheet-opener.js";
import { addressOf, begin, doingOf, reduce } from "./state.js";
import { fileOf, letterOf, linkOf, sheetOf } from "./texts.js";
import { draw } from "./view.js";

/** @typedef {import("./types.js").Occasion} Occasion */
/** @typedef {import("./types.js").Panel} Panel */
/** @typedef {import("./types.js").Words} Words */
/** @typedef {{ to: string, subject: string, text: string, calendar?: string, method?: "REQUEST" | "CANCEL" }} Mail */
/**
 * @typedef {object} Invited
 * @property {Occasion} occasion
 * @property {Words} words  the user's, with the part "invitation"
 * @property {boolean} mail  whether the server sends mail (`session.mail`)
 */

const FAILED = /** @type {Record<string, string>} */ ({ mail: "mail", "no-mail": "noMail", network: "network" });

/**
 * @param {HTMLElement} place  empty, and its own
 * @param {Invited & { send: (consultation: string, mail: Mail) => Promise<unknown> }} invited  `send` fails with a Problem of `api.js`
 * @returns {{ show: (invited: Invited) => void }}  draws anew whatever has changed
 */
export function mountInvitation(place, { send, words, ...invited }) {
  let panel = begin({ ...invited, share: typeof navigator.share === "function", now: Date.now() });
  const dispatch = (/** @type {import("./types.js").Action} */ action) => {
    panel = reduce(panel, action);
    draw(place, panel, words);
  };
  /** @param {number} seat @param {string} key @param {{ good?: boolean, values?: Record<string, string>, spare?: string }} [more] */
  const tell = (seat, key, { good = true, ...more } = {}) => dispatch({ type: "done", seat, key: `invite.${key}`, good, ...more });
  const letter = (/** @type {number} */ seat, secret = true) => letterOf(panel.kind, panel.occasion, seat, { secret });
  const focus = (/** @type {number} */ seat, /** @type {string} */ what) =>
    /** @type {HTMLElement | null} */ (place.querySelector(`[data-seat="${seat}"] ${what}`))?.focus();

  /** @param {number} seat @param {string} text @param {string} done */
  const copy = async (seat, text, done) => {
    try {
      await navigator.clipboard.writeText(text);
      tell(seat, done);
    } catch {
      tell(seat, "did.notCopied", { good: false, spare: text });
      const spare = /** @type {HTMLTextAreaElement | null} */ (place.querySelector(`[data-seat="${seat}"] textarea`));
      spare?.focus();
      spare?.select();
    }
  };

  /** @type {Record<string, (seat: number) => void>} */
  const ways = {
    copyLink: (seat) => copy(seat, linkOf(panel.occasion, seat), "did.copyLink"),
    copyText: (seat) => copy(seat, letter(seat).text, "did.copyText"),
    write: (seat) => tell(seat, "did.write"),
    sms: (seat) => tell(seat, "did.sms"),
    send(seat) {
      dispatch({ type: "form", seat, open: !doingOf(panel, seat).form });
      if (doingOf(panel, seat).form) focus(seat, "input");
    },
    share(seat) {
      const { subject, text } = letter(seat);
      navigator.share({ title: subject, text }).then(() => tell(seat, "did.share"), () => tell(seat, "did.notShared"));
    },
    print(seat) {
      const opened = handOver(sheetOf(panel.occasion, seat));
      tell(seat, opened ? "did.print" : "did.notOpened", { good: opened });
    },
    calendar(seat) {
      const text = calendarOf(panel.occasion, seat, panel.kind === "cancellation" ? "CANCEL" : "PUBLISH");
      save(`${fileOf(panel.occasion)}.ics`, text, "text/calendar");
      tell(seat, "did.calendar");
    },
  };

  /** @param {number} seat */
  const sendMail = async (seat) => {
    const to = addressOf(panel, seat).trim();
    if (doingOf(panel, seat).sending) return;
    if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(to)) {
      dispatch({ type: "refused", seat, key: "invite.failed.address" });
      return focus(seat, "input");
    }
    const { occasion } = panel;
    const mail = { to, ...mailOf(panel, seat) };
    dispatch({ type: "send", seat });
    try {
      await send(occasion.desk.id, mail);
      tell(seat, "did.send");
      focus(seat, "[data-way=send]");
    } catch (error) {
      const { kind: why = "", detail = "" } = /** @type {Partial<import("../api.js").Problem>} */ (error);
      tell(seat, `failed.${FAILED[why] ?? "other"}`, { good: false, values: { detail } });
    }
  };

  place.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const seat = seatOf(target);
    const way = /** @type {HTMLElement | null} */ (target.closest("[data-way]"))?.dataset.way;
    if (way) ways[way](seat);
    if (target.closest("[data-part=cancel]")) {
      dispatch({ type: "form", seat, open: false });
      focus(seat, "[data-way=send]");
    }
  });
  place.addEventListener("submit", (event) => {
    event.preventDefault();
    sendMail(seatOf(/** @type {Element} */ (event.target)));
  });
  place.addEventListener("input", (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (input.type === "email") dispatch({ type: "typed", seat: seatOf(input), address: input.value });
    if (input.type === "radio") dispatch({ type: "kind", kind: input.value });
  });
  draw(place, panel, words);

  return {
    show({ words: said, ...rest }) {
      words = said;
      dispatch({ type: "show", ...rest, now: Date.now() });
    },
  };
}

/**
 * What the server is asked to send: the link has no secret, the calendar neither.
 * @param {Panel} panel
 * @param {number} seat
 * @returns {Omit<Mail, "to">}
 */
function mailOf({ kind, occasion }, seat) {
  const { subject, text } = letterOf(kind, occasion, seat, { secret: false });
  if (kind === "tip") return { subject, text };
  const method = kind === "cancellation" ? "CANCEL" : "REQUEST";
  return { subject, text, method, calendar: calendarOf(occasion, seat, method, { secret: false }) };
}

/** @param {Element} element */
function seatOf(element) {
  return Number(/** @type {HTMLElement | null} */ (element.closest("[data-seat]"))?.dataset.seat);
}
