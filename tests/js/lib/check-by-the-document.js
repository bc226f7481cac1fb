/**
 * docs/protocol.md "The check" once more, written from the document with node:crypto and nothing of the page's code:
 * what check.js computes must come out here, too.
 */

import { createECDH, createHash, createHmac, hkdfSync } from "node:crypto";

/** @typedef {{ seat: number, role: string, key: string, nonce: string, fingerprints: string[] }} Side */
/** @typedef {{ consultation: string, language: string, lower: Side, higher: Side }} Sides */

/** @param {Side} side */
const listed = ({ seat, role, key, nonce, fingerprints }) => [seat, role, key, nonce, fingerprints];
/** @param {string} text */
const hash = (text) => createHash("sha256").update(text, "utf8").digest();
/** @param {Buffer} secret @param {string} purpose @param {Buffer} [salt] */
const derive = (secret, purpose, salt = Buffer.alloc(0)) => Buffer.from(hkdfSync("sha256", secret, salt, `visavis check v1 ${purpose}`, 32));

/** @param {Pick<Sides, "consultation" | "language" | "lower">} sides */
export function commitment({ consultation, language, lower }) {
  return hash(JSON.stringify(["visavis check v1 commit", consultation, language, ...listed(lower)])).toString("base64url");
}

/** @param {Sides} sides */
export function transcript({ consultation, language, lower, higher }) {
  return JSON.stringify(["visavis check v1", consultation, language, listed(lower), listed(higher)]);
}

/** @param {Sides} sides @param {string[]} list */
export function words(sides, list) {
  return [...hash(transcript(sides)).subarray(0, 4)].map((place) => list[place]);
}

/** @param {Sides} sides @param {string} secret @param {"link" | "words"} by @param {"lower" | "higher"} side */
export function proof(sides, secret, by, side) {
  const key = derive(Buffer.from(secret, "base64url"), `proof by ${by}`);
  return createHmac("sha256", key).update(transcript(sides) + side).digest("base64url");
}

/** @param {Sides} sides @param {string} privateKey @param {string} theirKey */
export function pair(sides, privateKey, theirKey) {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(Buffer.from(privateKey, "base64url"));
  const shared = ecdh.computeSecret(Buffer.from(theirKey, "base64url"));
  return derive(shared, "pair", hash(transcript(sides))).toString("base64url");
}

/** @param {string} kept */
export function pairName(kept) {
  return derive(Buffer.from(kept, "base64url"), "name").subarray(0, 12).toString("base64url");
}
