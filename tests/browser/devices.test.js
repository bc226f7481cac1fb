/** Cameras and microphones that fail, vanish, come back, fall silent or are changed: the right sentence, and a call with what is left. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import de from "../../static/shared/words/de.js";
import { close, launch } from "./lib/browser.js";
import { gap, hold, plug, pull, voice, wire } from "./lib/cables.js";
import { NAME, atTheDoor, meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { others } from "./lib/turns.js";
import { until } from "./lib/until.js";
import { Visit, cleanUp, leaveAll } from "./lib/visit.js";

/** @typedef {import("./lib/browser.js").Browser} Browser */

/** How Chromium calls its devices. The cameras between these two have formats of their own (depth, MJPEG). */
const CAMERAS = ["fake_device_0", "fake_device_3"];
const OTHER_CAMERAS = ["fake_device_1", "fake_device_2"];
const MICROPHONES = ["Fake Default Audio Input", "Fake Audio Input 1", "Fake Audio Input 2"];

/** @type {Server} */
let server;
/** The patient has two cameras. Both speak. @type {{ doctor: Browser, patient: Browser }} */
let browsers;
let files = "";

before(async () => {
  server = await Server.start();
  files = await mkdtemp(join(tmpdir(), "visavis-voice-"));
  const [one, two] = await Promise.all([1, 2].map((person) => voice(join(files, `voice-${person}.wav`), { person, speech: 20 })));
  browsers = { doctor: await launch("chromium", { speech: one }), patient: await launch("chromium", { speech: two, cameras: 4 }) };
});
afterEach(leaveAll);
after(async () => {
  await cleanUp(server);
  await rm(files, { recursive: true, force: true });
});

/** @type {{ name: string, kind: string, failing: import("./lib/instrument.js").Conditions["failing"], says: keyof typeof de, left: "sound" | "picture" | "nothing" }[]} */
const CASES = [
  { name: "no camera is connected", kind: "not there", failing: { camera: ["NotFoundError", "Requested device not found"] }, says: "trouble.none.camera", left: "sound" },
  { name: "no microphone is connected", kind: "not there", failing: { microphone: ["NotFoundError", "Requested device not found"] }, says: "trouble.none.microphone", left: "picture" },
  {
    name: "neither is connected",
    kind: "not there",
    failing: { microphone: ["NotFoundError", "Requested device not found"], camera: ["NotFoundError", "Requested device not found"] },
    says: "trouble.none.both",
    left: "nothing",
  },
  { name: "another program uses the camera", kind: "not given", failing: { camera: ["NotReadableError", "Could not start video source"] }, says: "trouble.in-use.camera", left: "sound" },
  {
    name: "the operating system forbids both",
    kind: "not given",
    failing: { microphone: ["NotAllowedError", "Permission denied by system"], camera: ["NotAllowedError", "Permission denied by system"] },
    says: "trouble.system.both",
    left: "nothing",
  },
];

