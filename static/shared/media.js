/**
 * Camera, microphone and speaker of this page: asks for them (together, then apart, so that a missing camera never
 * costs the sound), switches and changes them without a gap, notices when one vanishes, comes back or falls silent.
 * A wish that cannot be had never costs the rest. Nothing is stored and nothing leaves the page from here.
 *
 * Events: `change` (tracks, devices, problems or wishes changed; read {@link Media#summary} and {@link Media#track}; the
 * detail is a list for promises: a track that was replaced is stopped when they are settled), `switched` (the device in
 * use was lost, and another took its place; detail: { device, label }).
 */

import { better, facing, flippable, opposite } from "./cameras.js";

/** @typedef {"microphone" | "camera"} Device */
/** @typedef {"asking" | "on" | "off" | "missing" | "interrupted"} Status  `interrupted`: there, but the system holds it (a phone call) */
/**
 * Why a device is not there: blocked in the browser, blocked by the operating system, in use by another program,
 * none connected.
 * @typedef {"browser" | "system" | "in-use" | "none"} Trouble
 */
/** @typedef {{ id: string, label: string }} Choice */
/** @typedef {{ min: number, max: number, step: number, value: number }} Zoom */
/**
 * @typedef {object} Summary
 * @property {Status} microphone
 * @property {Status} camera
 * @property {Record<Device, Trouble | null>} trouble
 * @property {{ microphones: Choice[], cameras: import("./cameras.js").Camera[], speakers: Choice[] }} devices
 * @property {{ microphone: string, camera: string, speaker: string }} chosen
 * @property {boolean} mirror  the own picture is shown as in a mirror unless the camera looks away from the user
 * @property {boolean} flip  there is a camera for each direction
 * @property {boolean | null} torch  `null`: this camera has none
 * @property {Zoom | null} zoom
 */

/** @type {Record<Device, "audio" | "video">} */
const KIND = { microphone: "audio", camera: "video" };
/** @type {Device[]} */
const DEVICES = ["microphone", "camera"];
const LISTS = /** @type {const} */ ({ microphone: "microphones", camera: "cameras" });
/** A connection that is just closing may never say that it has taken the new track. */
const HANDED_OVER_MS = 1000;
/**
 * Chromium keeps the microphone in use while a track is muted, so a clone may listen whether somebody speaks. Firefox
 * and Safari let go of it and its light goes out: there mute keeps that promise, and nobody listens.
 */
const LISTENS_MUTED = "userAgentData" in navigator;

export class Media extends EventTarget {
  /** Holds the own live tracks; also names them as belonging together. */
  stream = new MediaStream();
  #wanted;
  /** What is used. */
  #chosen = { microphone: "", camera: "", speaker: "" };
  /** What the user chose, or had first: taken again when it comes back. */
  #picked = { microphone: "", camera: "", speaker: "" };
  /** @type {import("./cameras.js").Facing} */
  #facing = "user";
  /** @type {Summary["devices"]} */
  #devices = { microphones: [], cameras: [], speakers: [] };
  #all = /** @type {MediaDeviceInfo[]} */ ([]);
  /** @type {Record<Device, Trouble | null>} */
  #trouble = { microphone: null, camera: null };
  /** @type {Set<Device>} */
  #asking = new Set();
  /** Grows with every stop: what the browser grants for an earlier life is switched off again at once. */
  #life = 0;
  /** Replaced, and still on until the connections have the new ones. @type {Set<MediaStreamTrack>} */
  #leaving = new Set();
  #overhearing = false;
  /** Listens while the microphone is off. @type {{ of: MediaStreamTrack, clone: MediaStreamTrack } | null} */
  #ear = null;

  /** @param {Record<Device, boolean>} wanted  which of them are to be on */
  constructor(wanted) {
    super();
    this.#wanted = { ...wanted };
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#plugged());
    document.addEventListener("visibilitychange", () => {
      // An interruption on a phone may leave a track that lives and stays silent.
      if (document.visibilityState !== "visible") return;
      for (const device of DEVICES) if (this.track(KIND[device])?.muted) this.renew(device);
    });
  }

