/**
 * The practice's API (docs/protocol.md "The practice's API"): one call, one answer, and what went wrong as a {@link Problem}. A session
 * that has ended leads to the sign-in page and, once signed in, back to where the user was.
 */

import { Signaling } from "../shared/signaling.js";
import { tab } from "../shared/tab.js";

const PATIENCE_MS = 30_000;
/** Nobody waits longer for the last word to arrive: it does so without the page. */
const LEAVING_MS = 2000;
const TOKEN = "visavis.desk.token";
const BACK = "visavis.desk.back";
export const SIGN_IN = "/desk/sign-in.html";

/** What the server refused (RFC 9457), or that it could not be asked: `kind` is then `network`. */
export class Problem extends Error {
  /**
   * @param {number} status  0 without an answer
   * @param {string} kind    the problem's type without `#`
   * @param {string} detail
   * @param {number | null} retryAfter  seconds
   */
  constructor(status, kind, detail, retryAfter) {
    super(`${status} ${kind}: ${detail}`);
    this.status = status;
    this.kind = kind;
    this.detail = detail;
    this.retryAfter = retryAfter;
  }
}

/** @returns {string | null} */
export function token() {
  return tab.getItem(TOKEN);
}

/** @param {string | null} value */
export function keepToken(value) {
  if (value === null) tab.removeItem(TOKEN);
  else tab.setItem(TOKEN, value);
}

/**
 * @param {"GET" | "POST" | "PUT" | "PATCH" | "DELETE"} method
 * @param {string} path   below `/api/practice/`; empty for the practice itself
 * @param {object} [body]
 * @param {{ keepalive?: boolean }} [options]  whether it outlives the page
 * @returns {Promise<any>} what was answered; nothing for 204
 */
export async function call(method, path, body, { keepalive = false } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  const held = token();
  if (held !== null) headers.authorization = `Bearer ${held}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(`/api/practice${path && "/"}${path}`, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: patience.signal, cache: "no-store",
      keepalive,
    });
    if (answer.ok) return answer.status === 204 ? undefined : await answer.json();
    throw await problemOf(answer);
  } catch (error) {
    if (!(error instanceof Problem)) throw new Problem(0, "network", String(error), null);
    if (error.kind === "session") leave("ended");
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** @param {Response} answer */
async function problemOf(answer) {
  const told = await answer.json().catch(() => ({})); // a proxy's page is none of ours
  const seconds = Number(answer.headers.get("retry-after") ?? NaN);
  return new Problem(answer.status, String(told.type ?? "").replace(/^.*#/, "") || "server", told.detail ?? "", Number.isFinite(seconds) ? seconds : null);
}

/** The first reason to leave counts: who signs out is not told that the session has ended. */
let isLeaving = false;

/**
 * To the sign-in page, which says why and leads back here; nothing where it is open already.
 * @param {"ended" | "out" | "step"} why  the session ended, the user signed out, or a step of signing in is still to do
 * @param {Promise<unknown>} [after]      what is still under way
 */
export async function leave(why, after) {
  if (isLeaving) return;
  if (why !== "step") keepToken(null);
  if (location.pathname === SIGN_IN) return;
  isLeaving = true;
  if (after) await Promise.race([after, new Promise((late) => setTimeout(late, LEAVING_MS))]);
  if (why === "out") tab.removeItem(BACK);
  else tab.setItem(BACK, location.pathname + location.search + location.hash);
  location.replace(`${SIGN_IN}#${why}`);
}

/** After signing in: where the user was, or the list. */
export function comeBack() {
  const back = tab.getItem(BACK);
  tab.removeItem(BACK);
  location.replace(back ?? "/desk/");
}

/** What the practice's pages hear without asking (docs/protocol.md "Live"); not open yet. */
export function listenToDesk() {
  const url = `${location.origin.replace(/^http/, "ws")}/api/practice/live`;
  return new Signaling(url, () => ({ type: "desk", token: token() ?? "" }), "visavis.desk.v1");
}
