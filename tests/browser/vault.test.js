/**
 * What a practice seals, looked for where it must not be: files, write-ahead log, backup, log, requests and the server's own memory. And what
 * a thief of the data directory, or of a backup, can open with it (docs/security.md "What a thief finds").
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { promisify } from "node:util";
import { normalize } from "../../static/shared/code.js";
import { fromPassword, newUserPair, openKey, openRecord, unwrapPair } from "../../static/shared/vault.js";
import { launch } from "./lib/browser.js";
import { openDesk } from "./lib/desk.js";
import { Server } from "./lib/server.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

const run = promisify(execFile);
/** What `openDesk` signs in with. */
const PASSWORD = "ein langes Passwort";
/** Fields of the form, and what is looked for. */
const CANARIES = {
  name: "Zephyrine Kanarienvogel", title: "Kanarienkontrolle", phone: "030 4711471147", email: "kanarie@vogel.example", note: "Kanariennotiz über Öl",
  guests: "Kanarientochter",
};

/** @type {{ desk: import("./lib/browser.js").Browser, patient: import("./lib/browser.js").Browser }} */
let browsers;
/** @type {Server} */
let server;
/** What travelled from the desk to the server. @type {string[]} */
const sent = [];
/** @type {{ link: string, secret: string, code: string }} */
let invitation;

before(async () => {
  browsers = { desk: await launch("chromium"), patient: await launch("chromium") };
  server = await Server.start({ env: { VISAVIS_LOG: "trace" } });
});
afterEach(leaveAll);
after(() => cleanUp(server));

