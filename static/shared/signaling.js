/**
 * A WebSocket to the server, the call's or the desk's (docs/protocol.md): opens it, opens it again after a loss, and hands JSON
 * messages both ways. What to say first is the owner's: `greet` is asked at every opening. {@link messages} builds what a
 * page of a call may say.
 *
 * Events: `message` (detail: the message), `up`, `down` (will be tried again), `closed` (detail: the close code; final).
 */

import { tab } from "./tab.js";

/** @typedef {{ type: string, [field: string]: any }} Message */

/** How many sockets this tab has opened: over a reload, too. */
const SOCKETS = "visavis.sockets";

/** Lost, broker failed, broker restarts, we read too slowly: come back (docs/protocol.md "Connection"). */
const COME_BACK = [1006, 1011, 1012, 1013];
/** So long the broker has to hear the last word and close. */
const GOODBYE_MS = 2000;
const PAUSE_MS = { least: 500, most: 8000 };
/** While a call is dead, for a minute at most: then the broker is in trouble itself, and must not be pressed by all at once. */
const URGENT = { pause: 250, patience: [2000, 2000, 6000], ms: 60_000 };
/** A socket that takes longer to open is not worth waiting for. While a call is dead, most are given up sooner: what was lost on the way comes again late. */
const PATIENCE_MS = 10_000;
/** No word from the broker for so long after a question: the socket is dead, whatever it says. */
const ANSWER_MS = 1000;

export class Signaling extends EventTarget {
  #url;
  #greet;
  #subprotocol;
  /** @type {WebSocket | null} */
  #socket = null;
  #attempts = 0;
  #urgentSince = Infinity;
  #heardAt = 0;
  /** Between two sockets: opens the next. @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Gives up a socket that does not open, or does not answer. @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;

  /** @param {string} url @param {() => Message | null} greet @param {string} [subprotocol] */
  constructor(url, greet, subprotocol = "visavis.v1") {
    super();
    this.#url = url;
    this.#greet = greet;
    this.#subprotocol = subprotocol;
  }

