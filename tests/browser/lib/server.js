/**
 * The real binary on a free port with a data directory of its own: started, asked, restarted and stopped. Consultations
 * are planned the way an operator plans them, on the command line.
 */

import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const root = new URL("../../..", import.meta.url).pathname;
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
/** `VISAVIS_BINARY` names another build of the same sources. */
export const BINARY = process.env.VISAVIS_BINARY ?? join(target, "ci", "visavis");
const START_MS = 10_000;
const STOP_MS = 10_000;

/** @typedef {{ seat: number, role: string, code: string, link: string }} Seat */
/**
 * @typedef {object} Options
 * @property {string[]} [args]
 * @property {Record<string, string>} [env]
 * @property {string} [listen]   without, a free port of 127.0.0.1
 * @property {string} [network]  the network namespace it runs in
 */
/** @typedef {{ id: string, startsAt: string, expiresAt: string, seats: Seat[], doctor: Seat, patient: Seat, guest: Seat }} Consultation */

export class Server {
  origin = "";
  /** Everything the server wrote, logs included, over all its lives. */
  output = "";
  /** @type {import("node:child_process").ChildProcess | null} */
  #process = null;
  #dataDir;
  #options;

  /**
   * @param {string} dataDir
   * @param {Options} options
   */
  constructor(dataDir, options) {
    this.#dataDir = dataDir;
    this.#options = options;
  }

  /** @param {Options} [options] */
  static async start(options = {}) {
    const server = new Server(await mkdtemp(join(tmpdir(), "visavis-test-")), options);
    await server.#run(options.listen ?? "127.0.0.1:0").catch(async (error) => {
      await server.stop();
      throw error;
    });
    return server;
  }

  /** Of the running process. */
  get pid() {
    return this.#process?.pid ?? 0;
  }

  get dataDir() {
    return this.#dataDir;
  }

  /** `--demo`: a temporary directory of its own, and a consultation that starts now. */
  static async demo() {
    const server = new Server("", { args: ["--demo", "--listen", "127.0.0.1:0"] });
    const [, doctor, patient] = await server.#spawn(/Arzt\/doctor: (http:\S+)\nPatient\/patient: (http:\S+)\n/);
    server.origin = new URL(doctor).origin;
    return { server, doctor, patient };
  }

  /** SIGTERM; the data and the port stay as they are. */
  async halt() {
    await this.#end();
  }

  /** Again on the same port and the same data. @param {Record<string, string>} [env]  from now on, besides what it had */
  async resume(env = {}) {
    this.#options = { ...this.#options, env: { ...this.#options.env, ...env } };
    await this.#run(this.#options.listen ?? `127.0.0.1:${new URL(this.origin).port}`);
  }

  async stop() {
    await this.#end();
    if (this.#dataDir) await rm(this.#dataDir, { recursive: true, force: true });
  }

  /**
   * Plans a consultation on the command line.
   * @param {string[]} args
   * @returns {Promise<Consultation>}
   */
  async plan(...args) {
    const planned = JSON.parse(await this.command("consultation", "new", "--json", ...args));
    /** @param {string} role */
    const of = (role) => planned.seats.find((/** @type {Seat} */ seat) => seat.role === role);
    return { ...planned, doctor: of("doctor"), patient: of("patient"), guest: of("guest") };
  }

  /** @param {string[]} args */
  async command(...args) {
    const { stdout } = await promisify(execFile)(BINARY, [...args, "--data-dir", this.#dataDir]);
    return stdout;
  }

  /**
   * What the API tells about a consultation.
   * @param {string} id
   */
  async show(id) {
    const token = (await readFile(join(this.#dataDir, "operator-token"), "utf8")).trim();
    const answer = await fetch(`${this.origin}/api/consultations/${id}`, { headers: { authorization: `Bearer ${token}` } });
    if (!answer.ok) throw new Error(`GET /api/consultations/${id}: ${answer.status}`);
    return answer.json();
  }

  /** Every file under the data directory. @returns {Promise<Map<string, Buffer>>} */
  async files() {
    const entries = await readdir(this.#dataDir, { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
    return new Map(await Promise.all(paths.map(async (path) => /** @type {const} */ ([path, await readFile(path)]))));
  }

  /** @param {string} listen */
  async #run(listen) {
    const [, origin] = await this.#spawn(/listens on (https?:\S+)\n/, "--data-dir", this.#dataDir, "--listen", listen);
    this.origin = origin;
  }

  /**
   * @param {RegExp} ready  what it prints once it serves
   * @param {string[]} args
   * @returns {Promise<RegExpExecArray>}
   */
  #spawn(ready, ...args) {
    const env = { ...process.env, ...this.#options.env };
    const { network } = this.#options;
    const [program, ...before] = network ? ["ip", "netns", "exec", network, BINARY] : [BINARY];
    const child = spawn(program, [...before, ...args, ...(this.#options.args ?? [])], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    child.stderr.on("data", (text) => (this.output += text));
    return new Promise((resolve, reject) => {
      let said = "";
      const late = setTimeout(() => reject(new Error(`no address within ${START_MS / 1000} s: ${this.output}`)), START_MS);
      child.stdout.on("data", (text) => {
        this.output += text;
        said += text;
        const match = ready.exec(said);
        if (!match) return;
        clearTimeout(late);
        resolve(match);
      });
      child.on("error", (error) => reject(new Error(`${BINARY} does not start (${error.message}): run cargo build --profile ci, or tests/run`)));
      child.on("exit", (code) => reject(new Error(`visavis ended with ${code}: ${this.output}`)));
    });
  }

  async #end() {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(late);
  }
}
