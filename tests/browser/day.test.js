/**
 * A whole day of a practice, with the real server, a real mail server and two workplaces: set up, joined by a doctor and a member of
 * staff, an appointment planned, invited to by mail, paper and calendar, knocked for, held, another one moved and called off; and how
 * everything goes when its time has come. The parts follow each other. `VISAVIS_SHOTS=DIR` keeps pictures, the sheet and the mails.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import ICAL from "ical.js";
import invitation from "../../static/desk/words/invitation.de.js";
import list from "../../static/desk/words/list.de.js";
import { launch } from "./lib/browser.js";
import { instrument, measure } from "./lib/instrument.js";
import { addUser, arrive, checkWords, chooseOwn, fill, keepRecoveryKey, press, setUp, signIn, signOut, turnTo } from "./lib/practice.js";
import { Server } from "./lib/server.js";
import { Smtp } from "./lib/smtp.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

const SHOTS = process.env.VISAVIS_SHOTS;
const PRACTICE = "markt";
const ZONE = "Europe/Berlin";
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const STAFF_PASSWORD = "Kaffee um halb zehn";
const FROM = "termine@praxis.example";
const PATIENT = { name: "Hildegard Öztürk", title: "Verlaufskontrolle", phone: "0171 2345678", email: "hildegard@patient.example", note: "hört schlecht, Tochter hilft" };
const GUEST = "Tochter Ayşe";
const OTHER = { name: "Jürgen Groß", email: "juergen@patient.example" };
/** What no subject and no file name may tell. */
const MEDICAL = /arzt|ärzt|praxis|patient|medizin|klinik|kontrolle|sprechstunde|behandl|diagnos|therap|gesund|krank/i;

/** As the appointment's day goes on. */
const day = {
  start: Math.ceil((Date.now() + 10 * MINUTE_MS) / (5 * MINUTE_MS)) * 5 * MINUTE_MS,
  id: "",
  code: "",
  link: "",
  sealed: "",
  uid: "",
};
let initial = { doctor: "", staff: "" };
/** @type {{ practice: import("./lib/browser.js").Browser, patient: import("./lib/browser.js").Browser }} */
let browsers;
/** @type {Server} */
let server;
/** @type {Smtp} */
let smtp;
let scratch = "";
/** The first workplace, “Empfang”, and the second, “Zimmer 2”. @type {Visit} */
let reception;
/** @type {Visit} */
let room;
/** @type {Visit} */
let call;
/** @type {Visit} */
let patient;

before(async () => {
  process.env.TZ = ZONE; // the browsers are there
  if (SHOTS) await mkdir(SHOTS, { recursive: true });
  scratch = await mkdtemp(join(tmpdir(), "visavis-day-"));
  smtp = await Smtp.start();
  const file = join(scratch, "smtp-url");
  await writeFile(file, smtp.url);
  server = await Server.start({ args: ["--smtp-url-file", file, "--mail-from", FROM] });
  browsers = { practice: await launch("chromium"), patient: await launch("chromium") };
});
after(async () => {
  await leaveAll().finally(() => cleanUp(server));
  await smtp?.stop();
  await rm(scratch, { recursive: true, force: true });
});

part("in the morning the practice is set up, and a doctor and a member of staff are added", async () => {
  const { visit } = await setUp(server, browsers.practice, PRACTICE);
  reception = visit;
  initial = { doctor: String(await addUser(reception, "dr.yilmaz", "doctor")), staff: String(await addUser(reception, "kaya", "staff")) };
  await shoot(reception, "people");
});

part("the doctor's browser becomes the second workplace when both sides show the same words", async () => {
  const { visit } = await arrive(server, browsers.practice, { practice: PRACTICE, user: "dr.yilmaz", initial: initial.doctor, workplace: "Zimmer 2" });
  room = visit;
  await turnTo(reception, "workplaces");
  assert.equal(await checkWords(reception, "[data-part=words]"), await checkWords(room, "#waiting-words"));
  await press(reception, "release", "Zimmer 2");
  await room.onScreen("list");
  await room.says("#empty-text", list["list.empty"]);
});

part("the member of staff signs in at the first one, with a password and a recovery key of her own", async () => {
  await signOut(reception);
  await signIn(reception, PRACTICE, "kaya", initial.staff);
  await chooseOwn(reception, STAFF_PASSWORD);
  await keepRecoveryKey(reception);
  await reception.onScreen("list");
});

