/**
 * The panel from which people are invited, and the sheet for paper, in a real browser: every way out of it, what leaves by it, axe on
 * each state, the printed page, its QR code read by a foreign reader. `VISAVIS_SHOTS=DIR` keeps pictures.
 */

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import ICAL from "ical.js";
import { PANELS, occasion } from "../../static/desk/invitation/samples.js";
import { letterOf, linkOf, sheetOf } from "../../static/desk/invitation/texts.js";
import de from "../../static/desk/words/invitation.de.js";
import { violations } from "./lib/axe.js";
import { launch } from "./lib/browser.js";
import { Server } from "./lib/server.js";
import { axeLooks } from "./lib/states.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** @typedef {import("../../static/desk/invitation/types.js").Panel} Panel */
/** @typedef {import("../../static/desk/invitation/types.js").Occasion} Occasion */

const SHOTS = process.env.VISAVIS_SHOTS;
const SECRET = /** @type {string} */ (occasion().facts.secret);
const TARGET_PX = 48;
const LONG = { name: "Überörtliche Berufsausübungsgemeinschaft für Kinder- und Jugendmedizin Dr. Müller-Lüdenscheidt, Dr. Kranz", phone: "+49 (0) 30 12345678-90", timeZone: "Europe/Berlin" };

/** @type {Server} */
let server;
/** @type {import("./lib/browser.js").Browser} */
let browser;

before(async () => {
  if (SHOTS) await mkdir(SHOTS, { recursive: true });
  server = await Server.start();
  browser = await launch("chromium");
});
afterEach(leaveAll);
after(() => cleanUp(server));

describe("every state of the panel", () => {
  for (const scheme of /** @type {const} */ (["light", "dark"])) {
    test(`breaks no rule of axe, needs no sideways scrolling and has large targets (${scheme})`, async () => {
      const visit = await openBare({ scheme });
      const found = [];
      for (const language of ["de", "en"]) {
        for (const width of [1280, 360, 320]) {
          await visit.page.setViewport({ width, height: 800 });
          for (const [at, { name, panel }] of PANELS.entries()) {
            await draw(visit, panel, language);
            const troubles = [...(axeLooks(width, at) ? await violations(visit) : []), ...(await measured(visit))];
            found.push(...troubles.map((trouble) => `${name}, ${language}, ${width} px: ${trouble}`));
            if (SHOTS && width !== 320) await visit.shoot(join(SHOTS, `${name}-${language}-${scheme}-${width}.png`), true);
          }
        }
      }
      assert.equal(found.join("\n"), "");
    });
  }
});

