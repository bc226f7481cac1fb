/**
 * A name server that knows one host: `node names.js NAME IPV4 IPV6` answers on port 53 of its namespace's loopback until
 * it is ended (RFC 1035 §4). Chromium's WebRTC asks name servers only, so an entry in /etc/hosts would not do, and it
 * waits long for one that does not answer.
 */

import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";

const [name, ...addresses] = process.argv.slice(2);
const HEAD_BYTES = 12;
const A = 1;
const AAAA = 28;
const NO_SUCH_NAME = 3;
/** A response, recursion desired and available. */
const FLAGS = 0x8180;
/** The answer's name is the question's, at offset 12. */
const SAME_NAME = 0xc00c;
const SECONDS = 60;

const socket = createSocket("udp4");
socket.on("message", (query, { port, address }) => socket.send(answer(query), port, address));
socket.bind(53, "127.0.0.1");

/** @param {Buffer} query  with one question, as resolvers ask */
function answer(query) {
  const labels = [];
  let at = HEAD_BYTES;
  for (; query[at] > 0; at += query[at] + 1) labels.push(query.toString("latin1", at + 1, at + 1 + query[at]));
  const type = query.readUInt16BE(at + 1);
  const isKnown = labels.join(".").toLowerCase() === name;
  const found = isKnown ? addresses.filter((address) => type === (isIPv6(address) ? AAAA : A)) : [];
  const head = Buffer.alloc(HEAD_BYTES);
  [query.readUInt16BE(0), FLAGS | (isKnown ? 0 : NO_SUCH_NAME), 1, found.length].forEach((word, index) => head.writeUInt16BE(word, 2 * index));
  return Buffer.concat([head, query.subarray(HEAD_BYTES, at + 5), ...found.map((address) => record(type, bytes(address)))]);
}

/** @param {number} type @param {Buffer} data */
function record(type, data) {
  const head = Buffer.alloc(HEAD_BYTES);
  [SAME_NAME, type, 1, 0, SECONDS, data.length].forEach((word, index) => head.writeUInt16BE(word, 2 * index));
  return Buffer.concat([head, data]);
}

/** @param {string} address */
function bytes(address) {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const [before, after = ""] = address.split("::").map((half) => half.split(":").filter(Boolean).map((word) => word.padStart(4, "0")).join(""));
  return Buffer.from(before.padEnd(32 - after.length, "0") + after, "hex");
}