  /** Opens the socket; one that is open or opening stays. */
  open() {
    if (this.#socket || this.#timer) return;
    this.#connect();
  }

  /** Drops a socket that is dead or may be, and opens another at once. */
  renew() {
    if (!this.#socket && !this.#timer) return;
    this.#attempts = 0;
    this.#drop();
    this.#connect();
  }

  /** @param {boolean} urgent  a call is dead, and waits for nothing but the broker */
  hasten(urgent) {
    if (!urgent) this.#urgentSince = Infinity;
    else if (this.#urgentSince === Infinity) this.#urgentSince = performance.now();
    if (urgent && this.#timer && this.#attempts > 1) this.renew(); // from a long pause
  }

  /**
   * Is the broker there? Whatever it answers will do; without an answer another socket is opened.
   * @param {Message} question
   */
  prove(question) {
    if (this.#patience || !this.send(question)) return; // it is opening, or asked already
    const askedAt = performance.now();
    this.#patience = setTimeout(() => {
      this.#patience = undefined;
      if (this.#heardAt < askedAt) this.renew();
    }, ANSWER_MS);
  }

  /** Ends it: nothing is opened again until {@link open}. */
  close() {
    this.#drop();
  }

  /**
   * The last word: the broker hears it and closes; nothing is opened again until {@link open}.
   * @param {Message} message
   */
  goodbye(message) {
    this.send(message);
    const socket = this.#socket;
    this.#socket = null;
    this.#drop();
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    setTimeout(() => socket.close(1000), GOODBYE_MS);
  }

  /** The how manyth socket of this tab the present one is: of two whose words arrive at once the broker goes on with the later. */
  get attempt() {
    return Number(tab.getItem(SOCKETS) ?? 0);
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** @param {Message} message @returns {boolean} whether there was an open socket to put it into */
  send(message) {
    if (!this.isOpen) return false;
    this.#socket?.send(JSON.stringify(message));
    return true;
  }

  #connect() {
    tab.setItem(SOCKETS, String(this.attempt + 1));
    const socket = new WebSocket(this.#url, this.#subprotocol);
    this.#socket = socket;
    this.#patience = setTimeout(() => {
      this.#drop();
      this.#lost(1006);
    }, this.#urgent ? URGENT.patience[this.#attempts % URGENT.patience.length] : PATIENCE_MS);
    socket.onopen = () => {
      this.#calm();
      const greeting = this.#greet();
      if (greeting) this.send(greeting);
      this.dispatchEvent(new Event("up"));
    };
    socket.onmessage = (event) => {
      const message = parse(event.data);
      this.#heardAt = performance.now();
      // An open socket alone proves little: a proxy may accept for a broker that is away, and that one may be ailing.
      if (message && message.type !== "error") this.#attempts = 0;
      if (message) this.dispatchEvent(new CustomEvent("message", { detail: message }));
    };
    socket.onclose = (event) => this.#lost(event.code);
  }

  /** @param {number} code */
  #lost(code) {
    this.#socket = null;
    this.#calm();
    if (!COME_BACK.includes(code)) {
      this.dispatchEvent(new CustomEvent("closed", { detail: code }));
      return;
    }
    const least = this.#urgent ? URGENT.pause : PAUSE_MS.least;
    const most = this.#urgent ? 2 * least : PAUSE_MS.most;
    const ceiling = Math.min(most, 2 * least * 2 ** this.#attempts++);
    const pause = least + Math.random() * (ceiling - least);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#connect();
    }, pause);
    this.dispatchEvent(new Event("down"));
  }

  #calm() {
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  get #urgent() {
    return performance.now() - this.#urgentSince < URGENT.ms;
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#calm();
    if (!this.#socket) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
    this.#socket = null;
  }
}

/** @param {unknown} data @returns {Message | null} nothing for what no broker of this protocol sends */
function parse(data) {
  try {
    const message = JSON.parse(String(data));
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}

/** Every message a page may send, by its type; tests/golden/messages.json holds one example of each. */
export const messages = {
  /** @param {string} code */
  look: (code) => ({ type: "look", code }),
  /**
   * @param {string} code
   * @param {string} device
   * @param {string} key
   * @param {string} [token]        to resume
   * @param {number} [incarnation]  if this same page held the seat before
   * @param {number} [attempt]      the how manyth socket of this tab it is
   */
  join: (code, device, key, token, incarnation, attempt) => ({
    type: "join",
    code,
    device,
    key,
    ...(token === undefined ? {} : { token }),
    ...(token === undefined || incarnation === undefined ? {} : { incarnation }),
    ...(attempt === undefined ? {} : { attempt }),
  }),
  /** @param {number} to @param {import("./seal.js").Sealed} sealed */
  name: (to, sealed) => ({ type: "name", to, sealed }),
  /** @param {string} knock */
  admit: (knock) => ({ type: "admit", knock }),
  /** @param {string} knock */
  refuse: (knock) => ({ type: "refuse", knock }),
  /** @param {number} seat */
  sendBack: (seat) => ({ type: "sendBack", seat }),
  /** @param {number} seat */
  remove: (seat) => ({ type: "remove", seat }),
  end: () => ({ type: "end" }),
  leave: () => ({ type: "leave" }),
  /** @param {number} to @param {number} incarnation  the addressee's @param {RTCSessionDescriptionInit} description */
  description: (to, incarnation, description) => ({ type: "description", to, incarnation, description }),
  /** @param {number} to @param {number} incarnation  the addressee's @param {RTCIceCandidateInit | null} candidate */
  candidate: (to, incarnation, candidate) => ({ type: "candidate", to, incarnation, candidate }),
  ice: () => ({ type: "ice" }),
  /** @param {number} id  below 2^32 @param {string} pad  8 KiB at most; both come back */
  probe: (id, pad) => ({ type: "probe", id, pad }),
};
