/**
 * A practice in a few lines: set up with the one-time link by the pages' own modules, with its head (a doctor who
 * administers it, too) or somebody else signed in on a released workplace. The sign-in page itself is not driven here.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "./until.js";
import { Visit } from "./visit.js";

/** @typedef {import("./browser.js").Browser} Browser */
/** @typedef {import("./server.js").Server} Server */

const NAMES = { practice: "markt", name: "Praxis am Markt", phone: "030 1234567" };

/** The server's first link, which is in no output that is kept. @param {Server} server */
export async function setUpLink(server) {
  const file = join(server.dataDir, "set-up-link");
  const link = (await until("the server leaves a set-up link", () => readFile(file, "utf8").catch(() => null))).trim();
  return { link, secret: String(link.split("#set-up=")[1]) };
}

/**
 * Sets the practice up and opens the list, as its head or as somebody of another role.
 * @param {Server} server
 * @param {Browser} browser
 * @param {{ role?: "head" | "doctor" | "staff", timeZone?: string, options?: import("./visit.js").Options }} [how]
 */
export async function openDesk(server, browser, { role = "head", timeZone = "Europe/Berlin", options = {} } = {}) {
  const { secret } = await setUpLink(server);
  const visit = await Visit.open("desk", browser, `${server.origin}/desk/sign-in.html`, options);
  await visit.read(setUp, { ...NAMES, link: secret, timeZone, role });
  await visit.go(`${server.origin}/desk/`);
  await visit.onScreen("list");
  return visit;
}

/**
 * In the page, with its own modules: what the forms would do.
 * @param {{ link: string, practice: string, name: string, phone: string, timeZone: string, role: string }} wanted
 */
async function setUp({ link, role, ...names }) {
  const load = (/** @type {string} */ path) => import(`${location.origin}${path}`);
  const [vault, keys, { call, keepToken }, { keepPlace }, { keep, openAll }] = await Promise.all(
    ["/shared/vault.js", "/desk/keys.js", "/desk/api.js", "/desk/places.js", "/desk/session.js"].map(load),
  );
  const { practice } = names;
  const head = { practice, user: "leitung" };
  const [{ pair, ...made }, key, own] = await Promise.all([keys.makeUser("ein langes Passwort", head), vault.newPracticeKey(1), vault.newWorkplacePair()]);
  const { key: _, ...recovery } = await keys.makeRecovery(pair);
  const [practiceKey, workplaceKey] = await Promise.all([vault.sealKey(key, pair.public), vault.sealKey(key, own.public)]);
  const told = await call("POST", "set-up", {
    link, ...names, ...head, role: "head", ...made, ...recovery, practiceKey, workplace: { name: "Empfang", publicKey: own.public, practiceKey: workplaceKey },
  });
  keep(told);
  const place = {
    practice, practiceName: names.name, id: told.workplace.id, token: told.workplaceToken, pair: own, own: new Map([["leitung", pair.public]]),
    user: "leitung", released: true,
  };
  await keepPlace(place);
  if (role === "head") return;
  const user = { practice, user: "weber" };
  const { pair: theirs, ...first } = await keys.makeUser("das erste Passwort", user);
  await call("POST", "users", { short: "weber", role, ...first, keys: await keys.sealAll(await openAll(told.workplace.keys, own), theirs.public) });
  keepToken(null);
  const signedIn = await call("POST", "sign-in", { ...user, secret: first.secret, by: "password", workplace: place.token });
  keepToken(signedIn.token);
  await keepPlace({ ...place, own: place.own.set("weber", theirs.public) });
  await keys.changePassword(signedIn, theirs, { by: "password", secret: first.secret }, "ein eigenes Passwort");
  keep({ ...(await call("GET", "me")), token: null });
}