describe("the panel", () => {
  test("copies link and text, and says so", async () => {
    const visit = await mounted(occasion(), { permissions: ["clipboard-read", "clipboard-sanitized-write"] });
    const copied = () => visit.page.evaluate(() => navigator.clipboard.readText());
    await visit.click("[data-way=copyLink]");
    await visit.says("[data-part=outcome]", de["invite.did.copyLink"]);
    assert.equal(await copied(), linkOf(occasion(), 2));
    await visit.click("[data-way=copyText]");
    await visit.says("[data-part=outcome]", de["invite.did.copyText"]);
    assert.equal(await copied(), letterOf("invitation", occasion(), 2).text);
  });

  test("shows the text to copy by hand where the browser does not allow copying", async () => {
    const visit = await mounted(occasion());
    await visit.read(() => Object.defineProperty(navigator, "clipboard", { value: { writeText: () => Promise.reject(new DOMException("", "NotAllowedError")) } }));
    await visit.click("[data-way=copyLink]");
    await visit.says("[data-part=outcome]", de["invite.did.notCopied"]);
    assert.equal(await visit.read(() => getSelection()?.toString() || /** @type {HTMLTextAreaElement} */ (document.activeElement).value), linkOf(occasion(), 2));
  });

  test("opens mail program and phone with the finished text", async () => {
    const visit = await mounted(occasion());
    const [mail, phone] = await visit.read(() => ["write", "sms"].map((way) => /** @type {HTMLAnchorElement} */ (document.querySelector(`[data-way=${way}]`)).href));
    const url = new URL(mail);
    assert.deepEqual([url.protocol, url.pathname], ["mailto:", "maria.muster@patient.example"]);
    assert.ok(url.searchParams.get("body")?.includes(linkOf(occasion(), 2)));
    assert.match(phone, /^sms:\+491711234567\?&body=/);
  });

  test("hands the text to the device's share sheet", async () => {
    const visit = await openBare({});
    await visit.read(() => {
      /** @type {any} */ (navigator).share = (/** @type {ShareData} */ data) => {
        /** @type {any} */ (window).__shared = data;
        return Promise.resolve();
      };
    });
    await mount(visit, occasion(), true);
    await visit.click("[data-way=share]");
    await visit.says("[data-part=outcome]", de["invite.did.share"]);
    const { title, text } = await visit.read(() => /** @type {any} */ (window).__shared);
    assert.deepEqual({ title, text }, { title: letterOf("invitation", occasion(), 2).subject, text: letterOf("invitation", occasion(), 2).text });
  });

  test("sends through the practice's server without the secret, and forgets the address", async () => {
    const visit = await mounted(occasion());
    await visit.click("[data-way=send]");
    await visit.says("[data-part=means-secret]", de["invite.means.secret"]);
    await visit.read(() => /** @type {HTMLInputElement} */ (document.querySelector("input[type=email]")).select());
    await visit.page.keyboard.type("andere@patient.example");
    await visit.click("[data-part=sendNow]");
    await visit.says("[data-part=outcome]", de["invite.did.send"]);
    const [{ id, mail }] = await visit.read(() => /** @type {any} */ (window).__sent);
    assert.equal(id, occasion().desk.id);
    assert.deepEqual([mail.to, mail.method], ["andere@patient.example", "REQUEST"]);
    assert.ok(mail.text.includes(linkOf(occasion(), 2, false)));
    assert.ok(!JSON.stringify(mail).replaceAll("\\r\\n ", "").includes(SECRET), JSON.stringify(mail));
    assert.equal(new ICAL.Component(ICAL.parse(mail.calendar)).getFirstPropertyValue("method"), "REQUEST");
    assert.equal(await visit.read(() => /** @type {HTMLInputElement} */ (document.querySelector("input[type=email]")).value), occasion().facts.email);
    assert.equal(await visit.read(() => /** @type {HTMLElement} */ (document.activeElement).dataset.way), "send", "the focus is where the form was opened");
  });

  test("says in the mail server's words why a mail did not leave, and keeps the address for the next try", async () => {
    const visit = await mounted(occasion());
    await visit.read(() => (/** @type {any} */ (window).__refuse = { kind: "mail", detail: "550 5.1.1 <…> User unknown" }));
    await visit.click("[data-way=send]");
    await visit.click("[data-part=sendNow]");
    await visit.says("[data-part=outcome]", de["invite.failed.mail"].replace("{detail}", "550 5.1.1 <…> User unknown"));
    assert.equal(await visit.read(() => document.querySelector("[data-part=form]")?.checkVisibility()), true);
  });

  test("asks nobody while the address cannot be one", async () => {
    const visit = await mounted(occasion({ facts: { email: "maria" } }));
    await visit.click("[data-way=send]");
    await visit.click("[data-part=sendNow]");
    await visit.says("form [data-part=problem]", de["invite.failed.address"]);
    assert.deepEqual(await visit.read(() => [document.activeElement?.getAttribute("aria-invalid"), /** @type {any} */ (window).__sent.length]), ["true", 0]);
  });

  test("tells a cancellation with a calendar that takes the appointment out", async () => {
    const about = occasion({ state: "revoked", sequence: 2 });
    const visit = await mounted(about);
    await visit.click("[data-way=send]");
    await visit.click("[data-part=sendNow]");
    await visit.says("[data-part=outcome]", de["invite.did.send"]);
    const [{ mail }] = await visit.read(() => /** @type {any} */ (window).__sent);
    assert.deepEqual([mail.method, mail.subject], ["CANCEL", letterOf("cancellation", about, 2).subject]);
    const event = new ICAL.Event(/** @type {any} */ (new ICAL.Component(ICAL.parse(mail.calendar)).getFirstSubcomponent("vevent")));
    assert.deepEqual([event.sequence, event.component.getFirstPropertyValue("status")], [2, "CANCELLED"]);
  });

  test("saves a calendar file that a foreign reader understands", async () => {
    const visit = await mounted(occasion());
    const folder = await mkdtemp(join(tmpdir(), "visavis-saved-"));
    try {
      await visit.cdp?.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder, browserContextId: visit.context.id });
      await visit.click("[data-way=calendar]");
      await visit.says("[data-part=outcome]", de["invite.did.calendar"]);
      const [name] = await until("the file is there", async () => {
        const names = await readdir(folder);
        return names.length === 1 && names[0].endsWith(".ics") && names;
      });
      assert.equal(name, "termin-2026-11-30.ics");
      const event = new ICAL.Event(/** @type {any} */ (new ICAL.Component(ICAL.parse(await readFile(join(folder, name), "utf8"))).getFirstSubcomponent("vevent")));
      assert.deepEqual([event.summary, event.location], ["Videotermin", linkOf(occasion(), 2)]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("is used by keyboard alone", async () => {
    const visit = await mounted(occasion({ sequence: 1 }), { permissions: ["clipboard-read", "clipboard-sanitized-write"] });
    await visit.tabTo("input[value=change]");
    await visit.page.keyboard.press("ArrowLeft");
    await visit.see("the invitation is chosen", () => /** @type {HTMLInputElement} */ (document.querySelector("input[value=invitation]")).checked);
    await visit.press("[data-way=copyLink]");
    await visit.says("[data-part=outcome]", de["invite.did.copyLink"]);
    await visit.press("[data-way=send]");
    await visit.see("the focus is on the address", () => document.activeElement?.matches("input[type=email]"));
    await visit.page.keyboard.press("Enter");
    await visit.says("[data-part=outcome]", de["invite.did.send"]);
    await visit.press("summary");
    await visit.visible(".letter");
  });
});

describe("the sheet", () => {
  for (const [name, about] of /** @type {[string, Occasion][]} */ ([
    ["german", occasion()],
    ["english", occasion({ language: "en" })],
    ["long", occasion({ practice: LONG, origin: "https://video.gemeinschaftspraxis-muensterland.example.org", durationMinutes: 480 })],
  ])) {
    test(`is one page of paper, clean by axe, and its code leads to the link (${name})`, async () => {
      const visit = await openBare({});
      await mount(visit, about, true);
      const sheet = await printed(visit);
      const { date, time, host, code } = sheetOf(about, 2);
      const shown = await sheet.read(() => document.querySelector("#sheet")?.textContent ?? "");
      for (const part of [date, time, host, code.replaceAll("-", " "), about.practice.name, about.practice.phone ?? ""]) assert.ok(shown.includes(part), part);
      assert.doesNotMatch(shown + (await sheet.page.title()), /Maria/);
      for (const scheme of ["light", "dark"]) {
        await sheet.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }, { name: "prefers-reduced-motion", value: "reduce" }]);
        for (const width of [1280, 360, 320]) {
          await sheet.page.setViewport({ width, height: 800 });
          const broken = axeLooks(width, 0) ? await violations(sheet) : [];
          assert.deepEqual([...broken, ...(await measured(sheet))], [], `${scheme}, ${width} px`);
          if (SHOTS) await sheet.shoot(join(SHOTS, `sheet-${name}-${scheme}-${width}.png`), true);
        }
      }
      await sheet.page.setViewport({ width: 1280, height: 800 });
      assert.equal(await decoded(sheet), linkOf(about, 2));
      const pdf = Buffer.from(await sheet.page.pdf({ preferCSSPageSize: true }));
      if (SHOTS) await writeFile(join(SHOTS, `sheet-${name}.pdf`), pdf);
      assert.equal([...pdf.toString("latin1").matchAll(/\/Type\s*\/Page\b/g)].length, 1, "one page");
      assert.match(pdf.toString("latin1"), /\/MediaBox\s*\[0 0 59[45][.\d]* 84[12][.\d]*\]/, "A4");
    });
  }

  test("comes without a code to scan where the link is too long for one, and says what to type", async () => {
    const visit = await openBare({});
    await mount(visit, occasion({ origin: `https://${"praxis-".repeat(8)}x.${"gemeinschaft-".repeat(4)}x.${"video-".repeat(9)}x.example` }), true);
    const sheet = await printed(visit);
    assert.equal(await sheet.read(() => document.querySelector("#qr")), null);
    assert.equal(await sheet.read(() => document.querySelector("#by-camera")?.textContent), de["invite.sheet.phoneBare"]);
  });

  test("comes back after a reload, and says what to do when it was opened by itself", async () => {
    const visit = await mounted(occasion());
    const sheet = await printed(visit);
    await sheet.reload();
    await sheet.visible("#sheet");
    const alone = await Visit.open("sheet", browser, `${server.origin}/desk/sheet.html`);
    await alone.says("#lost", de["invite.sheet.lost"]);
    assert.deepEqual(await violations(alone), []);
  });

  test("leaves no trace of the secret in any address, request or storage", async () => {
    const visit = await mounted(occasion());
    const sheet = await printed(visit);
    for (const { requests, page } of [visit, sheet]) {
      assert.ok(!JSON.stringify(requests).includes(SECRET));
      assert.ok(!page.url().includes(SECRET));
    }
    const kept = await sheet.read(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, history.state, document.cookie, name]));
    assert.ok(!kept.includes(SECRET), kept);
  });
});

