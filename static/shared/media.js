/**
 * Camera, microphone and speaker of this page: asks for them (together, then apart, so that a missing camera never
 * costs the sound), switches them, notices when one vanishes, measures the level, and makes the two soft sounds.
 * Wishes are `ideal`, never `exact`. Nothing is stored and nothing leaves the page from here.
 *
 * Events: `change` (tracks, devices, problems or wishes changed; read {@link Media#summary} and {@link Media#track}),
 * `level` (detail: 0 to 1, while {@link Media#meter} is on).
 */

/** @typedef {"microphone" | "camera"} Device */
/**
 * Why a device is not there: blocked in the browser, blocked by the operating system, in use by another program,
 * none connected.
 * @typedef {"browser" | "system" | "in-use" | "none"} Trouble
 */
/** @typedef {{ id: string, label: string }} Choice */
/**
 * @typedef {object} Summary
 * @property {"asking" | "on" | "off" | "missing"} microphone
 * @property {"asking" | "on" | "off" | "missing"} camera
 * @property {Record<Device, Trouble | null>} trouble
 * @property {{ microphones: Choice[], cameras: Choice[], speakers: Choice[] }} devices
 * @property {{ microphone: string, camera: string, speaker: string }} chosen
 * @property {boolean} mirror  the own picture is shown as in a mirror unless the camera looks away from the user
 */

const LEVEL_MS = 80;
/** @type {Record<Device, "audio" | "video">} */
const KIND = { microphone: "audio", camera: "video" };

export class Media extends EventTarget {
  /** Holds the own live tracks; also names them as belonging together. */
  stream = new MediaStream();
  #wanted;
  #chosen = { microphone: "", camera: "", speaker: "" };
  /** @type {Summary["devices"]} */
  #devices = { microphones: [], cameras: [], speakers: [] };
  /** @type {Record<Device, Trouble | null>} */
  #trouble = { microphone: null, camera: null };
  /** @type {Set<Device>} */
  #asking = new Set();
  /** Grows with every stop: what the browser grants for an earlier life is switched off again at once. */
  #life = 0;
  #context = /** @type {AudioContext | null} */ (null);
  /** @type {{ source: MediaStreamAudioSourceNode, timer: ReturnType<typeof setInterval> } | null} */
  #metering = null;
  #metered = false;

  /** @param {Record<Device, boolean>} wanted  which of them are to be on */
  constructor(wanted) {
    super();
    this.#wanted = { ...wanted };
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#plugged());
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
    if (on && !this.track(KIND[device]) && !this.#asking.has(device)) await this.#ask([device]);
  }

  /**
   * Takes another device of a kind, if the browser can.
   * @param {Device | "speaker"} kind
   * @param {string} id  of a {@link Choice}
   */
  async choose(kind, id) {
    this.#chosen[kind] = id;
    if (kind === "speaker" || !this.#wanted[kind]) return this.#changed();
    const old = this.track(KIND[kind]);
    if (old) this.#discard(old); // phones open no second camera beside the first
    await this.#ask([kind]);
  }

  /** Stops every track: the light goes out (R28). */
  stop() {
    this.#life++;
    this.meter(false);
    for (const track of this.stream.getTracks()) this.#discard(track);
    this.#asking.clear();
    this.#trouble = { microphone: null, camera: null };
    this.#changed();
  }

  /** @param {"audio" | "video"} kind @returns {MediaStreamTrack | null} */
  track(kind) {
    return this.stream.getTracks().find((track) => track.kind === kind) ?? null;
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
      mirror: this.track("video")?.getSettings().facingMode !== "environment",
    };
  }

  /**
   * Measures the microphone's level while on.
   * @param {boolean} on
   */
  meter(on) {
    this.#metered = on;
    if (this.#metering) {
      clearInterval(this.#metering.timer);
      this.#metering.source.disconnect();
      this.#metering = null;
    }
    const track = this.track("audio");
    if (!on || !track) return;
    const context = this.#sound();
    const source = context.createMediaStreamSource(new MediaStream([track]));
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      this.dispatchEvent(new CustomEvent("level", { detail: loudness(samples) }));
    }, LEVEL_MS);
    this.#metering = { source, timer };
  }

  /** Whether sounds and the meter wait for a first click, as browsers demand. */
  get hushed() {
    return this.#context?.state === "suspended";
  }

  /** Makes ready for sounds; {@link Media#hushed} then tells whether they can be heard. */
  tune() {
    this.#sound();
    this.#changed();
  }

  /** On a click or a key: lets sounds and the meter begin. */
  async wake() {
    await this.#sound().resume();
  }

  /** Somebody is at the door: two soft, low beats. */
  knock() {
    this.#play([[0, 196], [0.16, 174.6]]);
  }

  /** The door opens: two soft, rising tones. */
  comeIn() {
    this.#play([[0, 392], [0.14, 523.3]]);
  }

