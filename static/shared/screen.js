/**
 * What a page may ask of the screen during a call: that it stays on, that the call fills it, and that a picture floats
 * above other windows. Each where the browser can; none of them is worth an error.
 *
 * Events: `change` (read {@link Screen#summary}).
 */

/** @typedef {{ full: boolean | null, floating: boolean | null }} Summary  `null`: this browser cannot */

export class Screen extends EventTarget {
  #awake = false;
  /** @type {Promise<WakeLockSentinel | undefined> | null} */
  #lock = null;

  constructor() {
    super();
    for (const type of ["fullscreenchange", "enterpictureinpicture", "leavepictureinpicture"]) {
      document.addEventListener(type, () => this.dispatchEvent(new Event("change")));
    }
    document.addEventListener("visibilitychange", () => this.#hold());
  }

  /** @returns {Summary} */
  summary() {
    return {
      full: document.fullscreenEnabled ? document.fullscreenElement !== null : null,
      floating: document.pictureInPictureEnabled ? document.pictureInPictureElement !== null : null,
    };
  }

  /** Whether the screen is to stay on. @param {boolean} awake */
  stayAwake(awake) {
    this.#awake = awake;
    this.#hold();
  }

  /** The whole page fills the screen, or no longer; unsaid, the other way than now. @param {boolean} [full] */
  async fill(full = document.fullscreenElement === null) {
    if (full === (document.fullscreenElement !== null)) return;
    await (full ? document.documentElement.requestFullscreen() : document.exitFullscreen());
  }

  /** This picture floats, or no longer what does; without one, none does. @param {HTMLVideoElement | null} picture */
  async float(picture) {
    if (document.pictureInPictureElement) await document.exitPictureInPicture();
    else await picture?.requestPictureInPicture();
  }

  /** The browser takes the lock away whenever the page is hidden. */
  #hold() {
    const wanted = this.#awake && document.visibilityState === "visible";
    if (!wanted) {
      this.#lock?.then((lock) => lock?.release());
      this.#lock = null;
    }
    if (!wanted || this.#lock) return;
    // Refused by a battery that is low, or missing in an old browser: asked again when the page is seen again.
    const asked = Promise.resolve(navigator.wakeLock?.request("screen")).catch(() => undefined);
    const free = () => void (this.#lock === asked && (this.#lock = null));
    this.#lock = asked;
    asked.then((lock) => (lock ? lock.addEventListener("release", free) : free()));
  }
}
