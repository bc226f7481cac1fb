/**
 * The practice's list with ten thousand consultations, planned through the API of a real server and sealed as the page
 * seals them: how long until the list is seen, until a keystroke's result is painted, what is fetched, and the longest
 * task. Prints medians of {@link RUNS} fresh tabs.
 *
 *     tests/browser/in-namespace env VISAVIS_BINARY=… node benches/desk-list.js [COUNT]
 */

import { newPracticeKey, sealRecord } from "../static/shared/vault.js";
import { closeAll, launch } from "../tests/browser/lib/browser.js";
import { openDesk } from "../tests/browser/lib/desk.js";
import { Server } from "../tests/browser/lib/server.js";
import { until } from "../tests/browser/lib/until.js";
import { Visit } from "../tests/browser/lib/visit.js";

const COUNT = Number(process.argv[2] ?? 10_000);
const RUNS = 5;
const AT_ONCE = 24;
const PER_DAY = 40;
const QUERY = "muller kontrolle 17";
const FIRST = ["Anna", "Jürgen", "Maria", "Ömer", "Zoë", "Friedrich-Wilhelm", "Elif", "Łukasz", "Amira", "Thomas", "Håkan"];
const LAST = ["Müller", "Beispiel", "Yılmaz", "Oberbergmüller-Schachtschneider", "Haddad", "Vogt", "Kowalska", "Groß", "O'Connor", "Sommer", "Winter", "von der Heide", "Nguyễn"];
const TITLES = ["Kontrolle", "Befund", "Erstgespräch", "Nachsorge", "Rezept"];

const server = await Server.start();
try {
  const browser = await launch("chromium");
  const desk = await openDesk(server, browser);
  const practice = await desk.read(keyOf);
  const began = Date.now();
  await planAll(practice);
  const seconds = (Date.now() - began) / 1000;
  console.log(`${COUNT} consultations planned and sealed in ${seconds.toFixed(0)} s (${((2 * COUNT) / seconds).toFixed(0)} requests/s)`);
  const session = await desk.read(() => ({ ...sessionStorage }));
  await desk.page.goto("about:blank"); // it has heard of each change, and would go on reading them
  /** @type {Record<string, number[]>} */
  const measured = {};
  for (let run = 0; run < RUNS; run++) {
    for (const [what, value] of Object.entries(await look(browser, desk.context, session))) (measured[what] ??= []).push(value);
  }
  for (const [what, values] of Object.entries(measured)) {
    const sorted = [...values].sort((a, b) => a - b);
    console.log(`${what.padEnd(64)} ${String(Math.round(sorted[sorted.length >> 1])).padStart(9)}   (${Math.round(sorted[0])} to ${Math.round(sorted[sorted.length - 1])})`);
  }
} finally {
  await closeAll();
  await server.stop();
}

/** In the page: the practice's key, and what asks the server. */
async function keyOf() {
  const [{ kept, openVault }, { token }] = await Promise.all(["/desk/session.js", "/desk/api.js"].map((path) => import(`${location.origin}${path}`)));
  const { current, practice } = await openVault(kept());
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", current.key));
  return { id: practice.id, version: current.version, raw: [...raw], token: token() };
}

