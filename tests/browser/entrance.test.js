/**
 * The doors of a practice, in real browsers with the real server: set up, sign in, be released, come back, be withdrawn; and that the
 * practice's key is where it must be, and nowhere else.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { problem, RECOVERY_LENGTH } from "../../static/shared/code.js";
import entry from "../../static/desk/words/entry.de.js";
import frame from "../../static/desk/words/frame.de.js";
import practice from "../../static/desk/words/practice.de.js";
import { violations } from "./lib/axe.js";
import { launch } from "./lib/browser.js";
import { PASSWORD, addUser, arrive, checkWords, chooseOwn, fill, keepRecoveryKey, open, press, seal, setUp, signIn, signOut, submit, takeSecret, turnTo } from "./lib/practice.js";
import { Server } from "./lib/server.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

const RECORD = { name: "Zoë Müller-Beispiel" };

/** @type {Server} */
let server;
/** @type {import("./lib/browser.js").Browser} */
let browser;

before(async () => {
  server = await Server.start();
  browser = await launch("chromium");
});
afterEach(leaveAll);
after(() => cleanUp(server));

test("a practice is set up with a link that works once, and its first user comes and goes", async () => {
  const { visit, recovery, link } = await setUp(server, browser, "anfang");
  assert.equal(problem(recovery, RECOVERY_LENGTH), null);
  const sealed = await seal(visit, RECORD);
  await visit.reload();
  await visit.onScreen("list");
  assert.deepEqual(await open(visit, sealed), RECORD, "after a reload the vault opens by itself");

  await signOut(visit);
  await visit.says("#signIn-why", entry["entry.out"]);
  const remembered = await visit.read(() => ["in-practice", "in-user", "in-password"].map((id) => /** @type {HTMLInputElement} */ (document.getElementById(id)).value));
  assert.deepEqual(remembered, ["anfang", "weber", ""]);
  await signIn(visit, "anfang", "weber", "falsch geraten");
  await visit.says("#screen-signIn [data-problem]", entry["entry.wrong"]);
  await signIn(visit, "nirgends", "weber", PASSWORD);
  await visit.says("#screen-signIn [data-problem]", entry["entry.wrong"]);
  await signIn(visit, " ANFANG ", " Weber ", PASSWORD);
  await visit.onScreen("list");
  assert.deepEqual(await open(visit, sealed), RECORD);

  const again = await Visit.open("second", browser, link);
  await again.onScreen("setUp");
  await fill(again, { "#up-name": "Andere", "#up-practice": "andere", "#up-user": "x", "#up-fresh": PASSWORD, "#up-again": PASSWORD, "#up-workplace": "x" });
  await submit(again);
  await again.says("#screen-setUp [data-problem]", entry["entry.linkUsed"]);
});

test("a new colleague gets a workplace by four words, shares the vault, and is withdrawn with the key", async () => {
  const { visit: admin } = await setUp(server, browser, "kollegen");
  const initial = await addUser(admin, "dr.yilmaz", "doctor");
  assert.match(String(initial), /^([0-9a-hjkmnp-tv-z]{4}-){2}[0-9a-hjkmnp-tv-z]{4}$/);
  const { visit: doctor } = await arrive(server, browser, { practice: "kollegen", user: "dr.yilmaz", initial: String(initial), workplace: "Zimmer 2" });
  assert.deepEqual(await violations(doctor), []);
  await turnTo(admin, "workplaces");
  assert.equal(await checkWords(admin, "[data-part=words]"), await checkWords(doctor, "#waiting-words"));
  await press(admin, "release", "Zimmer 2");
  await doctor.onScreen("list");
  const sealed = await seal(admin, RECORD);
  assert.deepEqual(await open(doctor, sealed), RECORD);

  await turnTo(doctor, "people");
  const offered = await doctor.read(() => [...document.querySelectorAll("[data-section], [data-do]")].filter((element) => element.checkVisibility()).map((element) => element.getAttribute("data-section") ?? element.getAttribute("data-do")));
  assert.deepEqual(offered, ["signOut", "language", "workplaces", "people", "own", "data"], "no more than the role may use");

  await turnTo(admin, "people");
  await press(admin, "withdrawUser", "dr.yilmaz");
  await admin.says("#dialog-withdrawUser [data-part=staying]", "Personen: weber. Arbeitsplätze: Empfang, Zimmer 2.");
  await submit(admin);
  await admin.says("#told", practice["people.withdrawn"]);
  await doctor.reload();
  await doctor.onScreen("signIn");
  await doctor.says("#signIn-why", entry["entry.ended"]);
  await signIn(doctor, "kollegen", "dr.yilmaz", PASSWORD);
  await doctor.says("#screen-signIn [data-problem]", entry["entry.wrong"]);
  assert.deepEqual(await open(admin, sealed), RECORD, "what was sealed before still opens");
  assert.match(await seal(admin, RECORD), /^2\./, "what is sealed now has another key");
});

