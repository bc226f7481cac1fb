/**
 * Whether the time of an answer tells an unknown practice or user from a wrong password (R53): 500 of each, in random
 * order, each from an address of its own, compared in pairs by the Mann-Whitney U test. A p below 0.01 would tell.
 *
 *     node benches/sign-in.js     (VISAVIS_BINARY names the binary)
 */

import { Server } from "../tests/browser/lib/server.js";

const EACH = 500;
/** An account's budget is ten attempts; accounts may share it by chance. */
const PER_ACCOUNT = 5;

const server = await Server.start({ args: ["--trusted-proxies", "127.0.0.0/8"] });
try {
  const token = await setUp();
  const accounts = EACH / PER_ACCOUNT;
  for (let account = 0; account < accounts; account += 1) await addUser(token, `user${account}`);
  const attempts = shuffled([
    ...times(EACH, (n) => ({ kind: "wrong password", practice: "markt", user: `user${n % accounts}` })),
    ...times(EACH, (n) => ({ kind: "unknown user", practice: "markt", user: `nobody${n}` })),
    ...times(EACH, (n) => ({ kind: "unknown practice", practice: `nowhere${n}`, user: "user0" })),
  ]);
  // The first answers of a process are slower than all others.
  for (let n = 0; n < 20; n += 1) await attempt({ practice: "warm", user: `up${n}` }, n);
  /** @type {Map<string, number[]>} */
  const taken = new Map();
  for (const [n, one] of attempts.entries()) {
    const { status, ms } = await attempt(one, n + 1000);
    if (status !== 401) throw new Error(`${one.kind} was answered with ${status}`);
    taken.set(one.kind, [...(taken.get(one.kind) ?? []), ms]);
  }
  for (const [kind, times] of taken) {
    const sorted = [...times].sort((a, b) => a - b);
    console.log(`${kind.padEnd(17)} ${times.length} answers, median ${sorted[sorted.length >> 1].toFixed(2)} ms, worst ${sorted[sorted.length - 1].toFixed(1)} ms`);
  }
  const kinds = [...taken.keys()];
  for (const [i, a] of kinds.entries()) {
    for (const b of kinds.slice(i + 1)) {
      const p = mannWhitney(taken.get(a) ?? [], taken.get(b) ?? []);
      console.log(`${a} against ${b}: p = ${p.toFixed(3)}${p < 0.01 ? "  TELLS THEM APART" : ""}`);
    }
  }
} finally {
  await server.stop();
}

/** @param {{ practice: string, user: string }} who @param {number} n */
async function attempt({ practice, user }, n) {
  const body = JSON.stringify({ practice, user, secret: "wrong", by: "password" });
  const headers = { "content-type": "application/json", "x-forwarded-for": `198.51.${n >> 8}.${n & 255}` };
  const began = performance.now();
  const answer = await fetch(`${server.origin}/api/practice/sign-in`, { method: "POST", headers, body });
  await answer.text();
  return { status: answer.status, ms: performance.now() - began };
}

async function setUp() {
  const link = (await server.command("practice", "new")).trim().split("=")[1];
  const workplace = { name: "Empfang", publicKey: "key", practiceKey: "blob" };
  const { token } = await post("set-up", {
    link, practice: "markt", name: "Praxis", timeZone: "Europe/Berlin", user: "leitung", role: "head", secret: "right", recoverySecret: "printed",
    publicKey: "key", byPassword: "blob", byRecovery: "blob", practiceKey: "blob", workplace,
  });
  return token;
}

/** @param {string} token @param {string} short */
function addUser(token, short) {
  const user = { short, role: "staff", secret: "initial", publicKey: "key", byPassword: "blob", keys: [{ version: 1, wrapped: "blob" }] };
  return post("users", user, token);
}

/** @param {string} path @param {object} body @param {string} [token] */
async function post(path, body, token) {
  const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(`${server.origin}/api/practice/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return answer.json();
}

/** @template T @param {number} count @param {(n: number) => T} make */
function times(count, make) {
  return Array.from({ length: count }, (_, n) => make(n));
}

/** @template T @param {T[]} items */
function shuffled(items) {
  return items.map((item) => ({ item, key: Math.random() })).sort((a, b) => a.key - b.key).map(({ item }) => item);
}

/** Two-sided, by the normal approximation, ties at their mean rank. @param {number[]} a @param {number[]} b */
function mannWhitney(a, b) {
  const all = [...a.map((value) => ({ value, own: true })), ...b.map((value) => ({ value, own: false }))].sort((x, y) => x.value - y.value);
  let ranks = 0;
  for (let from = 0; from < all.length; ) {
    let to = from;
    while (to < all.length && all[to].value === all[from].value) to += 1;
    const rank = (from + 1 + to) / 2;
    for (let i = from; i < to; i += 1) if (all[i].own) ranks += rank;
    from = to;
  }
  const u = ranks - (a.length * (a.length + 1)) / 2;
  const deviation = Math.sqrt((a.length * b.length * (a.length + b.length + 1)) / 12);
  return 2 * (1 - normal(Math.abs(u - (a.length * b.length) / 2) / deviation));
}

/** The standard normal distribution (Abramowitz and Stegun 26.2.17, error below 7.5e-8). @param {number} z */
function normal(z) {
  const t = 1 / (1 + 0.2316419 * z);
  const tail = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 1 - (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * tail;
}
