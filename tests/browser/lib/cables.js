/**
 * Devices of a page that are pulled out, put back, held by the system or called otherwise, from outside the page.
 * {@link cables} runs in the page; the others are its hands. {@link voice} makes something to say.
 */

import { writeFile } from "node:fs/promises";

/** @typedef {import("./visit.js").Visit} Visit */

/** Runs in the page: from now on it sees the devices through here. @param {Record<string, string>} names  by the browser's own */
export function cables(names) {
  const devices = navigator.mediaDevices;
  const enumerate = devices.enumerateDevices.bind(devices);
  const ask = devices.getUserMedia.bind(devices);
  /** @type {Set<string>} */
  const pulled = new Set();
  const kinds = /** @type {const} */ ({ audio: "audioinput", video: "videoinput" });
  const there = async () => (await enumerate()).filter(({ label }) => !pulled.has(label));
  const label = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(MediaStreamTrack.prototype, "label"));
  Object.defineProperty(MediaStreamTrack.prototype, "label", { get() { return names[label.get?.call(this)] ?? label.get?.call(this); } });

  devices.enumerateDevices = async () => (await there()).map((device) => {
    const { kind, deviceId, groupId } = device;
    return names[device.label] ? /** @type {any} */ ({ kind, deviceId, groupId, label: names[device.label] }) : device;
  });
  devices.getUserMedia = async (wanted) => {
    const left = await there();
    /** @type {any} */
    const asked = { ...wanted };
    for (const kind of /** @type {const} */ (["audio", "video"])) {
      if (!asked[kind]) continue;
      const mine = left.filter((device) => device.kind === kinds[kind]);
      if (mine.length === 0) throw new DOMException("Requested device not found", "NotFoundError");
      const { exact, ideal } = asked[kind].deviceId ?? {};
      const wished = mine.find(({ deviceId }) => deviceId === (exact ?? ideal));
      if (exact && !wished) throw new OverconstrainedError("deviceId");
      asked[kind] = { ...asked[kind], deviceId: { exact: (wished ?? mine[0]).deviceId } };
    }
    return ask(asked);
  };
  const moved = () => devices.dispatchEvent(new Event("devicechange"));
  const live = () => /** @type {MediaStreamTrack[]} */ (/** @type {any} */ (window).__seen.tracks.filter((/** @type {MediaStreamTrack} */ track) => track.readyState === "live"));
  /** @type {any} */ (window).__cables = {
    async pull(/** @type {string} */ name) {
      const { deviceId } = (await enumerate()).find((device) => device.label === name) ?? {};
      pulled.add(name);
      for (const track of live().filter((own) => own.getSettings().deviceId === deviceId)) {
        track.stop();
        track.dispatchEvent(new Event("ended"));
      }
      moved();
    },
    plug(/** @type {string} */ name) {
      pulled.delete(name);
      moved();
    },
    hold(/** @type {string} */ kind) {
      for (const track of live().filter((own) => own.kind === kind)) {
        Object.defineProperty(track, "muted", { value: true });
        track.dispatchEvent(new Event("mute"));
      }
    },
  };
}

/** @param {Visit} visit @param {Record<string, string>} [names] */
export async function wire(visit, names = {}) {
  await visit.read(/** @type {any} */ (cables), names);
}

/** @param {Visit} visit @param {string} name  as the browser calls it */
export async function pull(visit, name) {
  await visit.read((label) => /** @type {any} */ (window).__cables.pull(label), name);
}

/** @param {Visit} visit @param {string} name */
export async function plug(visit, name) {
  await visit.read((label) => /** @type {any} */ (window).__cables.plug(label), name);
}

/** As a phone call does: the tracks live on, and nothing comes. @param {Visit} visit @param {"audio" | "video"} kind */
export async function hold(visit, kind) {
  await visit.read((which) => /** @type {any} */ (window).__cables.hold(which), kind);
}

/** The longest time in which nothing more came, in ms. @param {import("./instrument.js").Flow[]} samples @param {"decoded" | "packets"} what */
export function gap(samples, what) {
  let [longest, last] = [0, samples[0]];
  for (const sample of samples) {
    if (sample[what] > last[what]) {
      longest = Math.max(longest, sample.at - last.at);
      last = sample;
    }
  }
  return Math.round(longest);
}

/**
 * A sound file: syllables of chance length and pitch, then silence. Nobody says the same as somebody else: that would be an echo.
 * @param {string} path
 * @param {{ person: number, speech: number, silence?: number }} what  `speech` and `silence` in seconds
 */
export async function voice(path, { person, speech, silence = 0 }) {
  const rate = 16_000;
  const samples = new Int16Array(rate * (speech + silence));
  let chance = 7 * person;
  const next = () => ((chance = (chance * 1664525 + 1013904223) >>> 0) / 2 ** 32);
  for (let at = 0; at < rate * speech;) {
    const length = Math.min(rate * speech - at, Math.round(rate * (0.12 + next() * 0.3)));
    const pitch = 110 + next() * 120;
    for (let step = 0; step < length; step++) {
      const shape = Math.sin((Math.PI * step) / length) ** 2;
      const tone = [1, 2, 3, 5, 8].reduce((sum, part) => sum + Math.sin((2 * Math.PI * pitch * part * step) / rate) / part, 0);
      samples[at + step] = 7000 * shape * (tone + 0.4 * (next() - 0.5));
    }
    at += length + Math.round(rate * next() * 0.25);
  }
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.byteLength, 40);
  await writeFile(path, Buffer.concat([head, Buffer.from(samples.buffer)]));
  return path;
}