test("a workplace that is withdrawn gets no next key, and one that is refused none at all", async () => {
  const { visit: admin } = await setUp(server, browser, "plaetze");
  const initial = String(await addUser(admin, "team", "staff"));
  const { visit: team } = await arrive(server, browser, { practice: "plaetze", user: "team", initial, workplace: "Labor" });
  await turnTo(admin, "workplaces");
  await checkWords(admin, "[data-part=words]");
  await press(admin, "refuse", "Labor");
  await team.see("the refusal", () => ["refused", "signIn"].includes(document.body.dataset.screen ?? ""));
  if ((await team.read(() => document.body.dataset.screen)) === "signIn") await signIn(team, "plaetze", "team", PASSWORD);
  await team.onScreen("refused");
  await team.click("[data-do=askAnew]");
  await fill(team, { "#na-workplace": "Labor 2" });
  await submit(team);
  await team.onScreen("waiting");
  await checkWords(admin, "[data-part=words]");
  await press(admin, "release", "Labor 2");
  await team.onScreen("list");
  const sealed = await seal(team, RECORD);

  await press(admin, "withdrawPlace", "Labor 2");
  await submit(admin);
  await admin.says("#told", practice["workplaces.withdrawn"]);
  assert.deepEqual(await open(admin, sealed), RECORD);
  await team.reload();
  await team.onScreen("signIn");
  await signIn(team, "plaetze", "team", PASSWORD);
  await team.onScreen("refused");
});

test("an admin in a new browser releases it there and then", async () => {
  const { visit: admin } = await setUp(server, browser, "selbst");
  const sealed = await seal(admin, RECORD);
  const elsewhere = await Visit.open("elsewhere", browser, `${server.origin}/desk/`);
  await signIn(elsewhere, "selbst", "weber", PASSWORD);
  await elsewhere.onScreen("name");
  await fill(elsewhere, { "#na-workplace": "Zuhause" });
  await submit(elsewhere);
  await elsewhere.onScreen("waiting");
  await elsewhere.reload();
  await elsewhere.onScreen("waiting");
  await checkWords(elsewhere, "#waiting-words"); // what follows them moves down when they come
  await fill(elsewhere, { "#release-password": PASSWORD });
  await elsewhere.click("#release [type=submit]");
  await elsewhere.onScreen("list");
  assert.deepEqual(await open(elsewhere, sealed), RECORD);
});

test("the printed recovery key gives a new password, and a typo in it is told before the server is asked", async () => {
  const { visit, recovery } = await setUp(server, browser, "papier");
  const sealed = await seal(visit, RECORD);
  await signOut(visit);
  await visit.click("[data-do=toForgot]");
  const typo = (recovery[0] === "7" ? "8" : "7") + recovery.slice(1);
  await fill(visit, { "#fo-recovery": typo, "#fo-fresh": "ein neuer, langer Satz", "#fo-again": "ein neuer, langer Satz" });
  await submit(visit);
  await visit.says("#fo-recovery-problem", entry["entry.code-typo"]);
  await fill(visit, { "#fo-recovery": recovery.toLowerCase().replaceAll("-", " ") });
  await submit(visit);
  await visit.onScreen("list");
  assert.deepEqual(await open(visit, sealed), RECORD);
  await signOut(visit);
  await signIn(visit, "papier", "weber", PASSWORD);
  await visit.says("#screen-signIn [data-problem]", entry["entry.wrong"]);
  await signIn(visit, "papier", "weber", "ein neuer, langer Satz");
  await visit.onScreen("list");
});

