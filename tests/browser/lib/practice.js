/**
 * People at the doors of a practice: set up, sign in, ask for release, the way they would, by what is on the screen. Every practice of a
 * test is one of its own.
 */

import { Visit } from "./visit.js";

/** @typedef {import("./browser.js").Browser} Browser */
/** @typedef {import("./server.js").Server} Server */

export const PASSWORD = "Grüne Wiese hinterm Haus";

/** Types into fields that may hold something already. @param {Visit} visit @param {Record<string, string>} fields  text by selector */
export async function fill(visit, fields) {
  for (const [selector, text] of Object.entries(fields)) {
    await visit.click(selector);
    await visit.read((where) => /** @type {HTMLInputElement} */ (document.querySelector(where)).select(), selector);
    await visit.page.keyboard.press("Backspace");
    await visit.page.keyboard.type(text);
  }
}

/** The visible form's button. @param {Visit} visit */
export async function submit(visit) {
  const where = await visit.read(() => (document.querySelector("dialog[open]") ? "dialog[open]" : "section:not([hidden])"));
  await visit.click(`${where} [type=submit]`);
}

/**
 * Sets a practice up with a link of the operator's and goes on to its list. The first user is `weber`, at “Empfang”.
 * @param {Server} server
 * @param {Browser} browser
 * @param {string} short
 */
export async function setUp(server, browser, short) {
  const link = (await server.command("practice", "new")).trim();
  const visit = await Visit.open("weber", browser, link);
  await visit.onScreen("setUp");
  await fill(visit, {
    "#up-name": "Praxis am Markt", "#up-practice": short, "#up-phone": "030 1234567", "#up-user": "weber", "#up-fresh": PASSWORD, "#up-again": PASSWORD,
    "#up-workplace": "Empfang",
  });
  await submit(visit);
  const recovery = await keepRecoveryKey(visit);
  await visit.onScreen("list");
  return { visit, recovery, link };
}

/** Reads the key off the screen and says that it is kept. @param {Visit} visit */
export async function keepRecoveryKey(visit) {
  await visit.onScreen("recovery");
  const key = await visit.see("the recovery key", () => document.querySelector("#recovery-key")?.textContent);
  await submit(visit);
  return key;
}

/**
 * @param {Visit} visit
 * @param {string} practice
 * @param {string} user
 * @param {string} password
 */
export async function signIn(visit, practice, user, password) {
  await visit.onScreen("signIn");
  await fill(visit, { "#in-practice": practice, "#in-user": user, "#in-password": password });
  await submit(visit);
}

/** @param {Visit} visit */
export async function signOut(visit) {
  await visit.click("[data-do=signOut]");
  await visit.onScreen("signIn");
}

/** A section of the practice's page. @param {Visit} visit @param {string} section */
export async function turnTo(visit, section) {
  const { origin, pathname } = new URL(visit.page.url());
  if (pathname !== "/desk/practice.html") await visit.go(`${origin}/desk/practice.html`);
  await visit.click(`[data-section=${section}]`);
  await visit.onScreen(section);
  await visit.see("the lists are there", () => document.querySelector("[aria-busy]")?.getAttribute("aria-busy") === "false"); // they move what stands below
}

/** A button in the row of somebody or something. @param {Visit} visit @param {string} what @param {string} name */
export function press(visit, what, name) {
  return visit.click(`[data-do=${what}][data-name="${name}"]`);
}

/** Adds a user; tells the initial password. @param {Visit} visit @param {string} short @param {"doctor" | "staff" | "admin"} role */
export async function addUser(visit, short, role) {
  await turnTo(visit, "people");
  await visit.click("[data-do=newUser]");
  await fill(visit, { "#nu-short": short });
  await visit.page.select("#nu-role", role);
  await submit(visit);
  return takeSecret(visit, "initial");
}

/** What a dialog shows once. @param {Visit} visit @param {string} dialog */
export async function takeSecret(visit, dialog) {
  const secret = await visit.see(`the dialog ${dialog}`, (which) => document.querySelector(`#dialog-${which}[open] [data-part=secret]`)?.textContent, dialog);
  await visit.click(`#dialog-${dialog} [data-do=closeDialog]`);
  return secret;
}

/**
 * From an initial password to the question for release, in a browser that nobody knows.
 * @param {Server} server
 * @param {Browser} browser
 * @param {{ practice: string, user: string, initial: string, workplace: string }} who
 */
export async function arrive(server, browser, { practice, user, initial, workplace }) {
  const visit = await Visit.open(user, browser, `${server.origin}/desk/`);
  await signIn(visit, practice, user, initial);
  await chooseOwn(visit, PASSWORD);
  const recovery = await keepRecoveryKey(visit);
  await visit.onScreen("name");
  await fill(visit, { "#na-workplace": workplace });
  await submit(visit);
  await visit.onScreen("waiting");
  return { visit, recovery };
}

/** Instead of an initial password. @param {Visit} visit @param {string} password */
export async function chooseOwn(visit, password) {
  await visit.onScreen("first");
  await fill(visit, { "#fi-fresh": password, "#fi-again": password });
  await submit(visit);
}

/** The four words on either side. @param {Visit} visit @param {string} list */
export function checkWords(visit, list) {
  return visit.see("the check words", (where) => {
    const words = [...document.querySelectorAll(`${where} li`)].map((word) => word.textContent);
    return words.length === 4 && words.join(" ");
  }, list);
}

/** Seals something with the vault of this page, as its own modules do. @param {Visit} visit @param {object} record */
export function seal(visit, record) {
  return visit.read(async (what) => {
    const load = (/** @type {string} */ path) => import(`${location.origin}${path}`);
    const [{ openVault, refresh }, { sealRecord }] = await Promise.all(["/desk/session.js", "/shared/vault.js"].map(load));
    const vault = await openVault(await refresh());
    return sealRecord(vault.current, "p|c", what);
  }, record);
}

/** Opens it, or tells that it does not open (`null`). @param {Visit} visit @param {string} sealed */
export function open(visit, sealed) {
  return visit.read(async (text) => {
    const load = (/** @type {string} */ path) => import(`${location.origin}${path}`);
    const [{ openVault, refresh }, { openRecord, versionOf }] = await Promise.all(["/desk/session.js", "/shared/vault.js"].map(load));
    const key = (await openVault(await refresh()))?.keys.get(versionOf(text));
    return key ? openRecord(key, "p|c", text) : null;
  }, sealed);
}
