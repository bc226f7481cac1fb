/**
 * One person's page, driven as the person would: by what is on the screen, with a real mouse and real keys. What a test
 * reads from the page never counts as a gesture of the user. {@link Visit.open} begins one.
 */

import de from "../../../static/shared/words/de.js";
import { closeAll } from "./browser.js";
import { instrument, measure, sample } from "./instrument.js";
import { isPassing, until } from "./until.js";

/** @typedef {import("./browser.js").Browser} Browser */
/** @typedef {import("./instrument.js").Conditions} Conditions */
/**
 * @typedef {Conditions & {
 *   context?: import("puppeteer-core").BrowserContext,
 *   size?: { width: number, height: number },
 *   scheme?: "light" | "dark",
 *   permissions?: import("puppeteer-core").Permission[],
 * }} Options
 */
/** @typedef {{ at: number, from: "page" | "broker", message: any, data: string }} Frame */

/** Where a test is not about pictures: a large one costs each page half a core, and tells nothing more. */
const SMALL = { width: 320, height: 180, frameRate: 15 };

/** @type {Set<Visit>} */
const visits = new Set();

export class Visit {
  /** What went wrong in the page's own scripts. @type {string[]} */
  errors = [];
  /** What the page told the console. @type {string[]} */
  warnings = [];
  /** Every request, by address. @type {{ url: string, headers: string }[]} */
  requests = [];
  /** Bytes over the wire, headers included, by address (Chromium only). @type {Map<string, number>} */
  bytes = new Map();
  /** Requests that have no answer yet (Chromium only), by id. @type {Map<string, string>} */
  pending = new Map();
  /** Frames as the network stack has them (Chromium only). @type {{ from: "page" | "broker", data: string }[]} */
  wire = [];

  /**
   * @param {string} who  for messages
   * @param {Browser} browser
   * @param {import("puppeteer-core").BrowserContext} context
   * @param {import("puppeteer-core").Page} page
   */
  constructor(who, browser, context, page) {
    this.who = who;
    this.browser = browser;
    this.context = context;
    this.page = page;
    /** @type {import("puppeteer-core").CDPSession | null} */
    this.cdp = null;
    visits.add(this);
  }

