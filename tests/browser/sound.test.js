/** Browsers let no page make a sound before its user has touched it. Here they run without the flag that lifts this. */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { launch } from "./lib/browser.js";
import { NAME, atTheDoor, meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** @type {Server} */
let server;
/** @type {Record<"doctor" | "patient" | "asking", import("./lib/browser.js").Browser>} */
let browsers;

before(async () => {
  server = await Server.start();
  browsers = {
    doctor: await launch("chromium", { autoplay: false }),
    patient: await launch("chromium", { autoplay: false }),
    asking: await launch("chromium", { autoplay: false, fakeAsk: false }),
  };
});
afterEach(leaveAll);
after(() => cleanUp(server));

test("whoever came in by clicks hears the partner at once", async () => {
  const { doctor, patient } = await meet(server, browsers);
  for (const visit of [doctor, patient]) {
    await visit.see("the partner's sound plays", soundPlays);
    assert.equal(await visit.read(() => document.querySelector("#screen-call [data-do=wake]")?.checkVisibility()), false);
  }
});

test("a tab that comes back without a click shows the picture, and the sound after “Ton einschalten”", async () => {
  // A page that uses the microphone may make sounds, so this patient said no to it.
  const denied = { permissions: /** @type {import("puppeteer-core").Permission[]} */ ([]) };
  const { doctor, patient } = await atTheDoor(server, { ...browsers, patient: browsers.asking }, { patient: denied });
  await doctor.admit();
  await patient.receives();
  const storage = await patient.read(() => ({ ...sessionStorage }));
  await patient.close();
  await doctor.says("#call-link", de["link.away"].replace("{who}", NAME));
  // As a browser restores a tab after a crash: its storage is there, a gesture of the user is not.
  const restored = await Visit.open("patient", browsers.asking, `${server.origin}/healthz`, denied);
  await restored.read((kept) => Object.assign(sessionStorage, kept), storage);
  await restored.page.goto(server.origin);
  await restored.onScreen("call");
  await restored.says("#screen-call [data-do=wake]", de["sound.on"]);
  await restored.receives();
  await restored.see("the partner's picture plays", () => {
    const video = /** @type {HTMLVideoElement} */ (document.querySelector(".partner video"));
    return !video.paused && video.currentTime > 0;
  });
  assert.equal(await restored.read(soundPlays), false);
  await restored.click("#screen-call [data-do=wake]");
  await restored.see("the partner's sound plays", soundPlays);
  await restored.see("the button is gone", () => !document.querySelector("#screen-call [data-do=wake]")?.checkVisibility());
});

/** Runs in the page. */
function soundPlays() {
  const sound = /** @type {HTMLAudioElement} */ (document.querySelector(".partner audio"));
  return !sound.muted && !sound.paused && sound.currentTime > 0;
}