test("what a practice seals is in no request, file, log line, backup or memory of the server", async () => {
  const desk = await openDesk(server, browsers.desk);
  await record(desk);
  await desk.read(() => void (location.hash = "#plan"));
  await desk.onScreen("plan");
  await desk.read((typed) => {
    for (const [field, value] of Object.entries(typed)) {
      const input = /** @type {HTMLInputElement} */ (document.querySelector(`#screen-plan [data-field=${field}]`) ?? document.querySelector(`#plan-${field}`));
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }, CANARIES);
  await desk.click("#plan-save");
  await desk.onScreen("detail");
  for (const canary of [CANARIES.name, CANARIES.note]) await desk.see(`the page shows ${canary}`, (text) => document.body.textContent?.includes(text), canary);
  const link = await desk.see("the patient's link", () => {
    const mail = document.querySelector("#invitation [data-way=write]")?.getAttribute("href") ?? "";
    return /https?:\S+#\S+/.exec(decodeURIComponent(mail))?.[0];
  });
  const [code, secret] = String(link).split("#")[1].split(".");
  invitation = { link: String(link), secret, code };
  await desk.see("the record is saved", () => /** @type {HTMLElement} */ (document.querySelector("#unsaved")).hidden);
  await desk.reload();
  await desk.onScreen("detail");
  await desk.see("the page shows the name again", (text) => document.body.textContent?.includes(text), CANARIES.name);
  const patient = await Visit.open("patient", browsers.patient, invitation.link);
  await record(patient);
  await patient.toWaiting(CANARIES.name);

  const secrets = [...Object.values(CANARIES), "Kanarien", secret, PASSWORD];
  assert.ok(sent.some((body) => body.includes('"sealed":"1.')), "the recording of requests is whole");
  for (const body of sent) absent(secrets, body, "a request");
  for (const [path, content] of await server.files()) absent(secrets, content, path);
  absent(secrets, Buffer.from(server.output), "the log");
  const scratch = await mkdtemp(join(tmpdir(), "visavis-core-"));
  try {
    const backup = join(scratch, "backup.db");
    await python("import sqlite3,sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))", join(server.dataDir, "visavis.db"), backup);
    absent(secrets, await readFile(backup), "the backup");
    await run("gcore", ["-o", join(scratch, "core"), String(server.pid)]);
    const memory = await readFile(join(scratch, `core.${server.pid}`));
    // What the server knows is found there, so the search is one that finds.
    assert.ok(memory.includes("Praxis am Markt"));
    absent(secrets, memory, "the server's memory");
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});

test("a thief of the whole data directory needs a password, and a thief of a backup has nothing to try it on", async () => {
  await server.halt();
  const database = join(server.dataDir, "visavis.db");
  /** @type {Record<string, Record<string, any>[]>} */
  const stolen = JSON.parse(await python(
    "import sqlite3,json,sys; d=sqlite3.connect(sys.argv[1]); d.row_factory=sqlite3.Row; "
    + "print(json.dumps({t:[dict(r) for r in d.execute('select * from '+t)] for t in ['practices','users','user_keys','workplaces','workplace_keys','consultations','codes','sessions']}))",
    database,
  ));
  const [practice] = stolen.practices;
  const [consultation] = stolen.consultations;
  const about = `${practice.id}|${consultation.id}`;
  /** What a password opens, by whoever has the tables and this salt. @param {string} password @param {string} salt */
  const open = async (password, salt) => {
    const { wrap } = await fromPassword(password, salt);
    const [user] = stolen.users;
    const own = await unwrapPair(wrap, user.by_password);
    const key = own && (await openKey(stolen.user_keys[0].wrapped, 1, own));
    return key && openRecord(key, about, consultation.sealed);
  };
  const key = Buffer.from((await readFile(join(server.dataDir, "key"), "utf8")).trim(), "base64url");
  const mac = (/** @type {string} */ label, /** @type {string} */ text) => createHmac("sha256", key).update(`${label}\0${text}`).digest();
  const salt = mac("password salt", `${practice.short}\0${stolen.users[0].short}`).subarray(0, 16).toString("base64url");

  // With the whole directory, key included: names open to who knows, or guesses, somebody's password. Hence 600,000 rounds.
  assert.equal((await open(PASSWORD, salt))?.name, CANARIES.name);
  for (const guess of ["", "passwort", "Praxis2026", PASSWORD.toUpperCase()].slice(1)) assert.equal(await open(guess, salt), null, guess);
  // Codes are hashes: a code that is known is recognised, and none can be read.
  const hashes = stolen.codes.map(({ hash }) => hash);
  assert.ok(hashes.includes(mac("access code", normalize(invitation.code)).toString("base64url")));
  assert.ok(!JSON.stringify(stolen).includes(invitation.code) && !JSON.stringify(stolen).includes(normalize(invitation.code)));
  // A workplace's key is in its browser alone, and what is stored of sessions and workplaces signs nobody in.
  const another = await newUserPair();
  assert.equal(await openKey(stolen.workplace_keys[0].wrapped, 1, { public: stolen.workplaces[0].public_key, private: another.private }), null);

  // A backup lacks the key file: without the salt not even the right password opens anything, and no code can be recognised.
  for (const guessed of ["AAAAAAAAAAAAAAAAAAAAAA", Buffer.from(`${practice.short}|${stolen.users[0].short}`).toString("base64url")]) {
    assert.equal(await open(PASSWORD, guessed), null);
  }
  const without = createHmac("sha256", Buffer.alloc(32)).update(`access code\0${normalize(invitation.code)}`).digest("base64url");
  assert.ok(!hashes.includes(without));
  const [copy] = [await readFile(database)];
  assert.ok(!copy.includes(key.toString("base64url")), "the key is not in the database");

  await server.resume();
  for (const token of [stolen.sessions[0].hash, stolen.workplaces[0].token_hash]) {
    const answer = await fetch(`${server.origin}/api/practice/me`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 401);
  }
});

/** Everything that a page sends. @param {Visit} visit */
async function record(visit) {
  visit.page.on("request", (request) => sent.push(`${request.url()} ${JSON.stringify(request.headers())} ${request.postData() ?? ""}`.replace(/#\S*/, "")));
  const wire = await visit.page.createCDPSession();
  await wire.send("Network.enable");
  wire.on("Network.webSocketFrameSent", ({ response }) => sent.push(response.payloadData));
}

/** @param {string[]} secrets @param {Buffer | string} content @param {string} place */
function absent(secrets, content, place) {
  for (const secret of secrets) {
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64").replace(/=+$/, "").slice(0, -2)]) {
      assert.ok(!content.includes(form), `${place} holds “${form}”`);
    }
  }
}

/** @param {string} program @param {string[]} args */
async function python(program, ...args) {
  const { stdout } = await run("/usr/bin/python3", ["-c", program, ...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