  /**
   * A new tab, in a context of its own unless one is given.
   * @param {string} who
   * @param {Browser} browser
   * @param {string} url
   * @param {Options} [options]
   */
  static async open(who, browser, url, options = {}) {
    const { context = await browser.puppet.createBrowserContext(), size = { width: 1280, height: 800 }, permissions } = options;
    if (permissions) await context.overridePermissions(new URL(url).origin, permissions);
    const visit = await Visit.adopt(who, browser, context, await context.newPage());
    const { page } = visit;
    await page.setViewport(size);
    if (options.scheme) await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: options.scheme }]);
    const { relayOnly, failing, noStorage, firstCandidate, firstPreference, picture = SMALL, crowd, plainSound } = options;
    await page.evaluateOnNewDocument(instrument, { relayOnly, failing, noStorage, firstCandidate, firstPreference, picture, crowd, plainSound });
    await page.evaluateOnNewDocument(`window.__measure = ${measure}`);
    await page.goto(url);
    return visit;
  }

  /**
   * Takes a tab that is there already.
   * @param {string} who
   * @param {Browser} browser
   * @param {import("puppeteer-core").BrowserContext} context
   * @param {import("puppeteer-core").Page} page
   */
  static async adopt(who, browser, context, page) {
    const visit = new Visit(who, browser, context, page);
    page.on("pageerror", (error) => visit.errors.push(String(error)));
    page.on("console", (message) => message.type() === "warn" && visit.warnings.push(message.text()));
    if (browser.kind === "chromium") await visit.#watchWire();
    else page.on("request", (request) => visit.requests.push({ url: request.url(), headers: JSON.stringify(request.headers()) }));
    return visit;
  }

  async #watchWire() {
    const cdp = await this.page.createCDPSession();
    this.cdp = cdp;
    /** @type {Map<string, string>} */
    const urls = new Map();
    await cdp.send("Network.enable");
    cdp.on("Network.requestWillBeSent", ({ requestId, request }) => {
      urls.set(requestId, request.url);
      this.pending.set(requestId, request.url);
      this.requests.push({ url: request.url, headers: JSON.stringify(request.headers) });
    });
    cdp.on("Network.webSocketCreated", ({ url }) => this.requests.push({ url, headers: "" }));
    cdp.on("Network.webSocketWillSendHandshakeRequest", ({ request }) =>
      this.requests.push({ url: "", headers: JSON.stringify(request.headers) }));
    cdp.on("Network.loadingFailed", ({ requestId }) => this.pending.delete(requestId));
    cdp.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      this.pending.delete(requestId);
      const url = urls.get(requestId) ?? requestId;
      this.bytes.set(url, (this.bytes.get(url) ?? 0) + encodedDataLength);
    });
    cdp.on("Network.webSocketFrameSent", ({ response }) => this.wire.push({ from: "page", data: response.payloadData }));
    cdp.on("Network.webSocketFrameReceived", ({ response }) => this.wire.push({ from: "broker", data: response.payloadData }));
  }

  /**
   * Asks the page something, without that counting as a gesture of its user.
   * @template T
   * @template {any[]} A
   * @param {(...args: A) => T} ask
   * @param {A} args
   * @returns {Promise<Awaited<T>>}
   */
  async read(ask, ...args) {
    if (!this.cdp) return /** @type {any} */ (this.page.evaluate(/** @type {any} */ (ask), ...args));
    const expression = `(${ask})(...${JSON.stringify(args)})`;
    const { result, exceptionDetails } = await this.cdp.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: false,
    });
    if (exceptionDetails) throw new Error(`${this.who}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  /**
   * Waits until the page answers with something true.
   * @template T
   * @template {any[]} A
   * @param {string} what
   * @param {(...args: A) => T} ask
   * @param {A} args
   * @returns {Promise<Exclude<Awaited<T>, false | null | undefined>>}
   */
  async see(what, ask, ...args) {
    return /** @type {any} */ (until(`${this.who}: ${what}`, () => this.read(ask, ...args), { why: () => this.tell() }));
  }

  /** What the page shows, for a message. */
  async tell() {
    try {
      const text = await this.read(() => `screen "${document.body.dataset.screen}": ${document.body.innerText.replace(/\s+/g, " ").slice(0, 600)}`);
      const last = (await this.frames()).slice(-6).map(({ from, message }) => `${from}: ${message.type}${message.error ? ` ${message.error}` : ""}`);
      return `It showed ${text}; last on the wire: ${last.join(", ")}; errors: ${[...this.errors, ...this.warnings].join("; ") || "none"}; unanswered: ${[...this.pending.values()].join(", ") || "none"}`;
    } catch (error) {
      return `(the page did not answer: ${error})`;
    }
  }

  /** @param {string} name */
  onScreen(name) {
    return this.see(`the screen "${name}"`, (wanted) => document.body?.dataset.screen === wanted, name);
  }

  /**
   * Waits until the text of what the selector finds, if visible, is this.
   * @param {string} selector
   * @param {string} text
   */
  says(selector, text) {
    return this.see(`${selector} says "${text}"`, (where, wanted) => {
      const element = /** @type {HTMLElement | null} */ (document.querySelector(where));
      return element?.checkVisibility() && element.innerText.replace(/\s+/g, " ").trim() === wanted.replace(/\s+/g, " ");
    }, selector, text);
  }

  /** @param {string} selector */
  visible(selector) {
    return this.see(`${selector} is visible`, (where) => [...document.querySelectorAll(where)].some((element) => element.checkVisibility()), selector);
  }

  /** To another page, also where this one is still busy coming or going by itself. @param {string} url */
  async go(url) {
    await until(`${this.who} goes to ${new URL(url).pathname}`, async () => Boolean(await this.page.goto(url)), { why: () => this.tell() });
  }

  /** Loads the page anew, also where it is about to do so by itself. */
  async reload() {
    await until(`${this.who} loads the page anew`, async () => Boolean(await this.page.reload()), { why: () => this.tell() });
  }

  /**
   * Clicks the first visible match in its middle, where it must not be covered; once more where it moved away under the mouse.
   * @param {string} selector
   */
  async click(selector) {
    await until(`${this.who}: the mouse hits ${selector}`, () => this.#hits(selector), { why: () => this.tell() });
  }

  /** @param {string} selector */
  async #hits(selector) {
    const point = await this.see(`${selector} can be clicked`, (where) => {
      const target = [...document.querySelectorAll(where)].find((element) => element.checkVisibility());
      if (!target || target.getAttribute("aria-disabled") === "true") return null;
      target.scrollIntoView({ block: "nearest", behavior: "instant" });
      const box = target.getBoundingClientRect();
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      const top = document.elementFromPoint(x, y);
      if (!top || !(target.contains(top) || top.contains(target))) return null;
      const page = /** @type {any} */ (window);
      page.__hit = null;
      // Pressed and let go on the same: what moves away in between was pressed by nobody.
      addEventListener("click", ({ target: met }) => {
        page.__hit = met instanceof Node && (target.contains(met) || met === top);
      }, { capture: true, once: true });
      return { x, y };
    }, selector);
    await this.page.mouse.click(point.x, point.y);
    // A page that has gone on was hit, and so was one behind a dialog of the browser's.
    return (await this.read(() => /** @type {any} */ (window).__hit).catch(() => null)) !== false;
  }

  /**
   * @param {string} selector
   * @param {string} text
   */
  async type(selector, text) {
    await this.click(selector);
    await this.page.keyboard.type(text);
  }

  /**
   * By keyboard alone: Tab until the focus is on a match. Wherever it stops on the way it must be seen.
   * @param {string} selector
   */
  async tabTo(selector) {
    /** @type {string[]} */
    const stops = [];
    for (let presses = 0; presses < 40; presses++) {
      await this.page.keyboard.press("Tab");
      const stop = await this.read((where) => {
        const focused = /** @type {HTMLElement} */ (document.activeElement);
        if (!focused || focused === document.body) return { name: "body", seen: true, reached: false };
        const { outlineStyle, outlineWidth } = getComputedStyle(focused);
        let opacity = 1;
        for (let element = /** @type {HTMLElement | null} */ (focused); element; element = element.parentElement) opacity *= Number(getComputedStyle(element).opacity);
        return {
          name: `${focused.localName}#${focused.id}.${focused.className} “${focused.innerText?.slice(0, 30)}”`,
          seen: focused.checkVisibility() && outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && opacity > 0.99,
          reached: focused.matches(where),
        };
      }, selector);
      stops.push(stop.name);
      if (!stop.seen) throw new Error(`${this.who}: the focus is not seen on ${stop.name}`);
      if (stop.reached) return;
    }
    throw new Error(`${this.who}: Tab does not lead to ${selector}, but to ${[...new Set(stops)].join(", ")}`);
  }

  /**
   * By keyboard alone: to a match, and the key.
   * @param {string} selector
   * @param {import("puppeteer-core").KeyInput} [key]
   */
  async press(selector, key = "Enter") {
    await this.tabTo(selector);
    await this.page.keyboard.press(key);
  }

  // ---- the ways through the page ----

  /**
   * From the link to the waiting room.
   * @param {string} name
   */
  async toWaiting(name) {
    await this.onScreen("welcome");
    await this.type("#name", name);
    await this.click("#name-form [type=submit]");
    await this.onScreen("check");
    await this.join("waiting");
  }

  /** From the link to the open room. */
  async toRoom() {
    await this.onScreen("check");
    await this.join("room");
  }

  /** On the device check: neither camera nor microphone is still being asked for. */
  devicesAnswer() {
    return this.see("the devices have answered", () =>
      [...document.querySelectorAll("#screen-check [data-do=device] .status")].every((status) => !/^(wartet|wait)$/.test(status.textContent ?? "")));
  }

  /** From the device check on. @param {string} [screen] */
  async join(screen) {
    await this.devicesAnswer();
    await this.click("#join");
    if (screen) await this.onScreen(screen);
  }

  /** The doctor: lets the first who waits in. */
  async admit() {
    await this.visible(".knock [data-do=admit]");
    // The sealed name comes a moment later, and what is said of it may move the button under the mouse.
    await this.see("who knocks has a name", (nameless) => document.querySelector(".knock [data-part=name]")?.textContent !== nameless, de["room.nameless"]);
    await this.click(".knock [data-do=admit]");
  }

  /** From here on the page is a patched one: it keeps its connections and hears no farewell. */
  async disobey() {
    await this.read(() => void (/** @type {any} */ (window).__seen.disobeys = true));
  }

  // ---- what is measured ----

  /** @returns {Promise<import("./instrument.js").Flow>} */
  flow() {
    return this.read(() => /** @type {any} */ (window).__measure());
  }

  /** The cameras and microphones that are on, by kind: what keeps the light burning. @returns {Promise<string[]>} */
  devicesInUse() {
    return this.read(() => /** @type {any} */ (window).__seen.tracks
      .filter((/** @type {MediaStreamTrack} */ track) => track.readyState === "live")
      .map((/** @type {MediaStreamTrack} */ track) => track.kind));
  }

  /** Begins to sample the flow. @param {number} [every]  ms */
  async sample(every = 50) {
    await this.read(/** @type {any} */ (sample), every);
  }

  /** @returns {Promise<import("./instrument.js").Flow[]>} the samples so far */
  samples() {
    return this.read(() => /** @type {any} */ (window).__seen.samples);
  }

  /**
   * Messages to and from the broker in this page life.
   * @returns {Promise<Frame[]>}
   */
  async frames() {
    const frames = await this.read(() => /** @type {any} */ (window).__seen.frames);
    return frames.map((/** @type {any} */ frame) => ({ ...frame, message: JSON.parse(frame.data) }));
  }

  /**
   * Waits until frames and sound arrive: `frames` more pictures and `packets` more audio packets than now.
   * @param {{ frames?: number, packets?: number }} [more]
   * @param {{ within?: number }} [options]  in ms
   */
  async receives({ frames = 6, packets = 20 } = {}, { within = 20_000 } = {}) {
    const before = await this.flow();
    return until(`${this.who} receives ${frames} frames and ${packets} audio packets`, async () => {
      const flow = await this.flow();
      return flow.decoded >= before.decoded + frames && flow.packets >= before.packets + packets && flow;
    }, { within, every: 100, why: async () => `${JSON.stringify(await this.flow())} ${await this.tell()}` });
  }

  /**
   * @param {string} path
   * @param {boolean} [fullPage]
   */
  async shoot(path, fullPage = false) {
    await this.page.screenshot({ path, fullPage });
  }

  async close() {
    visits.delete(this);
    await this.page.close().catch(() => {});
    if (this.context !== this.browser.puppet.defaultBrowserContext() && ![...visits].some((other) => other.context === this.context)) {
      await this.context.close().catch(() => {});
    }
  }
}

/** Ends all pages of a test; a script error in any of them fails it. */
export async function leaveAll() {
  const open = [...visits];
  const errors = open.flatMap(({ who, errors: own }) => own.map((error) => `${who}: ${error}`));
  for (const visit of open) await visit.close();
  if (errors.length > 0) throw new Error(`scripts failed in the pages: ${errors.join("\n")}`);
}

/** @param {import("./server.js").Server[]} servers */
export async function cleanUp(...servers) {
  await closeAll();
  for (const server of servers) await server?.stop();
}

export { isPassing };
