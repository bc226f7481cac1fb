/**
 * The page's one AudioContext: measures how loud a track is, and makes the soft sounds. What is measured is a number,
 * read and forgotten; nothing is stored (R25) and nothing leaves the page from here.
 *
 * Events: `change` ({@link Sound#hushed} may be another).
 */

/** @typedef {{ rms: number, peak: number }} Level  of a moment, both from 0 to 1 */

export class Sound extends EventTarget {
  #context = /** @type {AudioContext | null} */ (null);
  /** @type {{ track: MediaStreamTrack, source: MediaStreamAudioSourceNode, analyser: AnalyserNode } | null} */
  #measured = null;
  #samples = new Float32Array(2048); // at 48 kHz 43 ms: with a look every 100 ms a syllable is not missed

  /**
   * From now on {@link Sound#level} is this track's.
   * @param {MediaStreamTrack | null} track
   */
  measure(track) {
    if (track === (this.#measured?.track ?? null)) return;
    this.#measured?.source.disconnect();
    this.#measured = null;
    if (!track) return;
    const context = this.#open();
    const source = context.createMediaStreamSource(new MediaStream([track]));
    const analyser = context.createAnalyser();
    analyser.fftSize = this.#samples.length;
    source.connect(analyser);
    this.#measured = { track, source, analyser };
  }

  /** @returns {Level | null} nothing while nothing is measured, or before the first click */
  level() {
    if (!this.#measured || this.#context?.state !== "running") return null;
    this.#measured.analyser.getFloatTimeDomainData(this.#samples);
    let [sum, peak] = [0, 0];
    for (const sample of this.#samples) {
      sum += sample * sample;
      peak = Math.max(peak, Math.abs(sample));
    }
    return { rms: Math.sqrt(sum / this.#samples.length), peak };
  }

  /** Whether sounds and levels wait for a first click, as browsers demand. */
  get hushed() {
    return this.#context?.state === "suspended";
  }

  /** Makes ready for sounds; {@link Sound#hushed} then tells whether they can be heard. */
  tune() {
    this.#open();
    this.dispatchEvent(new Event("change"));
  }

  /** On a click or a key: lets sounds and levels begin. */
  async wake() {
    await this.#open().resume();
  }

  /** Somebody is at the door: two soft, low beats. */
  knock() {
    this.#play([[0, 196], [0.16, 174.6]]);
  }

  /** The door opens: two soft, rising tones. */
  comeIn() {
    this.#play([[0, 392], [0.14, 523.3]]);
  }

  /**
   * The test tone.
   * @param {string} speaker  its id; empty: the device's own choice
   */
  async tryOut(speaker) {
    await this.wake();
    const out = this.#open().createMediaStreamDestination();
    const player = new Audio();
    player.srcObject = out.stream;
    if (speaker) await player.setSinkId?.(speaker);
    await player.play();
    this.#play([[0, 392], [0.3, 523.3], [0.6, 659.3]], out);
    setTimeout(() => player.pause(), 2000);
  }

  #open() {
    if (!this.#context) {
      this.#context = new AudioContext();
      this.#context.onstatechange = () => this.dispatchEvent(new Event("change"));
    }
    return this.#context;
  }

  /** @param {[at: number, hertz: number][]} tones @param {AudioNode} [out] */
  #play(tones, out) {
    const context = this.#open();
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

/**
 * A level as the ear has it: decibels, from -60 (0) to 0 (1).
 * @param {number} rms
 */
export function loudness(rms) {
  return Math.min(1, Math.max(0, 1 + Math.log10(rms + 1e-9) / 3));
}
