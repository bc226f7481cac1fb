/**
 * Something like a voice that never pauses, as a WAV file for Chromium's fake microphone: what is concealed then is never
 * silence. A buzz of changing pitch goes through two moving formants (the parts of a vowel), loud and soft four times a second.
 */

import { writeFile } from "node:fs/promises";

const RATE = 48_000;
const SECONDS = 12;
const HEAD_BYTES = 44;

/** @param {string} path */
export async function writeSpeech(path) {
  const samples = RATE * SECONDS;
  const file = Buffer.alloc(HEAD_BYTES + 2 * samples);
  file.write("RIFF", 0);
  file.writeUInt32LE(file.length - 8, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20); // PCM
  file.writeUInt16LE(1, 22); // mono
  file.writeUInt32LE(RATE, 24);
  file.writeUInt32LE(2 * RATE, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(2 * samples, 40);
  const formants = [resonator(), resonator()];
  let phase = 0;
  for (let at = 0; at < samples; at++) {
    const t = (2 * Math.PI * at) / RATE;
    phase += (130 + 25 * Math.sin(0.5 * t) + 10 * Math.sin(3 * t)) / RATE;
    const buzz = (phase % 1) - 0.5 + 0.1 * (Math.random() - 0.5);
    const vowel = formants[0](buzz, 500 + 200 * Math.sin(2 * t)) + 0.6 * formants[1](buzz, 1500 + 600 * Math.sin(1.25 * t));
    const loud = 0.65 + 0.35 * Math.sin(4 * t);
    file.writeInt16LE(Math.round(Math.max(-1, Math.min(1, 0.03 * loud * vowel)) * 32_000), HEAD_BYTES + 2 * at);
  }
  await writeFile(path, file);
}

/** A band-pass of second order whose frequency may change with every sample. */
function resonator() {
  const width = Math.exp((-Math.PI * 90) / RATE);
  let [one, two] = [0, 0];
  return (/** @type {number} */ input, /** @type {number} */ hertz) => {
    const output = (1 - width) * 12 * input + 2 * width * Math.cos((2 * Math.PI * hertz) / RATE) * one - width * width * two;
    [one, two] = [output, one];
    return output;
  };
}