const later = others(CASES);
for (const { name, failing, says, left } of CASES) {
  test(`${name}: the page says so, and the call has what is left`, { skip: later.get(name) ?? false }, async () => {
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

/** What the patient sees of the own devices, and the doctor of the patient's. */
const said = (/** @type {"camera" | "microphone"} */ device, /** @type {"on" | "off"} */ state) => de[`device.${device}.${state}`];

test("a camera is pulled out in the call: the other takes its place, comes back when it is there again, and the sound has no gap", async (context) => {
  const { doctor, patient } = await meet(server, browsers);
  await wire(patient);
  for (const other of OTHER_CAMERAS) await pull(patient, other);
  await doctor.sample();
  await pull(patient, CAMERAS[0]);
  await patient.says("#stage [data-notice]", de["device.camera.switched"].replace("{label}", CAMERAS[1]));
  await doctor.receives();
  const lost = await doctor.samples();
  context.diagnostic(`camera pulled out, at the doctor: ${gap(lost, "decoded")} ms without a frame, ${gap(lost, "packets")} ms without a packet of sound`);
  await doctor.says(".partner [data-device=camera]", said("camera", "on"));
  assert.deepEqual(await inUse(patient, "video"), [CAMERAS[1]]);
  await doctor.sample();
  await plug(patient, CAMERAS[0]);
  await until("the camera that was chosen is used again, and no other", async () => String(await inUse(patient, "video")) === CAMERAS[0]);
  await doctor.receives();
  const back = await doctor.samples();
  context.diagnostic(`camera put back: ${gap(back, "decoded")} ms without a frame, ${gap(back, "packets")} ms without a packet of sound`);
});

test("the only camera is pulled out in the call: the sound goes on, the page says so, and with the camera the picture comes back", async (context) => {
  const { doctor, patient } = await meet(server, browsers);
  await wire(patient);
  for (const other of [CAMERAS[1], ...OTHER_CAMERAS]) await pull(patient, other);
  await doctor.sample();
  await pull(patient, CAMERAS[0]);
  await patient.says("#call-trouble", de["trouble.none.camera"]);
  await patient.says("#announcer", de["trouble.none.camera"]);
  await doctor.says(".partner [data-device=camera]", said("camera", "off"));
  await doctor.receives({ frames: 0, packets: 50 });
  context.diagnostic(`${gap(await doctor.samples(), "packets")} ms without a packet of sound`);
  assert.deepEqual(await patient.devicesInUse(), ["audio"]);
  await plug(patient, CAMERAS[0]);
  await doctor.receives();
  await doctor.says(".partner [data-device=camera]", said("camera", "on"));
  await patient.see("the sentence is gone", () => !document.querySelector("#call-trouble")?.checkVisibility());
});

test("a microphone is pulled out in the call: another takes its place, and without any the picture goes on", async (context) => {
  const { doctor, patient } = await meet(server, browsers);
  await wire(patient);
  await doctor.sample();
  await pull(patient, MICROPHONES[0]);
  await patient.says("#stage [data-notice]", de["device.microphone.switched"].replace("{label}", MICROPHONES[1]));
  await doctor.receives();
  await heard(doctor);
  const lost = await doctor.samples();
  context.diagnostic(`microphone pulled out, at the doctor: ${gap(lost, "packets")} ms without a packet of sound, ${gap(lost, "decoded")} ms without a frame`);
  await pull(patient, MICROPHONES[1]);
  await patient.says("#stage [data-notice]", de["device.microphone.switched"].replace("{label}", MICROPHONES[2]));
  await pull(patient, MICROPHONES[2]);
  await patient.says("#call-trouble", de["trouble.none.microphone"]);
  await doctor.says(".partner [data-device=microphone]", said("microphone", "off"));
  await doctor.receives({ packets: 0 });
});

test("camera and microphone are changed in the call: nobody sees a gap, neither in the one nor in the other", async (context) => {
  const { doctor, patient } = await meet(server, browsers);
  await patient.click("#more");
  await patient.click("#panel-more [data-panel=devices]");
  await patient.visible("#panel-devices");
  await patient.says("#devices-heard", de["device.heard.on"]);
  for (const [kind, name, other] of /** @type {const} */ ([["camera", "video", CAMERAS[1]], ["microphone", "audio", MICROPHONES[2]], ["camera", "video", CAMERAS[0]]])) {
    await doctor.sample();
    const id = await patient.read((where, label) => {
      const select = /** @type {HTMLSelectElement} */ (document.querySelector(where));
      return [...select.options].find(({ text }) => text === label)?.value ?? "";
    }, `#panel-devices [data-choice=${kind}] select`, other);
    await patient.page.select(`#panel-devices [data-choice=${kind}] select`, id);
    await until(`the ${kind} is ${other}, and the one before is off`, async () => String(await inUse(patient, name)) === other);
    await doctor.receives({ frames: 30, packets: 50 });
    const samples = await doctor.samples();
    context.diagnostic(`${kind} changed, at the doctor: ${gap(samples, "decoded")} ms without a frame, ${gap(samples, "packets")} ms without a packet of sound`);
    assert.equal((await patient.devicesInUse()).length, 2);
  }
  await heard(doctor);
  const speaker = await patient.read((where) => /** @type {HTMLSelectElement} */ (document.querySelector(where)).options[1].value, "#panel-devices [data-choice=speaker] select");
  await patient.page.select("#panel-devices [data-choice=speaker] select", speaker);
  await patient.see("the doctor's voice comes from the other speaker", (id) => /** @type {any} */ (document.querySelector(".partner audio")).sinkId === id, speaker);
});

test("a tablet that gives the rear camera is turned to the front, and its picture is a mirror only there", async () => {
  const tablet = await launch("chromium", { cameras: 4 });
  const consultation = await server.plan();
  const patient = await Visit.open("patient", tablet, consultation.patient.link);
  await wire(patient, { [CAMERAS[0]]: "camera2 0, facing back", [CAMERAS[1]]: "camera2 1, facing front" });
  await patient.onScreen("welcome");
  await patient.type("#name", NAME);
  await patient.click("#name-form [type=submit]");
  const doctor = await Visit.open("doctor", browsers.doctor, consultation.doctor.link);
  await doctor.toRoom();
  await patient.join("waiting");
  assert.deepEqual(await inUse(patient, "video"), ["camera2 1, facing front"]);
  await doctor.admit();
  await Promise.all([doctor.receives(), patient.receives()]);
  assert.equal(await patient.read(mirrored), true);
  await patient.click("#more");
  await patient.click("#flip");
  await until("the rear camera is used, and no other", async () => String(await inUse(patient, "video")) === "camera2 0, facing back");
  await patient.see("the own picture is no mirror", () => !document.querySelector("#own-tile [data-mirror]"));
  await doctor.receives();
  await patient.click("#more");
  await patient.click("#flip");
  await until("the front camera is used, and no other", async () => String(await inUse(patient, "video")) === "camera2 1, facing front");
  await patient.see("the own picture is a mirror", mirrored);
  await leaveAll();
  await close(tablet);
});

test("a microphone gone silent: its user is told while the other speaks, and hears from the partner's page whether the voice arrives", async () => {
  const dying = await launch("chromium", { speech: await voice(join(files, "dying.wav"), { person: 3, speech: 7, silence: 30 }) });
  const { doctor, patient } = await meet(server, { ...browsers, patient: dying });
  for (const visit of [doctor, patient]) await visit.says("#own-tile [data-device=heard]", de["device.heard.on"]);
  await patient.says("#call-hint", de["hint.silent"]);
  await patient.says("#announcer", de["hint.silent"]);
  await doctor.receives();
  assert.equal(await doctor.read(() => { const hint = /** @type {HTMLElement | null} */ (document.querySelector("#call-hint")); return hint?.checkVisibility() ? hint.innerText : ""; }), "");
  await leaveAll();
  await close(dying);
});

test("who speaks though muted is told, the partner hears nothing of it, and at the end every track is off, the listening one too", async () => {
  const { doctor, patient } = await meet(server, browsers);
  await patient.click("#bar [data-device=microphone]");
  await doctor.says(".partner [data-device=microphone]", said("microphone", "off"));
  await doctor.click("#bar [data-device=microphone]"); // whose voice could be the one in the room
  await patient.says("#call-hint", de["hint.mutedSpeaking"]);
  const before = (await doctor.flow()).energy;
  await doctor.receives({ frames: 0, packets: 50 });
  assert.ok((await doctor.flow()).energy - before < 1e-4, "nothing is heard");
  assert.deepEqual((await patient.devicesInUse()).sort(), ["audio", "audio", "video"]);
  await patient.click("#bar [data-device=microphone]");
  await heard(doctor);
  assert.deepEqual((await patient.devicesInUse()).sort(), ["audio", "video"], "nobody listens while it is on");
  await patient.click("#bar [data-device=microphone]");
  await patient.see("the clone listens again", () => /** @type {any} */ (window).__seen.tracks.filter((/** @type {MediaStreamTrack} */ track) => track.readyState === "live").length === 3);
  await patient.click("#hangup");
  await patient.onScreen("end");
  assert.deepEqual(await patient.devicesInUse(), []);
});

test("devices that a phone call holds are said on both sides, and fetched anew when the page is seen again", async () => {
  const { doctor, patient } = await meet(server, browsers);
  await wire(patient);
  for (const kind of /** @type {const} */ (["audio", "video"])) await hold(patient, kind);
  await patient.says("#call-trouble", de["held.microphone"]);
  await doctor.says(".partner [data-device=microphone]", said("microphone", "off"));
  await doctor.says(".partner [data-device=camera]", said("camera", "off"));
  await patient.read(() => document.dispatchEvent(new Event("visibilitychange")));
  for (const device of /** @type {const} */ (["microphone", "camera"])) await doctor.says(`.partner [data-device=${device}]`, said(device, "on"));
  await heard(doctor);
  await doctor.receives();
  assert.deepEqual((await patient.devicesInUse()).sort(), ["audio", "video"], "the ones before are off");
});

test("a camera that another program took is refused in the call with a sentence, and comes with the next press", async () => {
  const { doctor, patient } = await meet(server, browsers);
  await patient.click("#bar [data-device=camera]");
  await doctor.says(".partner [data-device=camera]", said("camera", "off"));
  await patient.read(() => {
    navigator.mediaDevices.getUserMedia = async () => {
      delete (/** @type {any} */ (navigator.mediaDevices).getUserMedia);
      throw new DOMException("Could not start video source", "NotReadableError");
    };
  });
  await patient.click("#bar [data-device=camera]");
  await patient.says("#call-trouble", de["trouble.in-use.camera"]);
  await heard(doctor);
  await patient.click("#bar [data-device=camera]");
  await doctor.receives();
  await doctor.says(".partner [data-device=camera]", said("camera", "on"));
});

test("single letters do what buttons do, not in a field, not in a dialog, and not when they are switched off", async () => {
  const { doctor, patient } = await meet(server, browsers);
  const { keyboard } = patient.page;
  await keyboard.press("m");
  await doctor.says(".partner [data-device=microphone]", said("microphone", "off"));
  await keyboard.down("Shift");
  await keyboard.press("M");
  await keyboard.up("Shift");
  await keyboard.press("v");
  await doctor.says(".partner [data-device=camera]", said("camera", "off"));
  await patient.says("#bar [data-device=microphone] .status", de["status.off"]); // with Shift it does nothing
  await keyboard.press("f");
  await patient.see("the call fills the screen", () => document.fullscreenElement !== null);
  await keyboard.press("f");
  await patient.see("and no longer", () => document.fullscreenElement === null);
  await patient.click("#more");
  await keyboard.press("m");
  await patient.click("#shortcuts");
  await patient.says("#shortcuts .status", de["status.off"]);
  await patient.click("#panel-more .primary");
  await keyboard.press("m");
  await patient.says("#bar [data-device=microphone] .status", de["status.off"]);
  await patient.reload();
  await patient.onScreen("call");
  await patient.receives({ frames: 1, packets: 1 });
  await keyboard.press("m");
  await patient.says("#bar [data-device=microphone] .status", de["status.off"]);
  await patient.click("#more");
  await patient.click("#shortcuts");
  await patient.click("#panel-more .primary");
  await keyboard.press("m");
  await patient.says("#bar [data-device=microphone] .status", de["status.on"]);
});

test("the screen stays on from the call's first moment to its last, and the picture floats no longer than the call", async () => {
  const { consultation, doctor, patient } = await atTheDoor(server, browsers);
  assert.ok(consultation);
  await patient.read(() => {
    const page = /** @type {any} */ (window);
    page.__locks = [];
    navigator.wakeLock.request = async () => {
      const lock = Object.assign(new EventTarget(), { released: false, type: "screen", release: async () => void (lock.released = true) });
      page.__locks.push(lock);
      return /** @type {any} */ (lock);
    };
  });
  const locks = () => patient.read(() => /** @type {any} */ (window).__locks.map((/** @type {WakeLockSentinel} */ lock) => lock.released));
  assert.deepEqual(await locks(), []);
  await doctor.admit();
  await patient.receives();
  assert.deepEqual(await locks(), [false]);
  await patient.click("#more");
  await patient.click("#float");
  await patient.see("the partner's picture floats", () => document.pictureInPictureElement === document.querySelector(".partner video"));
  await patient.click("#hangup");
  await patient.onScreen("end");
  await patient.see("nothing floats", () => document.pictureInPictureElement === null);
  assert.deepEqual(await locks(), [true]);
});

/** The names of the devices that are on. @param {Visit} visit @param {"audio" | "video"} kind */
function inUse(visit, kind) {
  return visit.read((which) => /** @type {any} */ (window).__seen.tracks
    .filter((/** @type {MediaStreamTrack} */ track) => track.readyState === "live" && track.kind === which)
    .map((/** @type {MediaStreamTrack} */ track) => track.label), kind);
}

/** More sound than now arrives. @param {Visit} visit */
async function heard(visit) {
  const before = (await visit.flow()).energy;
  await until(`${visit.who} hears the other`, async () => (await visit.flow()).energy > before + 1e-4);
}

/** Runs in the page. */
function mirrored() {
  return document.querySelector("#own-tile [data-mirror]") !== null;
}