part("she plans an appointment, and the doctor sees it without a reload", async () => {
  await reception.click("a[href='#plan']");
  await reception.onScreen("plan");
  await plan({ ...PATIENT, guests: GUEST }, day.start);
  await shoot(reception, "plan");
  await reception.click("#plan-save");
  await reception.says("#told", list["detail.created"]);
  await saved();
  await reception.says("#detail-title", PATIENT.name);
  assert.deepEqual(await cards(), [PATIENT.name, GUEST]);
  day.id = await reception.read(() => location.hash.split("=")[1]);
  day.code = await reception.read(() => document.querySelector("#invitation .code-shown")?.textContent ?? "");
  day.sealed = (await stored(day.id)).sealed;
  await shoot(reception, "detail");
  await room.says(".visit [data-part=name]", PATIENT.name);
});

part("the mail comes from the practice, with the code and a calendar, and without the link's secret", async () => {
  await reception.click("#invitation [data-way=send]");
  await shoot(reception, "sending");
  await reception.click("#invitation [data-part=sendNow]");
  await reception.says("#invitation [data-part=outcome]", invitation["invite.did.send"]);
  const mail = await received(1);
  assert.deepEqual([mail.name, mail.address, mail.to], ["Praxis am Markt", FROM, [PATIENT.email]]);
  assert.equal(mail.subject, `Ihr Videotermin am ${inZone(day.start, { weekday: "long", day: "numeric", month: "long" })} um ${clock(day.start)} Uhr`);
  assert.ok(mail.text.includes(`${server.origin}/#${day.code}\n`), mail.text);
  assert.ok(mail.text.includes("030 1234567"));
  for (const name of [PATIENT.name, PATIENT.title, PATIENT.note, GUEST]) assert.ok(!mail.everything.includes(name), name);
  const { event, method, alarm } = calendar(mail.ics);
  assert.deepEqual([method, mail.method, event.sequence], ["REQUEST", "REQUEST", 0]);
  assert.equal(event.startDate.toJSDate().getTime(), day.start);
  assert.equal(event.startDate.zone, ICAL.Timezone.utcTimezone);
  assert.equal(event.endDate.toJSDate().getTime(), day.start + 20 * MINUTE_MS);
  assert.equal(alarm, "-PT15M");
  assert.ok(event.uid.startsWith(day.id));
  day.uid = event.uid;
});

part("the sheet is a page of paper, and its pattern is the patient's link with the secret", async () => {
  const tab = new Promise((done) => reception.page.once("popup", done));
  await reception.click("#invitation [data-way=print]");
  const sheet = await Visit.adopt("sheet", browsers.practice, reception.context, /** @type {any} */ (await tab));
  await sheet.visible("#sheet");
  const pdf = join(SHOTS ?? scratch, "day-sheet.pdf");
  await writeFile(pdf, await sheet.page.pdf({ preferCSSPageSize: true }));
  const { stdout: about } = await run("pdfinfo", [pdf]);
  assert.match(about, /Pages:\s+1\n/);
  assert.match(about, /Page size:.*\(A4\)/);
  const picture = await onPaper(pdf);
  day.link = String(await decoded(sheet, picture));
  assert.match(day.link, new RegExp(`^${server.origin}/#${day.code}\\.[\\w-]{22}$`));
  for (const { raw } of smtp.received) assert.ok(!raw.includes(day.link.split(".").at(-1) ?? ""), "the mail has no secret");
  await sheet.close();
  await reception.page.bringToFront();
});

part("the calendar file is read by a foreign reader, and leads to the same link", async () => {
  const folder = await mkdtemp(join(scratch, "saved-"));
  await reception.cdp?.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder, browserContextId: reception.context.id });
  await reception.click("#invitation [data-way=calendar]");
  const name = await until("the file is there", async () => (await readdir(folder)).find((file) => file.endsWith(".ics")));
  assert.doesNotMatch(name, MEDICAL);
  const { event, method } = calendar(await readFile(join(folder, name), "utf8"));
  assert.deepEqual([method, event.uid, event.location, event.startDate.toJSDate().getTime()], ["PUBLISH", day.uid, day.link, day.start]);
});

