/**
 * A real mail server on a free port of 127.0.0.1 that keeps what it takes, as it came. {@link Smtp.start} begins one; run
 * by itself (`node tests/browser/lib/smtp.js [user password]`) it prints its URL, then each mail as a line of JSON, and
 * refuses what its input says (`550 5.1.1 Unknown`, an empty line to take mail again).
 */

import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { SMTPServer } from "smtp-server";

/** @typedef {{ from: string, to: string[], raw: string, encrypted: boolean }} Received */

export class Smtp {
  /** @type {Received[]} */
  received = [];
  /** `smtp://127.0.0.1:port`, as the server's `--smtp-url-file` takes it. */
  url = "";
  /** @type {Error | null} */
  #refusal = null;
  #server;

  /** @param {{ user?: string, password?: string, taken?: (mail: Received) => void }} options */
  constructor({ user, password, taken }) {
    this.#server = new SMTPServer({
      logger: false,
      authOptional: user === undefined,
      allowInsecureAuth: true, // it stays on this machine
      onAuth: ({ username, password: given }, _, done) => {
        if (username === user && given === password) done(null, { user: username });
        else done(Object.assign(new Error("5.7.8 Authentication credentials invalid"), { responseCode: 535 }));
      },
      onRcptTo: (_address, _session, done) => done(this.#refusal),
      onData: (stream, session, done) => {
        /** @type {Buffer[]} */
        const parts = [];
        stream.on("data", (part) => parts.push(part));
        stream.on("end", () => {
          const { mailFrom, rcptTo } = session.envelope;
          const mail = {
            from: mailFrom ? mailFrom.address : "",
            to: rcptTo.map(({ address }) => address),
            raw: Buffer.concat(parts).toString("utf8"),
            encrypted: session.secure,
          };
          this.received.push(mail);
          taken?.(mail);
          done();
        });
      },
    });
    // Whoever breaks off a handshake or a connection is the test's own client.
    this.#server.on("error", () => {});
  }

  /** @param {{ user?: string, password?: string, taken?: (mail: Received) => void }} [options] */
  static async start(options = {}) {
    const smtp = new Smtp(options);
    await new Promise((done) => smtp.#server.listen(0, "127.0.0.1", () => done(null)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (smtp.#server.server.address());
    smtp.url = `smtp://127.0.0.1:${port}`;
    return smtp;
  }

  /**
   * From now on every recipient is refused, with these words; without them, taken again.
   * @param {number} [code]
   * @param {string} [text]
   */
  refuse(code, text) {
    this.#refusal = code ? Object.assign(new Error(text), { responseCode: code }) : null;
  }

  async stop() {
    await new Promise((done) => this.#server.close(() => done(null)));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [user, password] = process.argv.slice(2);
  const smtp = await Smtp.start({ user, password, taken: (mail) => console.log(JSON.stringify(mail)) });
  console.log(smtp.url);
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => {
    const [, code, text] = /^(\d{3}) (.*)$/.exec(line) ?? [];
    smtp.refuse(code ? Number(code) : undefined, text);
    console.log("ready");
  });
  input.on("close", () => process.exit());
}
