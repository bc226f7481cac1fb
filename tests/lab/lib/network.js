/**
 * What the lab's routers do, set anew for every test: {@link Router.become} loads a router's nftables rules,
 * {@link Router.counted} tells how often each rule was met, so that a test can prove that its network did what it
 * claims. The cables and addresses are laid by `in-lab`.
 */

import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Bytes 4 to 8 of every STUN message (RFC 8489 §5). */
const MAGIC_COOKIE = 0x2112a442;
/** The address under which the relay's clients see each other, as STUN writes it (RFC 8489 §14.2). */
const VIRTUAL_ADDRESS_XORED = (0xc0000201 ^ MAGIC_COOKIE) >>> 0;
/** RFC 8656 §17. */
const CREATE_PERMISSION = 0x0008;

/**
 * @typedef {object} Behaviour
 * @property {"plain" | "cone" | "symmetric"} nat  plain: the mapping of a port is the same for all, the filter lets in who was
 *   written to (port-restricted cone); cone: everybody may answer a port that was ever used; symmetric: a new port for every partner
 * @property {"open" | "noUdp" | "only443" | "onlyTls"} [firewall]  for what comes from inside; `onlyTls`: port 443 of TCP, and no STUN in it
 * @property {number} [loss]  percent of the packets, either way
 * @property {number} [rate]  kbit/s each way; what is too much waits, for 300 ms at most
 */

export class Router {
  #space;
  #home;
  #inside;

  /**
   * @param {"patient" | "mobile" | "doctor"} home  the network namespace behind it
   * @param {string} inside              the address of who lives there
   */
  constructor(home, inside) {
    this.#space = `${home}-router`;
    this.#home = home;
    this.#inside = inside;
  }