part("the patient opens the link and waits; the knock is heard and seen, and only the doctor may start", async () => {
  await listenForTones(room);
  await reception.click(".back");
  await reception.onScreen("list");
  patient = await Visit.open("patient", browsers.patient, day.link);
  await patient.toWaiting("Hilde");
  await patient.see("the practice's name", () => document.body.innerText.includes("Praxis am Markt"));
  for (const visit of [room, reception]) await visit.says("#queue .who", `${PATIENT.name} wartet ${list["list.since.now"]}`);
  assert.equal(await tones(room), 2, "a knock is two beats");
  await room.visible(".visit [data-do=start]");
  assert.equal(await reception.read(() => [...document.querySelectorAll("[data-do=start]")].some((button) => button.checkVisibility())), false);
  await shoot(room, "knock-doctor");
  await shoot(reception, "knock-staff");
});

part("the doctor starts from the list and admits, and both see and hear each other", async () => {
  const before = await room.context.pages();
  const opened = until("the call's tab", async () => (await room.context.pages()).find((page) => !before.includes(page)));
  await room.click(".visit [data-do=start]");
  call = await Visit.adopt("call", browsers.practice, room.context, await opened);
  // No connection is made before somebody is admitted.
  await call.page.evaluate(instrument, {});
  await call.page.evaluate(`window.__measure = ${measure}`);
  await call.page.bringToFront();
  await call.toRoom();
  await call.says(".knock [data-part=name]", "Hilde");
  await call.click(".knock [data-do=admit]");
  await Promise.all([call.onScreen("call"), patient.onScreen("call")]);
  await Promise.all([call.receives(), patient.receives()]);
  await shoot(call, "call-doctor");
  await shoot(patient, "call-patient");
  await reception.says(".visit [data-id=on]", list["list.mark.on"]);
});

part("the doctor hangs up, and the list is quiet again", async () => {
  await call.click("#hangup");
  await Promise.all([call.onScreen("end"), patient.onScreen("end")]);
  await shoot(call, "end-doctor");
  await shoot(patient, "end-patient");
  await call.close();
  await room.page.bringToFront();
  await room.see("nobody is in it", () => !document.querySelector(".visit [data-id=on]") && !document.title.startsWith("("));
});

part("another appointment is moved and called off: the patient's calendar follows, as the same event", async () => {
  const [first, second] = [day.start + DAY_MS, day.start + DAY_MS + 45 * MINUTE_MS];
  await reception.click("a[href='#plan']");
  await reception.onScreen("plan");
  await plan(OTHER, first);
  await reception.click("#plan-save");
  await reception.onScreen("detail");
  await saved();
  await sendMail();
  const invited = calendar((await received(2)).ics);

  await reception.click("#detail-change");
  await reception.onScreen("plan");
  await plan({}, second);
  await reception.click("#plan-save");
  await reception.says("#told", list["detail.moved"]);
  assert.equal(await reception.read(() => document.querySelector("#invitation [data-part=outcome]")?.textContent), "", "of the new letter nothing is sent yet");
  await shoot(reception, "moved");
  await sendMail();
  const change = await received(3);
  assert.equal(change.subject, `Ihr Videotermin ist verlegt auf ${inZone(second, { weekday: "long", day: "numeric", month: "long" })}, ${clock(second)} Uhr`);
  const moved = calendar(change.ics);
  assert.deepEqual([moved.event.uid, moved.method, moved.event.startDate.toJSDate().getTime()], [invited.event.uid, "REQUEST", second]);
  assert.ok(moved.event.sequence > invited.event.sequence);

  await reception.click("#detail-cancel");
  await reception.click("#dialog-yes");
  await reception.says("#told", list["detail.cancelled"]);
  await reception.says("#invitation [data-part=title]", invitation["invite.titleCancelled"]);
  await sendMail();
  const gone = await received(4);
  assert.match(gone.subject, /entfällt$/);
  const cancelled = calendar(gone.ics);
  assert.deepEqual([cancelled.event.uid, cancelled.method, cancelled.event.component.getFirstPropertyValue("status")], [invited.event.uid, "CANCEL", "CANCELLED"]);
  assert.ok(cancelled.event.sequence > moved.event.sequence);
  await shoot(reception, "cancelled");
});