/**
 * A page of the server's with the desk's look and nothing in it.
 * @param {import("./lib/visit.js").Options} options
 */
async function openBare(options) {
  const visit = await Visit.open("desk", browser, `${server.origin}/legal/imprint`, options);
  await visit.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: options.scheme ?? "light" }, { name: "prefers-reduced-motion", value: "reduce" }]);
  await visit.read(async () => {
    for (const link of document.querySelectorAll("link[rel=stylesheet]")) link.remove();
    const main = document.createElement("main");
    main.className = "page";
    const title = document.createElement("h1");
    title.textContent = "30. November, 09:00 Uhr";
    const place = document.createElement("div");
    place.id = "place";
    main.append(title, place);
    document.body.replaceChildren(main);
    await Promise.all(["/shared/base.css", "/desk/style.css", "/desk/invitation.css"].map((href) => new Promise((done) => {
      const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href, onload: done });
      document.head.append(link);
    })));
  });
  return visit;
}

/** @param {Occasion} about @param {import("./lib/visit.js").Options} [options] */
async function mounted(about, options = {}) {
  const permissions = options.permissions;
  const context = await browser.puppet.createBrowserContext();
  if (permissions) await context.overridePermissions(server.origin, permissions);
  const visit = await openBare({ ...options, context, permissions: undefined });
  await mount(visit, about, true);
  return visit;
}