test("password and recovery key are changed, and the wrong present password is told", async () => {
  const { visit, recovery } = await setUp(server, browser, "wechsel");
  await turnTo(visit, "own");
  await visit.click("[data-do=password]");
  await fill(visit, { "#pw-password": "nicht das richtige", "#pw-fresh": "noch ein langer Satz", "#pw-again": "noch ein langer Satz" });
  await submit(visit);
  await visit.says("#pw-password-problem", practice["own.wrong"]);
  await fill(visit, { "#pw-password": PASSWORD });
  await submit(visit);
  await visit.says("#told", practice["own.passwordChanged"]);
  await visit.click("[data-do=recovery]");
  await fill(visit, { "#rc-password": "noch ein langer Satz" });
  await submit(visit);
  const next = String(await takeSecret(visit, "recoveryShown"));
  assert.equal(problem(next, RECOVERY_LENGTH), null);
  await signOut(visit);
  await visit.click("[data-do=toForgot]");
  await fill(visit, { "#fo-recovery": recovery, "#fo-fresh": "wieder ein langer Satz", "#fo-again": "wieder ein langer Satz" });
  await submit(visit);
  await visit.says("#fo-recovery-problem", entry["entry.recoveryWrong"]);
  await fill(visit, { "#fo-recovery": next });
  await submit(visit);
  await visit.onScreen("list");
});

test("an admin gives a forgotten password anew, and the keys with it", async () => {
  const { visit: admin } = await setUp(server, browser, "vergessen");
  const first = String(await addUser(admin, "team", "staff"));
  const { visit: team } = await arrive(server, browser, { practice: "vergessen", user: "team", initial: first, workplace: "Labor" });
  await turnTo(admin, "workplaces");
  await checkWords(admin, "[data-part=words]");
  await press(admin, "release", "Labor");
  await team.onScreen("list");
  const sealed = await seal(team, RECORD);
  await turnTo(team, "own");
  await turnTo(admin, "people");
  await press(admin, "reset", "team");
  await submit(admin);
  const initial = String(await takeSecret(admin, "initial"));
  await team.reload();
  await signIn(team, "vergessen", "team", initial);
  await chooseOwn(team, "wieder ein eigener Satz");
  await keepRecoveryKey(team);
  await team.onScreen("own"); // where the session ended
  assert.deepEqual(await open(team, sealed), RECORD);
});

test("the operator gives access back, and the workplace gives the keys", async () => {
  const { visit } = await setUp(server, browser, "retten");
  const sealed = await seal(visit, RECORD);
  const link = (await server.command("practice", "rescue", "retten", "weber")).trim();
  await visit.page.goto("about:blank");
  await visit.page.goto(link);
  await visit.onScreen("rescue");
  await fill(visit, { "#re-practice": "retten", "#re-user": "weber", "#re-fresh": "gerettet und neu", "#re-again": "gerettet und neu" });
  await submit(visit);
  await keepRecoveryKey(visit);
  await visit.onScreen("list");
  assert.deepEqual(await open(visit, sealed), RECORD);
  const held = await visit.read(async () => (await (await import(`${location.origin}/desk/session.js`)).refresh()).user.keys.length);
  assert.equal(held, 1, "the new pair has the key, too");
  const elsewhere = await Visit.open("elsewhere", browser, link);
  await elsewhere.onScreen("rescue");
  await fill(elsewhere, { "#re-practice": "retten", "#re-user": "weber", "#re-fresh": PASSWORD, "#re-again": PASSWORD });
  await submit(elsewhere);
  await elsewhere.says("#screen-rescue [data-problem]", entry["entry.linkUsed"]);
});

test("a passkey signs in on its workplace, opens the vault, and is removed", async () => {
  const { visit } = await setUp(server, browser, "schluessel");
  const sealed = await seal(visit, RECORD);
  const { cdp } = visit;
  assert.ok(cdp);
  await cdp.send("WebAuthn.enable");
  await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  await turnTo(visit, "own");
  await visit.click("#passkey-add");
  await fill(visit, { "#pk-name": "Laptop am Empfang" });
  await submit(visit);
  await visit.says("#passkeys [data-part=name]", "Laptop am Empfang");
  await signOut(visit);
  await visit.click("#passkey");
  await visit.onScreen("list");
  assert.deepEqual(await open(visit, sealed), RECORD);
  await turnTo(visit, "own");
  await press(visit, "removePasskey", "Laptop am Empfang");
  await submit(visit);
  await visit.says("#passkeys-none", practice["own.passkeysNone"]);
  await signOut(visit);
  await visit.click("#passkey");
  await visit.says("#screen-signIn [data-problem]", entry["entry.passkeyRefused"]);
});