/** @param {{ id: string, version: number, raw: number[], token: string }} practice */
async function planAll({ id, version, raw, token }) {
  const { key: like } = await newPracticeKey(version);
  const key = { version, key: await crypto.subtle.importKey("raw", new Uint8Array(raw), like.algorithm.name, false, ["encrypt"]) };
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  /** @param {string} method @param {string} path @param {object} body */
  const ask = async (method, path, body) => {
    const answer = await fetch(`${server.origin}/api/practice/${path}`, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const midnight = Math.ceil(Date.now() / 86_400_000) * 86_400_000;
  let next = 0;
  const worker = async () => {
    for (let number = next++; number < COUNT; number = next++) {
      const startsAt = new Date(midnight + Math.floor(number / PER_DAY) * 86_400_000 + 7 * 3_600_000 + (number % PER_DAY) * 15 * 60_000).toISOString();
      const { consultation, codes } = await ask("POST", "consultations", { startsAt });
      const record = {
        title: TITLES[number % TITLES.length],
        name: `${FIRST[number % FIRST.length]} ${LAST[number % LAST.length]} ${number}`,
        phone: `030 ${String(1_000_000 + number * 7)}`,
        email: `person${number}@example.org`,
        note: number % 3 === 0 ? `Notiz ${number}: bitte die Werte vom letzten Mal bereithalten.` : "",
        secret: "AAECAwQFBgcICQoLDA0ODw",
        codes: { 2: codes[0].code },
      };
      const sealed = await sealRecord(key, `${id}|${consultation.id}`, record);
      await ask("PATCH", `consultations/${consultation.id}`, { sealed, revision: consultation.revision });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/**
 * One fresh tab.
 * @param {import("../tests/browser/lib/browser.js").Browser} browser
 * @param {import("puppeteer-core").BrowserContext} context  with the workplace's keys
 * @param {Record<string, string>} session
 */
async function look(browser, context, session) {
  const visit = await Visit.adopt("desk", browser, context, await context.newPage());
  await visit.page.setViewport({ width: 1280, height: 800 });
  await visit.page.goto(`${server.origin}/healthz`);
  await visit.read((kept) => Object.assign(sessionStorage, kept), session);
  await visit.page.evaluateOnNewDocument(watch);
  visit.bytes.clear();
  await visit.page.goto(`${server.origin}/desk/`);
  await visit.see("everything is loaded and opened", () => /** @type {any} */ (window).__bench.allAt > 0);
  await until("the last answer is counted", () => visit.pending.size === 0);
  const loaded = await bench(visit);
  const bytes = (/** @type {(url: string) => boolean} */ which) => [...visit.bytes].reduce((sum, [url, count]) => sum + (which(url) ? count : 0), 0);
  const api = bytes((url) => url.includes("/api/"));
  const page = bytes((url) => !url.includes("/api/"));

  await clear(visit);
  await visit.click("#search");
  for (const letter of QUERY) {
    const { keys } = await bench(visit);
    await visit.page.keyboard.press(/** @type {import("puppeteer-core").KeyInput} */ (letter === " " ? "Space" : letter));
    await until("the keystroke is painted", async () => (await bench(visit)).keys.length > keys.length);
  }
  const typed = await bench(visit);
  const found = await visit.read(() => document.querySelectorAll(".visit").length);
  if (found === 0) throw new Error("the search found nothing");

  await visit.page.keyboard.down("Control");
  await visit.page.keyboard.press("a");
  await visit.page.keyboard.up("Control");
  await visit.page.keyboard.press("Backspace");
  await clear(visit);
  for (let turn = 0; turn < 60; turn++) await visit.page.mouse.wheel({ deltaY: 900 });
  await visit.see("it has scrolled", () => scrollY > 20_000);
  const scrolled = await bench(visit);
  await visit.close();
  const keys = [...typed.keys].sort((a, b) => a - b);
  return {
    "first contentful paint, ms": loaded.paint,
    "the first rows are seen, ms": loaded.rowsAt,
    "their names are readable, ms": loaded.namesAt,
    "all are loaded, opened and searchable, ms": loaded.allAt,
    "longest task until then, ms": loaded.longest,
    "long tasks (over 50 ms) until then": loaded.long,
    "bytes of page, scripts and styles that are known already": page,
    "bytes of the consultations": api,
    "a keystroke's result is painted, median, ms": keys[keys.length >> 1],
    "a keystroke's result is painted, worst, ms": keys[keys.length - 1],
    "longest task while typing, ms": typed.longest,
    "longest task while scrolling 54,000 px, ms": scrolled.longest,
    "elements in the document, at most": Math.max(loaded.elements, scrolled.elements),
  };
}

/** @param {Visit} visit @returns {Promise<any>} */
function bench(visit) {
  return visit.read(() => {
    const { __bench: seen } = /** @type {any} */ (window);
    return { ...seen, elements: document.getElementsByTagName("*").length, paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0 };
  });
}

/** @param {Visit} visit */
function clear(visit) {
  return visit.read(() => void Object.assign(/** @type {any} */ (window).__bench, { longest: 0, long: 0 }));
}

/** In the page, before its own scripts: looks after each frame. */
function watch() {
  const seen = { rowsAt: 0, namesAt: 0, allAt: 0, longest: 0, long: 0, keys: /** @type {number[]} */ ([]) };
  /** @type {any} */ (window).__bench = seen;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      seen.longest = Math.max(seen.longest, duration);
      if (duration > 50) seen.long++;
    }
  }).observe({ type: "longtask", buffered: true });
  const channel = new MessageChannel();
  channel.port1.onmessage = () => {
    const now = performance.now();
    const names = [...document.querySelectorAll(".visit [data-part=name]")].map(({ textContent }) => textContent ?? "");
    if (names.length > 0) seen.rowsAt ||= now;
    if (names.length > 0 && names.every((name) => / \d+$/.test(name))) seen.namesAt ||= now;
    const found = document.querySelector("#found");
    if (seen.namesAt && /** @type {HTMLElement} */ (found).hidden) seen.allAt ||= now;
  };
  const frame = () => {
    channel.port2.postMessage(null); // once this frame is painted
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  addEventListener("input", ({ timeStamp }) => {
    requestAnimationFrame(() => {
      const painted = new MessageChannel();
      painted.port1.onmessage = () => seen.keys.push(performance.now() - timeStamp);
      painted.port2.postMessage(null);
    });
  }, true);
}