/** With a server that takes everything unless it is told to refuse. @param {Visit} visit @param {Occasion} about @param {boolean} mail */
async function mount(visit, about, mail) {
  await visit.read(async (occasion, hasMail) => {
    const load = (/** @type {string} */ path) => import(path);
    const page = /** @type {any} */ (window);
    page.__sent = [];
    const { mountInvitation } = await load("/desk/invitation/panel.js");
    const { default: words } = await load("/desk/words/invitation.de.js");
    const send = async (/** @type {string} */ id, /** @type {object} */ mail) => {
      if (page.__refuse) throw page.__refuse;
      page.__sent.push({ id, mail });
    };
    mountInvitation(document.querySelector("#place"), { occasion, words, mail: hasMail, send });
  }, about, mail);
}

/** @param {Visit} visit @param {Panel} panel @param {string} language */
async function draw(visit, panel, language) {
  await visit.read(async (state, which) => {
    const load = (/** @type {string} */ path) => import(path);
    const { draw: show } = await load("/desk/invitation/view.js");
    document.querySelector("#place")?.replaceChildren();
    show(document.querySelector("#place"), state, (await load(`/desk/words/invitation.${which}.js`)).default);
    document.documentElement.lang = which;
    for (const details of document.querySelectorAll("details")) details.open = true;
  }, panel, language);
}

/** The sheet's tab. @param {Visit} visit */
async function printed(visit) {
  const tab = new Promise((done) => visit.page.once("popup", done));
  await visit.click("[data-way=print]");
  const sheet = await Visit.adopt("sheet", browser, visit.context, /** @type {any} */ (await tab));
  await visit.says("[data-part=outcome]", de["invite.did.print"]);
  await sheet.visible("#sheet");
  return sheet;
}

/** What a foreign reader sees in the picture of the sheet. @param {Visit} sheet @returns {Promise<string | null>} */
async function decoded(sheet) {
  const picture = await (await sheet.page.$("#qr"))?.screenshot({ encoding: "base64" });
  const source = await readFile(createRequire(import.meta.url).resolve("jsqr"), "utf8");
  await sheet.cdp?.send("Runtime.evaluate", { expression: source });
  return sheet.read(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.drawImage(image, 0, 0);
    const { data: pixels } = context.getImageData(0, 0, image.width, image.height);
    return /** @type {any} */ (window).jsQR(pixels, image.width, image.height)?.data ?? null;
  }, picture);
}

/**
 * What axe does not measure: sideways scrolling, text that leaves the window, and targets that are too small (R40).
 * @param {Visit} visit
 * @returns {Promise<string[]>}
 */
function measured(visit) {
  return visit.read((least) => {
    const found = [];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} px wide`);
    for (const element of document.querySelectorAll("h1, h2, h3, h4, p, button, a, input, textarea, summary, label")) {
      if (!element.checkVisibility() || element.closest(".unseen")) continue;
      const { left, right, width, height } = element.getBoundingClientRect();
      const name = `${element.localName} “${element.textContent?.slice(0, 30)}”`;
      if (left < -1 || right > clientWidth + 1) found.push(`${name} leaves the window: ${Math.round(left)} to ${Math.round(right)} px`);
      if (element.matches("button, a, input, textarea, summary") && (width < least - 0.5 || height < least - 0.5)) found.push(`${name} is only ${Math.round(width)} x ${Math.round(height)} px`);
    }
    return found;
  }, TARGET_PX);
}