  /** @param {Behaviour} behaviour */
  async become({ nat, firewall = "open", loss = 0, rate = 0 }) {
    await nft(this.#space, rules({ nat, firewall, loss, inside: this.#inside }));
    for (const device of ["inner", "outer"]) {
      const shape = rate ? ["tbf", "rate", `${rate}kbit`, "burst", "2k", "latency", "300ms"] : ["pfifo"];
      await run(this.#space, "tc", "qdisc", "replace", "dev", device, "root", ...shape);
    }
  }

  /** Nothing passes any more, in neither direction, until {@link Router.become}. */
  async fail() {
    await nft(this.#space, `
      flush ruleset
      table inet lab {
        counter lost { }
        chain forward {
          type filter hook forward priority filter; policy accept
          counter name lost drop
        }
      }`);
  }

  /** Packets by counter since the rules were loaded. @returns {Promise<Record<string, number>>} */
  async counted() {
    const { nftables } = JSON.parse(await run(this.#space, "nft", "-j", "list", "counters"));
    return Object.fromEntries(nftables.flatMap((/** @type {any} */ { counter }) => (counter ? [[counter.name, counter.packets]] : [])));
  }

  /** How often packets had to wait for the narrow line. */
  async waited() {
    const devices = await Promise.all(["inner", "outer"].map((device) => run(this.#space, "tc", "-s", "-j", "qdisc", "show", "dev", device)));
    return devices.map((text) => JSON.parse(text)[0].overlimits);
  }

  /**
   * The ports of the relay's virtual address for which somebody inside asked a permission over UDP, and how often.
   * @returns {Promise<Map<number, number>>}
   */
  async permissions() {
    const elements = await this.#set("permissions");
    return new Map(elements.map((/** @type {any} */ { elem }) => [elem.val ^ (MAGIC_COOKIE >>> 16), elem.counter.packets]));
  }

  /** Breaks every TCP connection from inside that carried STUN without TLS. @returns {Promise<number>} how many */
  async breakStunStreams() {
    const ports = /** @type {number[]} */ (await this.#set("streams"));
    const broken = await Promise.all(ports.map((port) => run(this.#home, "ss", "--kill", "--no-header", "state", "established", "sport", "=", `:${port}`)));
    return broken.join("").split("\n").filter(Boolean).length;
  }

  /** @param {string} name */
  async #set(name) {
    const { nftables } = JSON.parse(await run(this.#space, "nft", "-j", "list", "set", "inet", "lab", name));
    return nftables.find((/** @type {any} */ { set }) => set).set.elem ?? [];
  }
}

/** The internet between the routers, where the server is. */
export const internet = {
  /**
   * No UDP passes from router to router any more, or none that comes from one side; the server stays in reach of both.
   * @param {"patient" | "doctor"} [from]
   */
  async cut(from) {
    await nft("internet", `
      flush ruleset
      table inet lab {
        counter cut { }
        chain forward {
          type filter hook forward priority filter; policy accept
          ${from ? `iifname "to-${from}"` : ""} meta l4proto udp counter name cut drop
        }
      }`);
  },

  async mend() {
    await nft("internet", "flush ruleset");
  },

  /** Datagrams that were lost at the cut. @returns {Promise<number>} */
  async lost() {
    const { nftables } = JSON.parse(await run("internet", "nft", "-j", "list", "counters"));
    return nftables.find((/** @type {any} */ { counter }) => counter).counter.packets;
  },
};

/** The patient's two ways into the internet: a cable at home, and a mobile network with an address and a router of its own. */
export const cable = {
  /** From one to the other, as a telephone does that leaves the house. @param {"out" | "mobile"} to */
  async change(to) {
    const from = to === "out" ? "mobile" : "out";
    await run("patient", "ip", "link", "set", from, "down");
    await run("patient", "ip", "link", "set", to, "up");
    await run("patient", "ip", "route", "replace", "default", "via", to === "out" ? "10.1.0.1" : "10.3.0.1");
  },
};

/**
 * A router drops what comes to its outer side unasked: else an early packet of the partner would take the port that the
 * own host's mapping needs.
 * @param {Required<Omit<Behaviour, "rate">> & { inside: string }} behaviour
 */
function rules({ nat, firewall, loss, inside }) {
  const only443 = firewall === "only443" || firewall === "onlyTls";
  return `
    flush ruleset
    table inet lab {
      counter unsolicited { }
      counter cone { }
      counter blockedUdp { }
      counter blockedTcp { }
      counter blockedStun { }
      counter lost { }
      set used { type inet_service; flags dynamic, timeout; timeout 2m; }
      set streams { type inet_service; size 1000; flags dynamic; }
      set permissions { typeof @th,272,16; size 1000; flags dynamic; }

      chain input {
        type filter hook input priority filter; policy accept
        iifname "outer" meta l4proto { tcp, udp } counter name unsolicited drop
      }
      chain forward {
        type filter hook forward priority filter; policy drop
        udp dport 443 @th,64,16 ${CREATE_PERMISSION} @th,288,32 ${VIRTUAL_ADDRESS_XORED} update @permissions { @th,272,16 counter }
        ${loss ? `numgen random mod 100 < ${loss} counter name lost drop` : ""}
        iifname "outer" ct status dnat counter name cone accept
        iifname "outer" ct state established,related accept
        iifname "outer" counter name unsolicited drop
        ${firewall === "open" ? "" : "meta l4proto udp counter name blockedUdp drop"}
        ${only443 ? "tcp dport != 443 counter name blockedTcp drop" : ""}
        ${firewall === "onlyTls" ? `tcp dport 443 @ih,32,32 ${MAGIC_COOKIE} counter name blockedStun drop` : ""}
        tcp dport 443 @ih,32,32 ${MAGIC_COOKIE} update @streams { tcp sport }
        accept
      }
      chain note {
        type filter hook postrouting priority srcnat - 1; policy accept
        ${nat === "cone" ? `oifname "outer" ip protocol udp update @used { udp sport }` : ""}
      }
      chain prerouting {
        type nat hook prerouting priority dstnat; policy accept
        ${nat === "cone" ? `iifname "outer" udp dport @used dnat ip to ${inside}` : ""}
      }
      chain postrouting {
        type nat hook postrouting priority srcnat; policy accept
        oifname "outer" meta nfproto ipv4 masquerade ${nat === "symmetric" ? "fully-random" : ""}
      }
    }`;
}

/** @param {string} space @param {string} text */
async function nft(space, text) {
  const loading = promisify(execFile)("ip", ["netns", "exec", space, "nft", "-f", "-"]);
  loading.child.stdin?.end(`${text}\n`);
  await loading;
}

/** @param {string} space @param {string[]} command */
async function run(space, ...command) {
  const { stdout } = await promisify(execFile)("ip", ["netns", "exec", space, ...command]);
  return stdout;
}