  /** Whether this browser lets a page ask for a camera at all; in-app browsers and plain HTTP often do not. */
  static supported() {
    return typeof navigator.mediaDevices?.getUserMedia === "function" && typeof RTCPeerConnection === "function";
  }

  /** @param {Record<Device, boolean>} wanted  what a reload found out about before it asks for anything */
  wish(wanted) {
    this.#wanted = { ...wanted };
  }

  /** Asks for what is wanted and not there yet. A switched-off microphone is asked for too, and stays silent. */
  async start() {
    const session = /** @type {{ audioSession?: { type: string } }} */ (navigator).audioSession;
    if (session) session.type = "play-and-record"; // iOS: the loudspeaker, not the ear piece
    /** @type {Device[]} */
    const missing = [];
    if (!this.track("audio")) missing.push("microphone");
    if (!this.track("video") && this.#wanted.camera) missing.push("camera");
    await this.#ask(missing.filter((device) => !this.#asking.has(device)));
  }

  /**
   * Switches a device. The microphone goes silent, the camera goes out altogether, light included.
   * @param {Device} device
   * @param {boolean} on
   */
  async set(device, on) {
    this.#wanted[device] = on;
    const track = this.track(KIND[device]);
    if (device === "microphone" && track) track.enabled = on;
    if (device === "camera" && track && !on) this.#discard(track);
    this.#changed();
    if (on && (!track || track.muted) && !this.#asking.has(device)) await this.renew(device);
  }

  /**
   * Takes another device of a kind, if the browser can.
   * @param {Device | "speaker"} kind
   * @param {string} id  of a {@link Choice}
   */
  async choose(kind, id) {
    this.#picked[kind] = this.#chosen[kind] = id;
    if (kind !== "speaker" && (this.#wanted[kind] || this.track(KIND[kind]))) await this.renew(kind);
    else this.#changed();
  }

  /** The camera that looks the other way. */
  async flip() {
    const { facing: now = null } = this.#devices.cameras.find(({ id }) => id === this.#chosen.camera) ?? {};
    this.#facing = opposite(this.#look() ?? now);
    this.#picked.camera = "";
    await this.renew("camera");
  }

  /**
   * A fresh track in place of the one there is. The new one first, so that nobody sees a gap; phones open no second
   * camera or microphone beside the first.
   * @param {Device} device
   */
  async renew(device) {
    if (this.#asking.has(device)) return;
    const old = this.track(KIND[device]);
    if (old && matchMedia("(hover: none) and (pointer: coarse)").matches) this.#discard(old);
    await this.#ask([device]);
  }

  /** The camera's light, and how near it looks. @param {{ torch?: boolean, zoom?: number }} wish */
  async adjust(wish) {
    const track = this.track("video");
    const { torch, zoom } = this.summary();
    const all = { ...(torch !== null && { torch }), ...(zoom && { zoom: zoom.value }), ...wish };
    await track?.applyConstraints({ ...track.getConstraints(), advanced: [/** @type {MediaTrackConstraintSet} */ (all)] });
    this.#changed();
  }

  /** Stops every track: the light goes out (R28). */
  stop() {
    this.#life++;
    for (const track of [...this.stream.getTracks(), ...this.#leaving]) this.#discard(track);
    this.#leaving.clear();
    this.#asking.clear();
    this.#trouble = { microphone: null, camera: null };
    this.#overhearing = false;
    this.#changed();
  }

  /** @param {"audio" | "video"} kind @returns {MediaStreamTrack | null} */
  track(kind) {
    return this.stream.getTracks().find((track) => track.kind === kind) ?? null;
  }

  /** Whether to listen while the microphone is off, where that keeps no light on. @param {boolean} on */
  overhear(on) {
    this.#overhearing = on && LISTENS_MUTED;
    this.#changed();
  }

  /** What may be measured to know whether the user speaks. @returns {MediaStreamTrack | null} */
  ear() {
    return this.#ear?.clone ?? (this.#wanted.microphone ? this.track("audio") : null);
  }

  /** What the partner is told: whether he can hear and see us (R44). */
  sending() {
    return { microphone: this.#status("microphone") === "on", camera: this.#status("camera") === "on" };
  }

  /** @returns {Record<Device, boolean>} */
  wanted() {
    return { ...this.#wanted };
  }

  /** @returns {Summary} */
  summary() {
    return {
      microphone: this.#status("microphone"),
      camera: this.#status("camera"),
      trouble: { ...this.#trouble },
      devices: this.#devices,
      chosen: { ...this.#chosen },
      mirror: this.#look() !== "environment",
      flip: flippable(this.#devices.cameras),
      ...this.#lens(),
    };
  }

  /** Which way the camera in use looks. */
  #look() {
    const track = this.track("video");
    return track && facing(track.label, track.getSettings().facingMode);
  }

  /** @returns {Pick<Summary, "torch" | "zoom">} */
  #lens() {
    const track = this.track("video");
    const can = /** @type {any} */ (track?.getCapabilities?.() ?? {}); // Firefox before 132 does not tell
    const is = /** @type {any} */ (track?.getSettings() ?? {});
    const { min, max, step } = can.zoom ?? {};
    return { torch: can.torch ? is.torch === true : null, zoom: max > min ? { min, max, step: step || 0.1, value: is.zoom ?? min } : null };
  }

  /** @param {Device[]} devices */
  async #ask(devices) {
    if (devices.length === 0) return this.#recount();
    const life = this.#life;
    for (const device of devices) this.#asking.add(device);
    this.#changed();
    const refused = await this.#request(devices, life);
    if (refused && devices.length > 1) {
      const order = await this.#askable(devices, refused);
      for (const device of order) await this.#request([device], life);
    }
    if (life !== this.#life) return;
    await this.#recount();
    if (devices.includes("camera")) await this.#turn(life);
    if (life !== this.#life) return;
    for (const device of devices) {
      this.#asking.delete(device);
      this.#chosen[device] = this.track(KIND[device])?.getSettings().deviceId ?? this.#chosen[device];
    }
    this.#picked.microphone ||= this.#physical(this.#chosen.microphone);
    this.#changed();
  }

  /** Chromium calls the system's first microphone `default` and lists it a second time by its own id. @param {string} id */
  #physical(id) {
    const { groupId } = this.#all.find(({ kind, deviceId }) => kind === "audioinput" && deviceId === id) ?? {};
    const names = this.#all.filter((device) => device.kind === "audioinput" && device.groupId === groupId);
    return names.find(({ deviceId }) => !["default", "communications"].includes(deviceId))?.deviceId ?? id;
  }

  /**
   * One question to the browser.
   * @param {Device[]} devices
   * @param {number} life
   * @param {"exact" | "ideal"} [wish]
   * @returns {Promise<unknown>} the refusal, or nothing
   */
  async #request(devices, life, wish = "exact") {
    try {
      const granted = await navigator.mediaDevices.getUserMedia(this.#constraints(devices, wish));
      for (const track of granted.getTracks()) this.#adopt(track, life);
      for (const device of devices) this.#trouble[device] = null;
      return null;
    } catch (error) {
      if (wish === "exact" && nameOf(error) === "OverconstrainedError") return this.#request(devices, life, "ideal"); // pulled meanwhile
      const held = devices.flatMap((device) => this.track(KIND[device]) ?? []);
      if (held.length > 0 && ["NotReadableError", "AbortError"].includes(nameOf(error))) {
        for (const track of held) this.#discard(track); // it opens only one at a time
        return this.#request(devices, life);
      }
      for (const device of devices) {
        const trouble = await troubleOf(error, device);
        if (!this.track(KIND[device])) this.#trouble[device] = trouble;
      }
      return error;
    }
  }

  /**
   * After a refusal of both: what is worth asking alone. Somebody who said no is not asked twice for the same.
   * @param {Device[]} devices
   * @param {unknown} refused
   * @returns {Promise<Device[]>}
   */
  async #askable(devices, refused) {
    if (nameOf(refused) !== "NotAllowedError") return devices;
    const states = await Promise.all(devices.map(permission));
    if (states.includes("unknown")) return devices.filter((device) => device === "microphone");
    if (states.every((state) => state === "prompt")) return [];
    return devices.filter((_, index) => states[index] !== "denied");
  }

  /** Some tablets give the rear camera to whoever asks for the front one: then it is asked for by its name. @param {number} life */
  async #turn(life) {
    const track = this.track("video");
    if (!track || this.#picked.camera) return;
    const granted = { id: this.#chosen.camera, label: track.label, facing: this.#look() };
    this.#picked.camera = better(this.#devices.cameras, granted, this.#facing)?.id ?? granted.id;
    if (this.#picked.camera === granted.id) return;
    if (matchMedia("(hover: none) and (pointer: coarse)").matches) this.#discard(track);
    await this.#request(["camera"], life);
  }

  /**
   * A device that was chosen and is there is asked for exactly: as an ideal it would lose against one with the ideal size.
   * @param {Device[]} devices
   * @param {"exact" | "ideal"} wish
   */
  #constraints(devices, wish) {
    const { microphone, camera } = this.#picked;
    return {
      audio: devices.includes("microphone") && {
        echoCancellation: { ideal: true },
        noiseSuppression: { ideal: true },
        autoGainControl: { ideal: true },
        ...(has(this.#devices.microphones, microphone) && { deviceId: { [wish]: microphone } }),
      },
      video: devices.includes("camera") && {
        width: { ideal: 1280 },
        height: { ideal: 720 },
        ...(has(this.#devices.cameras, camera) ? { deviceId: { [wish]: camera } } : { facingMode: { ideal: this.#facing } }),
      },
    };
  }

  /** @param {MediaStreamTrack} track @param {number} life */
  #adopt(track, life) {
    const device = track.kind === "audio" ? "microphone" : "camera";
    const unwanted = device === "camera" && !this.#wanted.camera;
    if (life !== this.#life || unwanted) {
      track.stop();
      return;
    }
    const old = this.track(KIND[device]);
    if (old) this.stream.removeTrack(old);
    if (device === "microphone") track.enabled = this.#wanted.microphone;
    track.onended = () => this.#vanished(device, track);
    track.onmute = track.onunmute = () => this.#changed();
    this.stream.addTrack(track);
    this.#chosen[device] = track.getSettings().deviceId ?? "";
    const taking = this.#changed();
    if (old) this.#leave(old, taking);
  }

  /**
   * Stops a track as soon as the connections have the new one.
   * @param {MediaStreamTrack} track
   * @param {Promise<unknown>[]} taking
   */
  async #leave(track, taking) {
    track.onended = null;
    this.#leaving.add(track);
    await Promise.race([Promise.allSettled(taking), new Promise((late) => setTimeout(late, HANDED_OVER_MS))]);
    this.#leaving.delete(track);
    this.#discard(track);
  }

  /** @param {MediaStreamTrack} track */
  #discard(track) {
    track.onended = track.onmute = track.onunmute = null;
    track.stop();
    this.stream.removeTrack(track);
  }

  /**
   * A cable was pulled or the permission withdrawn: takes what else there is, and only for the device in use.
   * @param {Device} device
   * @param {MediaStreamTrack} track
   */
  async #vanished(device, track) {
    const life = this.#life;
    this.#discard(track);
    this.#chosen[device] = "";
    this.#asking.add(device);
    await this.#recount();
    if (life !== this.#life) return;
    await this.#ask([device]);
    const other = this.track(KIND[device]);
    if (other) this.dispatchEvent(new CustomEvent("switched", { detail: { device, label: other.label } }));
  }

  /** Something was plugged in or pulled. What is in use stays, unless the one chosen comes back; what was missing is looked for again. */
  async #plugged() {
    const before = this.#devices;
    await this.#recount();
    for (const device of DEVICES) {
      const track = this.track(KIND[device]);
      const list = LISTS[device];
      const picked = this.#picked[device];
      const back = has(this.#devices[list], picked) && !has(before[list], picked) && this.#chosen[device] !== picked;
      const missing = !track && this.#wanted[device] && ["none", "in-use"].includes(this.#trouble[device] ?? "");
      if (missing || (track && back)) await this.renew(device);
      // Not every browser ends the track of a device that is gone.
      else if (track && has(before[list], this.#chosen[device]) && !has(this.#devices[list], this.#chosen[device])) await this.#vanished(device, track);
    }
  }

  async #recount() {
    const all = (this.#all = await navigator.mediaDevices.enumerateDevices());
    /** @param {MediaDeviceKind} kind */
    const list = (kind) =>
      all
        .filter((device) => device.kind === kind && device.label !== "") // no label: not granted, so no choice yet
        .map((device) => ({ id: device.deviceId, label: device.label, facing: facing(device.label, modesOf(device)) }));
    const speakers = "setSinkId" in HTMLMediaElement.prototype ? list("audiooutput") : [];
    this.#devices = { microphones: list("audioinput"), cameras: list("videoinput"), speakers };
    this.#chosen.speaker = has(speakers, this.#picked.speaker) ? this.#picked.speaker : "";
    this.#changed();
  }

  /** @param {Device} device @returns {Status} */
  #status(device) {
    const track = this.track(KIND[device]);
    if (track && this.#wanted[device]) return track.muted ? "interrupted" : "on";
    if (this.#asking.has(device) && this.#wanted[device]) return "asking";
    return this.#trouble[device] && !track ? "missing" : "off";
  }

  /** @returns {Promise<unknown>[]} what whoever listens does with it */
  #changed() {
    this.#listen();
    /** @type {Promise<unknown>[]} */
    const taking = [];
    this.dispatchEvent(new CustomEvent("change", { detail: taking }));
    return taking;
  }

  /** Makes or ends the clone that listens. */
  #listen() {
    const track = this.track("audio");
    const of = this.#overhearing && !this.#wanted.microphone ? track : null;
    if (of === (this.#ear?.of ?? null)) return;
    this.#ear?.clone.stop();
    this.#ear = of && { of, clone: of.clone() };
    if (this.#ear) this.#ear.clone.enabled = true;
  }
}

/** @param {Choice[]} list @param {string} id */
function has(list, id) {
  return list.some((choice) => choice.id === id);
}

/** @param {MediaDeviceInfo} device @returns {unknown} */
function modesOf(device) {
  return device.kind === "videoinput" && /** @type {Partial<InputDeviceInfo>} */ (device).getCapabilities?.().facingMode;
}

/** @param {unknown} error */
function nameOf(error) {
  return String(/** @type {{ name?: unknown } | null} */ (error)?.name ?? ""); // OverconstrainedError is no Error in older browsers
}

/**
 * Whose refusal it was (R16). Where the browser itself has nothing against it, the operating system has.
 * @param {unknown} error
 * @param {Device} device
 * @returns {Promise<Trouble>}
 */
async function troubleOf(error, device) {
  const name = nameOf(error);
  if (name === "NotAllowedError" || name === "SecurityError") {
    const system = /system/i.test(/** @type {Error} */ (error).message) || (await permission(device)) === "granted";
    return system ? "system" : "browser";
  }
  return name === "NotReadableError" || name === "AbortError" ? "in-use" : "none";
}

/**
 * @param {Device} device
 * @returns {Promise<PermissionState | "unknown">} Firefox and Safari do not tell in every version
 */
async function permission(device) {
  try {
    return (await navigator.permissions.query({ name: /** @type {PermissionName} */ (device) })).state;
  } catch {
    return "unknown";
  }
}
