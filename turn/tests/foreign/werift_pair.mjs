/**
 * Two werift peer connections that may only relay: each allocates at the TURN server, they meet, and messages pass
 * each way over a data channel.
 *
 * Standard input: one JSON object, {"host", "port", "transport": "udp" | "tcp" | "tls", "credentials": [{"username",
 * "password"}, the same of the other seat], "payloads": [bytes of each message, per direction]}. Standard output: one
 * JSON object, {"candidates": [all local candidates], "received": [[bytes of each message], [the other way]]}.
 * For TLS, NODE_EXTRA_CA_CERTS names the certificate to trust. Any failure is an uncaught error and exit status 1.
 */
import { readFileSync } from "node:fs";
import { RTCPeerConnection } from "werift";

const order = JSON.parse(readFileSync(0, "utf8"));
const urls = `${order.transport === "tls" ? "turns" : "turn"}:${order.host}:${order.port}`
  + `?transport=${order.transport === "udp" ? "udp" : "tcp"}`;

/** @param {{ username: string, password: string }} credential */
function peer({ username, password }) {
  return new RTCPeerConnection({
    iceServers: [{ urls, username, credential: password }],
    iceTransportPolicy: "relay",
  });
}

/**
 * Sets a peer's own description and resolves when its candidates are complete, with them.
 * @param {RTCPeerConnection} peer
 * @param {import("werift").RTCSessionDescriptionInit} description
 * @returns {Promise<string[]>}
 */
async function describe(peer, description) {
  /** @type {string[]} */
  const found = [];
  const complete = new Promise((resolve) => {
    peer.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) found.push(candidate.candidate);
      else resolve(found);
    };
  });
  await peer.setLocalDescription(description);
  return complete;
}

/**
 * Gives one peer the other's description with all its candidates.
 * @param {RTCPeerConnection} peer
 * @param {RTCPeerConnection} other
 */
async function hand(peer, other) {
  if (!other.localDescription) throw new Error("described peers have a description");
  await peer.setRemoteDescription(other.localDescription);
}

/** @param {number} number */
const payload = (number) => Buffer.alloc(order.payloads[number], number % 256);

/** @param {import("werift").RTCDataChannel} channel */
function send(channel) {
  for (const number of order.payloads.keys()) channel.send(payload(number));
}

/**
 * Resolves with the sizes of all messages; a message that differs from what was sent is an error.
 * @param {import("werift").RTCDataChannel} channel
 * @returns {Promise<number[]>}
 */
function receiveAll(channel) {
  return new Promise((resolve, reject) => {
    /** @type {number[]} */
    const sizes = [];
    channel.onmessage = ({ data }) => {
      if (!payload(sizes.length).equals(Buffer.from(data))) {
        reject(new Error("another message than was sent, or in another order"));
      }
      sizes.push(data.length);
      if (sizes.length === order.payloads.length) resolve(sizes);
    };
  });
}

/**
 * candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE ... (RFC 8839)
 * @param {string} candidate
 */
function parsed(candidate) {
  const words = candidate.split(" ");
  return { type: words[words.indexOf("typ") + 1], address: words[4], port: Number(words[5]) };
}

/** @type {RTCPeerConnection[]} */
const [offerer, answerer] = order.credentials.map(peer);
const offered = offerer.createDataChannel("data");
const atOfferer = receiveAll(offered);
offered.onopen = () => send(offered);
const atAnswerer = new Promise((resolve, reject) => {
  answerer.ondatachannel = ({ channel }) => {
    receiveAll(channel).then(resolve, reject);
    send(channel);
  };
});

const candidates = await describe(offerer, await offerer.createOffer());
await hand(answerer, offerer);
candidates.push(...await describe(answerer, await answerer.createAnswer()));
await hand(offerer, answerer);

const received = await Promise.all([atAnswerer, atOfferer]);
await Promise.all([offerer.close(), answerer.close()]);
console.log(JSON.stringify({ candidates: candidates.map(parsed), received }));
// Timers of werift would hold the process for minutes.
process.exit();