test("settings, access for programs and the trail are kept, exported, and gone with the practice", async () => {
  const { visit } = await setUp(server, browser, "haushalt");
  await turnTo(visit, "settings");
  await fill(visit, { "#st-name": "Praxis am Fluss", "#st-retentionDays": "90" });
  await submit(visit);
  await visit.says("#st-retentionDays-problem", practice["practice.retentionOdd"]);
  await fill(visit, { "#st-retentionDays": "14" });
  await submit(visit);
  await visit.says("#told", practice["practice.done"]);
  await visit.says("#brand-name", "Praxis am Fluss");
  await turnTo(visit, "software");
  await visit.click("[data-do=token]");
  await fill(visit, { "#tk-name": "Praxisprogramm" });
  await submit(visit);
  assert.ok(String(await takeSecret(visit, "tokenShown")).length >= 22);
  await visit.says("#tokens [data-part=name]", "Praxisprogramm");
  await turnTo(visit, "audit");
  await visit.says("#audit li:first-child [data-part=sentence]", "weber hat den Zugang „Praxisprogramm“ für ein Programm erstellt");
  const unsaid = await visit.read(() => [...document.querySelectorAll("#audit [data-part=sentence]")].map((line) => line.textContent ?? "").filter((text) => /^\S+: /.test(text)));
  assert.deepEqual(unsaid, [], "every line is a sentence");

  await turnTo(visit, "data");
  await visit.read(() => {
    const page = /** @type {any} */ (window);
    const make = URL.createObjectURL;
    URL.createObjectURL = (blob) => (page.__saved = /** @type {Blob} */ (blob).text(), make(blob));
  });
  await visit.click("[data-form=export] [type=submit]");
  await visit.says("#told", practice["data.exported"]);
  const whole = JSON.parse(await visit.read(() => /** @type {any} */ (window).__saved));
  assert.deepEqual([whole.practice.name, whole.users[0].short, whole.workplaces[0].name], ["Praxis am Fluss", "weber", "Empfang"]);
  assert.ok(!JSON.stringify(whole).includes("byPassword"));

  await visit.click("[data-do=deletePractice]");
  await fill(visit, { "#dp-practice": "Haus", "#dp-password": PASSWORD });
  await submit(visit);
  await visit.says("#dp-practice-problem", practice["data.deleteOdd"]);
  await fill(visit, { "#dp-practice": "Haushalt" });
  await submit(visit);
  await visit.onScreen("signIn");
  await signIn(visit, "haushalt", "weber", PASSWORD);
  await visit.says("#screen-signIn [data-problem]", entry["entry.wrong"]);
});

test("signing in by keyboard alone, with a look at the password and a hint for capitals", async () => {
  const { visit } = await setUp(server, browser, "tasten");
  await signOut(visit);
  await visit.tabTo("#in-password");
  await visit.page.keyboard.type("x");
  await visit.press("[data-do=show]", "Space");
  await visit.see("the password is shown", () => /** @type {HTMLInputElement} */ (document.querySelector("#in-password")).type === "text");
  await visit.says("#screen-signIn [data-do=show]", frame["password.hide"]);
  await visit.page.keyboard.press("Space");
  await visit.page.keyboard.down("Shift");
  await visit.page.keyboard.press("Tab");
  await visit.page.keyboard.up("Shift");
  await visit.page.keyboard.press("Backspace");
  await visit.page.keyboard.type(PASSWORD);
  await visit.page.keyboard.press("Enter");
  await visit.onScreen("list");
});

test("the practice's page by keyboard alone: a colleague is added, the password taken, the settings changed", async () => {
  const { visit } = await setUp(server, browser, "tasten2");
  await visit.press("a[href='/desk/practice.html']");
  await visit.onScreen("workplaces");
  await visit.press("[data-section=people]");
  await visit.onScreen("people");
  await visit.press("[data-do=newUser]");
  await visit.tabTo("#nu-short");
  await visit.page.keyboard.type("kaya");
  await visit.page.keyboard.press("Enter");
  await visit.see("the initial password", () => document.querySelector("#dialog-initial[open] [data-part=secret]")?.textContent);
  await visit.press("#dialog-initial [data-do=closeDialog]");
  await visit.see("the colleague is in the list", () => document.querySelector("[data-do=role][data-name=kaya], [data-do=reset][data-name=kaya]") !== null);
  await visit.press("[data-section=settings]");
  await visit.onScreen("settings");
  await visit.tabTo("#st-name");
  await visit.page.keyboard.type("Praxis Nord");
  await visit.page.keyboard.press("Enter");
  await visit.see("the new name", () => document.querySelector("#brand-name")?.textContent?.includes("Nord"));
});

test("without the server the page says so, and signs in once it is back", async () => {
  const { visit } = await setUp(server, browser, "pause");
  await signOut(visit);
  await server.halt();
  await signIn(visit, "pause", "weber", PASSWORD);
  await visit.says("#screen-signIn [data-problem]", frame["trouble.network"]);
  await server.resume();
  await submit(visit);
  await visit.onScreen("list");
});
