/** The report of a call: what it tells, and what it never tells, whatever partner and page put into it. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { browserOf, reportOf, VERSION } from "../../static/consultation/report.js";
import { STATES } from "../../static/consultation/samples.js";
import { parse } from "../../static/shared/line.js";
import de from "../../static/shared/words/de.js";
import en from "../../static/shared/words/en.js";

const ADDRESS = [/\d{1,3}(\.\d{1,3}){3}/, /([0-9a-f]{0,4}:){2,}/i, /\.local\b/i];
const CANARIES = ["CANARY", "Beispiel", "192.0.2.77", "2001:db8::77", "3c5a.local", "K7QF3XM29TDA", "Frontkamera", "AA:BB:CC:DD", "candidate", "a=fingerprint"];
const line = parse({ sent: 1480, received: 1392, lossIn: 0.004, rtt: 38, jitter: 6, available: 2300, frames: 29, width: 1280, height: 720, codecs: "opus VP8", path: "direct", transport: "udp" });
const page = { now: 100_000, agent: "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0" };

test("the_report_tells_figures_of_both_sides_over_the_last_minutes", () => {
  const past = new Map([[2, [{ at: 96_000, own: line, theirs: null, verdict: null }, { at: 98_000, own: line, theirs: { ...line, sent: 77 }, verdict: "own.narrow" }]]]);
  for (const words of [de, en]) {
    const text = reportOf(past, { peers: { 2: { role: "patient", transport: ["DTLS 1.3", "TLS_AES_128_GCM_SHA256"] } } }, words, page);
    for (const told of [VERSION, "Firefox 153, Linux", words["role.patient"], "DTLS 1.3, TLS_AES_128_GCM_SHA256", "1392 kbit/s", "1280 × 720, 29/s", "\n-4\t1392\t1480", "\n-2\t1392\t1480", "\t77\t", "own.narrow"]) {
      assert.ok(text.includes(told), `${told} is in\n${text}`);
    }
    assert.doesNotMatch(text, /undefined|NaN|null/);
  }
});

test("no_name_address_code_or_device_comes_into_the_report", () => {
  const hostile = parse(Object.fromEntries(Object.keys(line).map((field, at) => [field, CANARIES[at % CANARIES.length]])));
  for (const canary of CANARIES) {
    const theirs = parse({ ...hostile, codecs: canary, path: canary, transport: canary });
    for (const { state } of STATES) {
      const whole = { ...state, name: canary, code: canary, peers: { 2: { ...Object.values(state.peers)[0], role: "patient", name: canary } } };
      const text = reportOf(new Map([[2, [{ at: 1, own: theirs, theirs, verdict: null }]]]), whole, de, page);
      for (const other of CANARIES) assert.ok(!text.includes(other), `${other} in\n${text}`);
      for (const address of ADDRESS) assert.doesNotMatch(text, address);
    }
  }
});

test("of_the_browser_only_name_and_main_version_are_told", () => {
  const agents = {
    "Chrome 120, Android": "Mozilla/5.0 (Linux; Android 14; SM-G960F Build/R16NW) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.144 Mobile Safari/537.36",
    "Safari 17, iPhone": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1",
    "Edge 119, Windows": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 Edg/119.0.2151.97",
    "?": "10.1.2.3 CANARY",
  };
  for (const [told, agent] of Object.entries(agents)) assert.equal(browserOf(agent), told);
});

test("the_version_is_the_programs", () => {
  const cargo = readFileSync(new URL("../../Cargo.toml", import.meta.url), "utf8");
  assert.equal(VERSION, /^version = "(.*)"$/m.exec(cargo)?.[1]);
});