  /** The test tone, on the chosen speaker. */
  async tryOut() {
    await this.wake();
    const context = this.#sound();
    const out = context.createMediaStreamDestination();
    const speaker = new Audio();
    speaker.srcObject = out.stream;
    if (this.#chosen.speaker) await speaker.setSinkId?.(this.#chosen.speaker);
    await speaker.play();
    this.#play([[0, 392], [0.3, 523.3], [0.6, 659.3]], out);
    setTimeout(() => speaker.pause(), 2000);
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
    for (const device of devices) this.#asking.delete(device);
    await this.#recount();
  }

  /**
   * One question to the browser.
   * @param {Device[]} devices
   * @param {number} life
   * @returns {Promise<unknown>} the refusal, or nothing
   */
  async #request(devices, life) {
    try {
      const granted = await navigator.mediaDevices.getUserMedia(this.#constraints(devices));
      for (const track of granted.getTracks()) this.#adopt(track, life);
      for (const device of devices) this.#trouble[device] = null;
      return null;
    } catch (error) {
      for (const device of devices) this.#trouble[device] = await troubleOf(error, device);
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

  /** @param {Device[]} devices */
  #constraints(devices) {
    const { microphone, camera } = this.#chosen;
    return {
      audio: devices.includes("microphone") && {
        echoCancellation: { ideal: true },
        noiseSuppression: { ideal: true },
        autoGainControl: { ideal: true },
        ...(microphone && { deviceId: { ideal: microphone } }),
      },
      video: devices.includes("camera") && {
        width: { ideal: 1280 },
        height: { ideal: 720 },
        ...(camera ? { deviceId: { ideal: camera } } : { facingMode: { ideal: "user" } }),
      },
    };
  }

  /** @param {MediaStreamTrack} track @param {number} life */
  #adopt(track, life) {
    const device = track.kind === "audio" ? "microphone" : "camera";
    const unwanted = device === "camera" && !this.#wanted.camera;
    if (life !== this.#life || unwanted) return track.stop();
    const old = this.track(device === "microphone" ? "audio" : "video");
    if (old) this.#discard(old);
    if (device === "microphone") track.enabled = this.#wanted.microphone;
    track.onended = () => this.#vanished(device, track);
    this.stream.addTrack(track);
    this.#chosen[device] = track.getSettings().deviceId ?? "";
    if (device === "microphone" && this.#metered) this.meter(true);
  }

  /** @param {MediaStreamTrack} track */
  #discard(track) {
    track.onended = null;
    track.stop();
    this.stream.removeTrack(track);
  }

  /**
   * A cable was pulled or the permission withdrawn: takes what else there is, and only for the device in use.
   * @param {Device} device
   * @param {MediaStreamTrack} track
   */
  async #vanished(device, track) {
    this.#discard(track);
    this.#chosen[device] = "";
    if (this.#wanted[device] || device === "microphone") await this.#ask([device]);
    else this.#changed();
  }

  /** Something was plugged in or pulled. What is in use stays; what was missing is looked for again. */
  async #plugged() {
    await this.#recount();
    /** @type {Device[]} */
    const missing = ["microphone", "camera"];
    await this.#ask(missing.filter((device) => this.#trouble[device] === "none" && this.#wanted[device]));
  }

  async #recount() {
    const all = await navigator.mediaDevices.enumerateDevices();
    /** @param {MediaDeviceKind} kind */
    const list = (kind) =>
      all
        .filter((device) => device.kind === kind && device.label !== "") // no label: not granted, so no choice yet
        .map(({ deviceId, label }) => ({ id: deviceId, label }));
    const speakers = "setSinkId" in HTMLMediaElement.prototype ? list("audiooutput") : [];
    this.#devices = { microphones: list("audioinput"), cameras: list("videoinput"), speakers };
    this.#changed();
  }

  /** @param {Device} device @returns {Summary["microphone"]} */
  #status(device) {
    const track = this.track(KIND[device]);
    if (track) return this.#wanted[device] ? "on" : "off";
    if (this.#asking.has(device)) return this.#wanted[device] ? "asking" : "off";
    return this.#trouble[device] ? "missing" : "off";
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #sound() {
    if (!this.#context) {
      this.#context = new AudioContext();
      this.#context.onstatechange = () => this.#changed();
    }
    return this.#context;
  }

  /** @param {[at: number, hertz: number][]} tones @param {AudioNode} [out] */
  #play(tones, out) {
    const context = this.#sound();
    if (context.state === "suspended") return;
    for (const [at, hertz] of tones) {
      const tone = context.createOscillator();
      const gain = context.createGain();
      const begin = context.currentTime + at;
      tone.frequency.value = hertz;
      gain.gain.setValueAtTime(0, begin);
      gain.gain.linearRampToValueAtTime(0.16, begin + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.001, begin + 0.45);
      tone.connect(gain).connect(out ?? context.destination);
      tone.start(begin);
      tone.stop(begin + 0.5);
    }
  }
}

/** @param {unknown} error */
function nameOf(error) {
  return error instanceof Error || error instanceof DOMException ? error.name : "";
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

/**
 * The level as the ear has it: decibels, from -60 (0) to 0 (1).
 * @param {Float32Array} samples
 */
function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / samples.length + 1e-9);
  return Math.min(1, Math.max(0, 1 + decibels / 60));
}