part("two days later the appointment is found by its name among the past ones", async () => {
  await room.close();
  await patient.close();
  await daysLater(2);
  await signIn(reception, PRACTICE, "kaya", STAFF_PASSWORD);
  await reception.says("#empty-text", list["list.empty"]);
  await reception.click("#past");
  await reception.type("#search", "oztu");
  await reception.says(".visit [data-part=name]", PATIENT.name);
  assert.ok(await onDisk(day.sealed));
  await shoot(reception, "past");
});

part("after forty days it is gone, from the list and from the disk", async () => {
  await daysLater(40);
  await signIn(reception, PRACTICE, "kaya", STAFF_PASSWORD);
  await reception.onScreen("list");
  await reception.click("#past");
  await reception.says("#empty-text", list["list.empty.past"]);
  await until("no trace of it is on the disk", async () => !(await onDisk(day.sealed)));
});

// ---- the parts ----

/** @type {string | null} */
let broken = null;

/** A part of the day; after one that failed the others have no ground. @param {string} name @param {() => Promise<void>} does */
function part(name, does) {
  test(name, async (t) => {
    if (broken) return t.skip(`it comes after “${broken}”`);
    broken = name;
    await does();
    broken = null;
  });
}

/** @param {Visit} visit @param {string} name */
async function shoot(visit, name) {
  if (SHOTS) await visit.shoot(join(SHOTS, `day-${name}.png`), true);
}

// ---- at the reception ----

/** Fills the form: what is typed, and the day and the time. @param {Record<string, string>} fields @param {number} start */
async function plan(fields, start) {
  await fill(reception, Object.fromEntries(Object.entries(fields).map(([field, text]) => [`#screen-plan [data-field=${field}]`, text])));
  // How a date is typed depends on the browser's language.
  await reception.read((times) => {
    for (const [field, value] of Object.entries(times)) {
      const input = /** @type {HTMLInputElement} */ (document.querySelector(`#plan-${field}`));
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }, { date: new Intl.DateTimeFormat("sv-SE", { timeZone: ZONE }).format(start), time: clock(start) });
}

/** What the server has of a consultation. @param {string} id */
function stored(id) {
  return reception.read(async (which) => (await import(`${location.origin}/desk/api.js`)).call("GET", `consultations/${which}`), id);
}

/** The record of the open detail is at the server. */
function saved() {
  return reception.see("the record is saved", async () => {
    const { call: ask } = await import(`${location.origin}/desk/api.js`);
    const { sealed } = await ask("GET", `consultations/${location.hash.split("=")[1]}`);
    return sealed !== null && /** @type {HTMLElement} */ (document.querySelector("#unsaved")).hidden;
  });
}

/** Who is invited. */
function cards() {
  return reception.read(() => [...document.querySelectorAll("#invitation [data-part=who]")].map(({ textContent }) => textContent));
}

/** Through the practice, to the first who is invited. */
async function sendMail() {
  const before = smtp.received.length;
  await reception.click("#invitation [data-way=send]");
  await reception.click("#invitation [data-part=sendNow]");
  await until("the mail has arrived", () => smtp.received.length > before);
  await reception.says("#invitation [data-part=outcome]", invitation["invite.did.send"]);
}

// ---- what has come ----

/**
 * The mail of this number, as Python reads it.
 * @param {number} number
 * @returns {Promise<{ name: string, address: string, to: string[], subject: string, text: string, ics: string, method: string, everything: string }>}
 */
async function received(number) {
  await until(`mail ${number} has arrived`, () => smtp.received.length >= number);
  const { raw, to } = smtp.received[number - 1];
  const path = join(SHOTS ?? scratch, `day-mail-${number}.eml`);
  await writeFile(path, raw);
  const { stdout } = await run("/usr/bin/python3", ["-c", `
import email, json, sys
from email import policy
mail = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=policy.default)
sender = mail["from"].addresses[0]
parts = [part for part in mail.walk() if not part.is_multipart()]
calendars = [part for part in parts if part.get_content_type() == "text/calendar"]
print(json.dumps({
  "name": sender.display_name, "address": sender.addr_spec, "subject": mail["subject"],
  "text": mail.get_body(("plain",)).get_content(), "ics": calendars[0].get_content(), "method": calendars[0].get_param("method"),
  "names": [part.get_filename() for part in parts if part.get_filename()], "everything": str(mail.items()) + "".join(part.get_content() for part in parts if part.get_content_maintype() == "text"),
}))`, path]);
  const { names, ...mail } = JSON.parse(stdout);
  assert.ok(names.length > 0, "the calendar is attached");
  for (const name of [mail.subject, ...names]) assert.doesNotMatch(name, MEDICAL);
  if (SHOTS) await writeFile(join(SHOTS, `day-mail-${number}.txt`), `${mail.name} <${mail.address}>\n${mail.subject}\n${names}\n\n${mail.text}\n${mail.ics}`);
  return { ...mail, to };
}

/** @param {string} text */
function calendar(text) {
  const whole = new ICAL.Component(ICAL.parse(text));
  const event = new ICAL.Event(/** @type {any} */ (whole.getFirstSubcomponent("vevent")));
  const alarm = event.component.getFirstSubcomponent("valarm")?.getFirstPropertyValue("trigger")?.toString();
  return { event, alarm, method: whole.getFirstPropertyValue("method") };
}

/** As a printer would draw it. @param {string} pdf @returns {Promise<string>} a PNG, in base64 */
async function onPaper(pdf) {
  const name = pdf.replace(/\.pdf$/, "");
  await run("pdftoppm", ["-r", "150", "-png", "-singlefile", pdf, name]);
  return readFile(`${name}.png`, "base64");
}

/** What a foreign reader finds in a picture. @param {Visit} visit  in whose page it is read @param {string} png @returns {Promise<string | null>} */
async function decoded(visit, png) {
  await visit.cdp?.send("Runtime.evaluate", { expression: await readFile(createRequire(import.meta.url).resolve("jsqr"), "utf8") });
  return visit.read(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.drawImage(image, 0, 0);
    const { data: pixels } = context.getImageData(0, 0, image.width, image.height);
    return /** @type {any} */ (window).jsQR(pixels, image.width, image.height)?.data ?? null;
  }, png);
}

