/** Cameras and microphones that fail: the right sentence for each cause, and a call with what is left. */

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { close, launch } from "./lib/browser.js";
import { NAME, atTheDoor } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** @type {Server} */
let server;
/** @type {{ doctor: import("./lib/browser.js").Browser, patient: import("./lib/browser.js").Browser }} */
let browsers;

before(async () => {
  server = await Server.start();
  browsers = { doctor: await launch("chromium"), patient: await launch("chromium") };
});
afterEach(leaveAll);
after(() => cleanUp(server));

/** @type {{ cause: string, failing: import("./lib/instrument.js").Conditions["failing"], says: keyof typeof de, left: "sound" | "picture" | "nothing" }[]} */
const CASES = [
  { cause: "no camera is connected", failing: { camera: ["NotFoundError", "Requested device not found"] }, says: "trouble.none.camera", left: "sound" },
  { cause: "no microphone is connected", failing: { microphone: ["NotFoundError", "Requested device not found"] }, says: "trouble.none.microphone", left: "picture" },
  {
    cause: "neither is connected",
    failing: { microphone: ["NotFoundError", "Requested device not found"], camera: ["NotFoundError", "Requested device not found"] },
    says: "trouble.none.both",
    left: "nothing",
  },
  { cause: "another program uses the camera", failing: { camera: ["NotReadableError", "Could not start video source"] }, says: "trouble.in-use.camera", left: "sound" },
  {
    cause: "the operating system forbids both",
    failing: { microphone: ["NotAllowedError", "Permission denied by system"], camera: ["NotAllowedError", "Permission denied by system"] },
    says: "trouble.system.both",
    left: "nothing",
  },
];

for (const { cause, failing, says, left } of CASES) {
  test(`${cause}: the page says so, and the call has what is left`, async () => {
    const consultation = await server.plan();
    const doctor = await Visit.open("doctor", browsers.doctor, consultation.doctor.link);
    await doctor.toRoom();
    const patient = await Visit.open("patient", browsers.patient, consultation.patient.link, { failing });
    await patient.onScreen("welcome");
    await patient.type("#name", NAME);
    await patient.click("#name-form [type=submit]");
    await patient.says("#check-problem", de[says]);
    await patient.join("waiting");
    await doctor.admit();
    await patient.receives();
    if (left === "sound") await until("the doctor hears the patient", async () => (await doctor.flow()).energy > 1e-4);
    if (left === "picture") await until("the doctor sees the patient", async () => (await doctor.flow()).decoded > 15);
    const camera = left === "picture" ? "on" : "off";
    const microphone = left === "sound" ? "on" : "off";
    await doctor.says(".partner [data-device=camera]", de[`device.camera.${camera}`]);
    await doctor.says(".partner [data-device=microphone]", de[`device.microphone.${microphone}`]);
  });
}

test("whoever says no to the browser's question reads where to change it, and still sees and hears the doctor", async () => {
  const asking = await launch("chromium", { fakeAsk: false });
  const { doctor, patient } = await atTheDoor(server, { doctor: browsers.doctor, patient: asking }, { patient: { permissions: [] } });
  await patient.page.bringToFront();
  await doctor.admit();
  await patient.receives();
  await patient.says("#call-trouble", de["trouble.browser.both"]);
  assert.equal((await doctor.flow()).decoded, 0);
  await leaveAll();
  await close(asking);
});

test("a camera that another program gave back is there after “try again”", async () => {
  const consultation = await server.plan();
  const failing = { camera: /** @type {[string, string]} */ (["NotReadableError", "Could not start video source"]) };
  const patient = await Visit.open("patient", browsers.patient, consultation.patient.link, { failing });
  await patient.onScreen("welcome");
  await patient.type("#name", NAME);
  await patient.click("#name-form [type=submit]");
  await patient.says("#check-problem", de["trouble.in-use.camera"]);
  await patient.read(() => void delete (/** @type {any} */ (navigator.mediaDevices).getUserMedia)); // the browser's own again
  await patient.click("#check-again");
  await patient.see("the problem is gone", () => !document.querySelector("#check-problem")?.checkVisibility());
  await patient.see("the own picture is there", () => {
    const video = /** @type {HTMLVideoElement} */ (document.querySelector("#screen-check video"));
    return video.videoWidth > 0;
  });
});
