/**
 * A page of the desk drawn in each of its sample states, without `main.js`, so that nothing changes what a test draws; and what axe does
 * not measure.
 */

import { day } from "./turns.js";
import { Visit } from "./visit.js";

/** A desk, a phone, and 1280 px at 400 % (WCAG 1.4.10): 320 px. */
export const SIZES = [[1280, 800], [360, 640], [320, 740]];
/** What axe finds does not change with the size, but for what is hidden. */
const AXE_WIDTHS = [1280, 360];

/** Languages and schemes, in the order in which plain runs look at them, two days each: so each state meets each of them wide and narrow. */
const COMBINATIONS = ["de light", "en dark", "de dark", "en light"];

/**
 * Why a language's states are not looked at in this scheme, if so: a plain run looks at one language in one scheme,
 * `tests/run --long pages` at each in each, and so does whoever wants pictures.
 * @param {string} language
 * @param {string} scheme
 */
export function notLookedAt(language, scheme) {
  const isLong = process.env.VISAVIS_LONG || process.env.VISAVIS_SHOTS;
  const due = COMBINATIONS[Math.floor(day / 2) % COMBINATIONS.length];
  return !isLong && `${language} ${scheme}` !== due && `it has its turn on another day (today, ${day}: ${due})`;
}

/**
 * Where axe looks, which takes most of all the time: at each state once, wide or narrow, and the other way the next day; in a long run
 * everywhere.
 * @param {number} width
 * @param {number} at  the state's place in the list
 */
export function axeLooks(width, at) {
  return process.env.VISAVIS_LONG ? AXE_WIDTHS.includes(width) : width === AXE_WIDTHS[(at + day) % 2];
}

const TARGET_PX = 48;

/**
 * @param {import("./browser.js").Browser} browser
 * @param {string} url
 * @param {{ folder: string, part: string, language: string, scheme: "light" | "dark" }} which  the page's folder under `static/desk`, its words
 */
export async function openUnwired(browser, url, { folder, part, language, scheme }) {
  const visit = await Visit.open("page", browser, "about:blank", { scheme });
  await visit.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }, { name: "prefers-reduced-motion", value: "reduce" }]);
  await visit.page.setRequestInterception(true);
  visit.page.on("request", (request) =>
    request.url().endsWith("/main.js") ? request.respond({ contentType: "text/javascript", body: "" }) : request.continue());
  await visit.page.goto(url);
  await visit.read(async (from, of, spoken) => {
    const page = /** @type {any} */ (window);
    page.__view = await import(`${location.origin}/desk/${from}/view.js`);
    page.__view.mount(() => {});
    page.__words = await (await import(`${location.origin}/desk/words.js`)).load(spoken, of);
  }, folder, part, language);
  return visit;
}

/**
 * @param {Visit} visit
 * @param {object} state
 * @returns {Promise<string[]>} every text that is to be seen or heard
 */
export function draw(visit, state) {
  return visit.read((sample) => {
    const { __view: view, __words: words } = /** @type {any} */ (window);
    view.render({ ...sample, language: words.language }, words);
    const seen = [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility());
    return [document.title, ...seen.flatMap((element) => [element.textContent ?? "", element.getAttribute("aria-label") ?? ""])];
  }, state);
}

/**
 * What axe does not measure: sideways scrolling, text that leaves the window, and targets that are too small (R40).
 * @param {Visit} visit
 * @returns {Promise<string[]>}
 */
export function measured(visit) {
  return visit.read((least) => {
    /** @param {Element} element */
    const name = (element) => `${element.localName}${element.id ? `#${element.id}` : ""} “${element.textContent?.trim().slice(0, 30)}”`;
    const found = [];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} px wide`);
    const top = document.querySelector("dialog[open]") ?? document;
    if (top instanceof HTMLElement && top.scrollWidth > top.clientWidth) found.push(`${top.id} scrolls sideways`);
    for (const element of top.querySelectorAll("h1, h2, h3, p, a, button, input, select, textarea, summary, label, li, td")) {
      if (!element.checkVisibility() || element.closest(".unseen, .symbols")) continue;
      const box = element.getBoundingClientRect();
      if (box.left < -1 || box.right > clientWidth + 1) found.push(`${name(element)} leaves the window: ${Math.round(box.left)} to ${Math.round(box.right)} px`);
      const target = element.matches("a, button, select, textarea, summary, input");
      if (target && (box.width < least - 0.5 || box.height < least - 0.5)) found.push(`${name(element)} is only ${Math.round(box.width)} x ${Math.round(box.height)} px`);
    }
    return found;
  }, TARGET_PX);
}