/** @param {string} program @param {string[]} args */
function run(program, args) {
  return new Promise((/** @type {(done: { stdout: string }) => void} */ resolve, reject) =>
    execFile(program, args, (error, stdout) => (error ? reject(error) : resolve({ stdout }))));
}

// ---- time ----

/** @param {number} at @param {Intl.DateTimeFormatOptions} options */
function inZone(at, options) {
  return new Intl.DateTimeFormat("de-DE", { timeZone: ZONE, ...options }).format(at);
}

/** @param {number} at */
function clock(at) {
  return inZone(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** So many days after today, for the server and the browser at the reception; the session has ended by then. @param {number} days */
async function daysLater(days) {
  const library = ["x86_64", "aarch64"].map((kind) => `/usr/lib/${kind}-linux-gnu/faketime/libfaketime.so.1`).find(existsSync);
  assert.ok(library, "libfaketime is installed");
  await server.halt();
  await server.resume({ LD_PRELOAD: library, FAKETIME: `+${days}d`, DONT_FAKE_MONOTONIC: "1" });
  await reception.page.evaluateOnNewDocument((ms) => {
    const Real = /** @type {any} */ (window).__Date ?? Date;
    Object.assign(window, {
      __Date: Real,
      Date: class extends Real {
        /** @param {any[]} given */
        constructor(...given) {
          super(...(given.length > 0 ? given : [Real.now() + ms]));
        }

        static now() {
          return Real.now() + ms;
        }
      },
    });
  }, days * DAY_MS);
  await reception.go(`${server.origin}/desk/`);
  await reception.onScreen("signIn");
}

/** @param {string} text */
async function onDisk(text) {
  return [...(await server.files()).values()].some((content) => content.includes(text));
}

// ---- what is heard ----

/** Counts the tones from here on. @param {Visit} visit */
async function listenForTones(visit) {
  await visit.read(() => {
    const page = /** @type {any} */ (window);
    page.__tones = 0;
    const begin = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (at) {
      page.__tones++;
      begin.call(this, at);
    };
  });
}

/** @param {Visit} visit @returns {Promise<number>} */
function tones(visit) {
  return visit.read(() => /** @type {any} */ (window).__tones);
}
