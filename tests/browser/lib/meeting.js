/** A whole meeting in a few lines: planned, entered by both, admitted, and seen and heard on both sides. */

import { Visit } from "./visit.js";

/** @typedef {import("./browser.js").Browser} Browser */
/** @typedef {import("./visit.js").Options} Options */

export const NAME = "Erika Beispiel";

/**
 * The doctor's room is open and the patient waits.
 * @param {import("./server.js").Server} server
 * @param {{ doctor: Browser, patient: Browser }} browsers
 * @param {{ both?: Options, doctor?: Options, patient?: Options, plan?: string[] }} [options]
 */
export async function atTheDoor(server, browsers, options = {}) {
  const consultation = await server.plan(...(options.plan ?? []));
  const [doctor, patient] = await Promise.all([
    Visit.open("doctor", browsers.doctor, consultation.doctor.link, { ...options.both, ...options.doctor }),
    Visit.open("patient", browsers.patient, consultation.patient.link, { ...options.both, ...options.patient }),
  ]);
  await doctor.toRoom();
  await patient.toWaiting(NAME);
  await doctor.says(".knock [data-part=name]", NAME);
  return { consultation, doctor, patient };
}

/**
 * Both are in the call, and frames and sound arrive on both sides.
 * @param {import("./server.js").Server} server
 * @param {{ doctor: Browser, patient: Browser }} browsers
 * @param {Parameters<typeof atTheDoor>[2]} [options]
 */
export async function meet(server, browsers, options = {}) {
  const meeting = await atTheDoor(server, browsers, options);
  await meeting.doctor.admit();
  await Promise.all([meeting.doctor.receives(), meeting.patient.receives()]);
  return meeting;
}

/**
 * How long after the doctor's admission the first frame was decoded, in ms.
 * @param {{ doctor: Visit, patient: Visit }} meeting
 */
export async function timesToFirstFrame({ doctor, patient }) {
  const admitted = (await doctor.frames()).find(({ message }) => message.type === "admit")?.at ?? NaN;
  const first = await Promise.all([doctor, patient].map((visit) => visit.read(() => /** @type {any} */ (window).__seen.firstFrameAt)));
  return { doctor: Math.round(first[0] - admitted), patient: Math.round(first[1] - admitted) };
}

/**
 * The longest time in which no new frame was decoded, in ms. A page that began anew counts from zero again.
 * @param {import("./instrument.js").Flow[]} samples
 */
export function longestGap(samples) {
  let longest = 0;
  let movedAt = samples[0]?.at ?? NaN;
  let decoded = samples[0]?.decoded ?? 0;
  for (const flow of samples) {
    longest = Math.max(longest, flow.at - movedAt);
    if (flow.decoded !== decoded) movedAt = flow.at;
    decoded = flow.decoded;
  }
  return Math.round(longest);
}
