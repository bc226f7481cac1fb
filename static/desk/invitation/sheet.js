/**
 * The sheet for a person on paper. What it says comes from the tab that opened it, and stays in this one's memory: the tools around it
 * speak the user's language, the sheet the invited person's.
 */

import { all, el, put } from "../../shared/dom.js";
import { say } from "../../shared/say.js";
import { language } from "../../shared/tab.js";
import { blank, whenLeft, whenOut } from "../leaving.js";
import de from "../words/invitation.de.js";
import en from "../words/invitation.en.js";
import { pathOf, qr } from "./qr.js";
import { ASKS } from "./sheet-opener.js";

/** @typedef {import("./types.js").Sheet} Sheet */

/** By then a tab that is there has answered. */
const PATIENCE_MS = 5000;

whenLeft();
whenOut(() => {
  blank();
  close(); // where the browser lets it: a script has opened this tab
});
const own = language() === "en" ? en : de;
document.documentElement.lang = own["invite.letter.language"];
put(el.hint, own["invite.sheet.loading"]);
put(el.print, own["invite.sheet.print"]);
el.print.hidden = true;
el.print.addEventListener("click", () => print());

const opener = /** @type {Window | null} */ (window.opener);
const lost = setTimeout(tellLost, opener ? PATIENCE_MS : 0);
addEventListener("message", ({ source, origin, data }) => {
  if (source !== opener || origin !== location.origin) return;
  clearTimeout(lost);
  put(el.lost, null);
  draw(/** @type {Sheet} */ (data));
});
opener?.postMessage(ASKS, location.origin);

function tellLost() {
  put(el.hint, null);
  put(el.lost, own["invite.sheet.lost"]);
}

/** @param {Sheet} sheet */
function draw(sheet) {
  const words = sheet.language === "en" ? en : de;
  const tell = (/** @type {string} */ key) => say(words, `invite.sheet.${key}`, { ...sheet, phone: sheet.phone ?? "" });
  document.title = sheet.name; // the name of the file, if it is printed into one
  el.sheet.lang = sheet.language;
  for (const element of all("[data-say]", el.sheet)) put(element, tell(element.dataset.say ?? ""));
  for (const element of all("[data-fact]", el.sheet)) put(element, { date: sheet.date, phone: sheet.phone }[element.dataset.fact ?? ""]);
  for (const element of all(".call")) element.hidden = !sheet.phone;
  put(el.practice, sheet.practice);
  // A long name is broken where it has a dot.
  el.host.replaceChildren(...sheet.host.split(/(?<=\.)/).flatMap((part) => [part, document.createElement("wbr")]));
  put(el.code, sheet.code.replaceAll("-", " "));
  drawQr(sheet.link, tell);
  el.sheet.hidden = false;
  put(el.hint, own["invite.sheet.hint"]);
  el.print.hidden = false;
}

/** @param {string} link @param {(key: string) => string} tell */
function drawQr(link, tell) {
  const picture = /** @type {Element} */ (document.querySelector("#qr"));
  try {
    const { path, side } = pathOf(qr(link));
    picture.setAttribute("viewBox", `0 0 ${side} ${side}`);
    picture.setAttribute("aria-label", tell("qr"));
    picture.firstElementChild?.setAttribute("d", path);
    put(el["by-camera"], tell("phoneText"));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    picture.remove(); // a host name of that length: it must be typed
    put(el["by-camera"], tell("phoneBare"));
  }
}
