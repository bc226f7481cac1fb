/**
 * A call of real browsers comes about, and goes on, while one stranger holds as many sockets as the system lets a program open: each has
 * shown a code that is over, and answers no ping. In `tests/run --long hostile`.
 */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { launch } from "./lib/browser.js";
import { meet } from "./lib/meeting.js";
import { Server } from "./lib/server.js";
import { cleanUp } from "./lib/visit.js";

const SOCKETS = 18_000;
const AT_ONCE = 200;
const skip = !process.env.VISAVIS_LONG && "a storm takes its time: tests/run --long hostile";

/** @type {Server} */
let server;
/** @type {import("./lib/browser.js").Browser} */
let browser;
/** @type {import("node:net").Socket[]} */
const storm = [];

if (!skip) before(async () => {
  server = await Server.start({ args: ["--trusted-proxies", "127.0.0.0/8"] });
  browser = await launch("chromium");
});
after(async () => {
  for (const socket of storm) socket.destroy();
  if (!skip) await cleanUp(server);
});

test("a call comes about and goes on under a storm of sockets", { skip }, async (context) => {
  const calm = await meet(server, { doctor: browser, patient: browser });
  const over = await server.plan("--start", new Date(Date.now() - 2 * 86_400_000).toISOString());
  let opened = 0;
  for (let number = 0; number < SOCKETS; number += AT_ONCE) {
    const all = Array.from({ length: AT_ONCE }, (_, index) => hold(`203.0.113.${((number + index) % 2) + 1}`, over.patient.code));
    opened += (await Promise.all(all)).filter(Boolean).length;
  }
  context.diagnostic(`${opened} of ${SOCKETS} sockets were taken, ${storm.filter(({ closed }) => !closed).length} are held`);
  assert.ok(opened > SOCKETS / 2, "there was a storm");
  const began = performance.now();
  const { doctor, patient } = await meet(server, { doctor: browser, patient: browser });
  context.diagnostic(`another call after ${Math.round(performance.now() - began)} ms`);
  for (const visit of [doctor, patient, calm.doctor, calm.patient]) await visit.receives();
});

/**
 * A socket from there that shows a code and reads no more.
 * @param {string} address
 * @param {string} code
 * @returns {Promise<boolean>} whether the server took it
 */
function hold(address, code) {
  const { hostname, port } = new URL(server.origin);
  const socket = connect({ host: hostname === "localhost" ? "127.0.0.1" : hostname, port: Number(port) });
  storm.push(socket);
  const head = [
    `PROXY TCP4 ${address} 203.0.113.9 40000 443`, "GET /ws HTTP/1.1", `Host: localhost:${port}`, `Origin: ${server.origin}`, "Upgrade: websocket",
    "Connection: Upgrade", "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`, "Sec-WebSocket-Protocol: visavis.v1", "", "",
  ];
  return new Promise((resolve) => {
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
    socket.once("data", () => {
      socket.write(frame(JSON.stringify({ type: "look", code })));
      resolve(true);
    });
    socket.write(head.join("\r\n"));
  });
}

/** A masked text frame (RFC 6455 §5.2), shorter than 126 bytes. @param {string} text */
function frame(text) {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, payload.map((byte, index) => byte ^ mask[index % 4])]);
}
