/**
 * A server that lies: a proxy before the real one that changes JSON answers (and, where the lie would be noticed there, requests), and a
 * thief's pair for which pages shall seal. Pages and scripts pass byte for byte. It keeps every body that a page sends, and {@link Liar.stolen}
 * opens whatever in them was sealed for the thief. {@link Liar.sql} lies in the rows alone, with no proxy's help.
 */

import { execFile } from "node:child_process";
import { createServer, request as ask } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { newUserPair, openKey } from "../../../static/shared/vault.js";
import { Server } from "./server.js";
import { until } from "./until.js";

/** Versions of the practice's key that are tried. */
const VERSIONS = 5;

/** @typedef {(answer: any, path: string, method: string) => any} Lie  the answer, changed; path below `/api/practice/` */

export class Liar {
  /** Of answers. @type {Lie} */
  lie = (answer) => answer;
  /** Of requests, so that the server takes them for honest ones. @type {Lie} */
  cover = (body) => body;
  /** What pages sent, as they sent it. @type {{ method: string, path: string, body: any }[]} */
  sent = [];
  #http;
  #port;
  /** The pages' live lines. @type {Set<import("node:net").Socket>} */
  #lines = new Set();

  static async start() {
    const http = createServer();
    await new Promise((done) => http.listen(0, "127.0.0.1", () => done(null)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (http.address());
    const server = await Server.start({ args: ["--public-url", `http://localhost:${port}`] });
    const behind = await until("the server says where it listens", () => /127\.0\.0\.1:(\d+)/.exec(server.output)?.[1]);
    return new Liar(http, server, Number(behind), await newUserPair());
  }

  /**
   * @param {import("node:http").Server} http
   * @param {Server} server
   * @param {number} port  the server's own
   * @param {import("../../../static/shared/vault.js").Pair} pair
   */
  constructor(http, server, port, pair) {
    this.#http = http;
    this.server = server;
    this.#port = port;
    this.pair = pair;
    http.on("request", (incoming, outgoing) => void this.#pass(incoming, outgoing).catch(() => outgoing.destroy()));
    http.on("upgrade", (incoming, socket, head) => this.#pipe(incoming, /** @type {import("node:net").Socket} */ (socket), head));
  }

  /** The thief's public key. */
  get key() {
    return this.pair.public;
  }

  async stop() {
    for (const line of this.#lines) line.destroy();
    this.#http.closeAllConnections();
    await new Promise((done) => this.#http.close(done));
    await this.server.stop();
  }

  /** Honest again, with nothing remembered. */
  forget() {
    this.lie = this.cover = (whole) => whole;
    this.sent = [];
  }

  /** Says to every page that listens that this list has changed. @param {string} what */
  tell(what) {
    const text = Buffer.from(JSON.stringify({ type: "changed", what }));
    for (const line of this.#lines) line.write(Buffer.concat([Buffer.from([0x81, text.length]), text])); // RFC 6455, 5.2: short, unmasked
  }

  /** What the thief can open of all that pages sent: versions of the practice's key. @returns {Promise<number[]>} */
  async stolen() {
    const texts = JSON.stringify(this.sent.map(({ body }) => body)).match(/[\w-]{87}\.[\w-]+/g) ?? [];
    const tries = texts.flatMap((text) => [...Array(VERSIONS).keys()].map((version) => openKey(text, version + 1, this.pair)));
    return (await Promise.all(tries)).flatMap((key) => key?.version ?? []);
  }

  /** Writes to the database of the running server. @param {string} statement @param {unknown[]} values */
  async sql(statement, ...values) {
    const program = "import sqlite3,sys,json; d=sqlite3.connect(sys.argv[1],timeout=10); d.execute('PRAGMA foreign_keys=ON'); "
      + "print(d.execute(sys.argv[2],json.loads(sys.argv[3])).rowcount); d.commit()";
    const database = join(this.server.dataDir, "visavis.db");
    const { stdout } = await promisify(execFile)("/usr/bin/python3", ["-c", program, database, statement, JSON.stringify(values)]);
    if (Number(stdout) < 1) throw new Error(`no row: ${statement}`);
  }

  /** @param {import("node:http").IncomingMessage} incoming @param {import("node:http").ServerResponse} outgoing */
  async #pass(incoming, outgoing) {
    const { method = "GET", url = "/", headers } = incoming;
    const [isApi, path] = [url.startsWith("/api/practice"), url.replace(/^\/api\/practice\/?/, "")];
    let sent = await whole(incoming);
    if (isApi && sent.length > 0) {
      const body = JSON.parse(String(sent));
      this.sent.push({ method, path, body });
      sent = Buffer.from(JSON.stringify(this.cover(structuredClone(body), path, method)));
    }
    const { "content-length": _, "accept-encoding": encodings, ...others } = headers;
    const passed = { ...others, ...(sent.length > 0 && { "content-length": String(sent.length) }), ...(!isApi && encodings && { "accept-encoding": encodings }) };
    const answer = await new Promise((resolve, reject) => {
      ask({ host: "127.0.0.1", port: this.#port, method, path: url, headers: passed }, resolve).on("error", reject).end(sent);
    });
    let told = await whole(answer);
    const { "content-length": __, "transfer-encoding": ___, ...kept } = answer.headers;
    if (isApi && /json/.test(answer.headers["content-type"] ?? "") && answer.statusCode < 400) {
      told = Buffer.from(JSON.stringify(this.lie(JSON.parse(String(told)), path, method)));
    }
    const isEmpty = answer.statusCode === 204 || answer.statusCode === 304;
    outgoing.writeHead(answer.statusCode, { ...kept, ...(!isEmpty && { "content-length": String(told.length) }) });
    outgoing.end(told);
  }

  /** The live line, as it is. @param {import("node:http").IncomingMessage} incoming @param {import("node:net").Socket} page @param {Buffer} head */
  #pipe(incoming, page, head) {
    const server = connect(this.#port, "127.0.0.1", () => {
      const lines = incoming.rawHeaders.reduce((text, part, at) => text + (at % 2 ? `${part}\r\n` : `${part}: `), "");
      server.write(`GET ${incoming.url} HTTP/1.1\r\n${lines}\r\n`);
      server.write(head);
      server.pipe(page).pipe(server);
      this.#lines.add(page);
    });
    for (const [one, other] of [[page, server], [server, page]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#lines.delete(page);
        other.destroy();
      });
    }
  }
}

/** @param {import("node:stream").Readable} stream @returns {Promise<Buffer>} */
async function whole(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}
