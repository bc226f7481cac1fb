/** What an invited person reads, the ways it leaves the browser, and what the panel knows. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { PANELS } from "../../static/desk/invitation/samples.js";
import { addressOf, begin, doingOf, invitedOf, reduce } from "../../static/desk/invitation/state.js";
import { fileOf, kindsOf, letterOf, linkOf, sheetOf } from "../../static/desk/invitation/texts.js";
import { MAILTO_MOST, dialled, mailto, sms } from "../../static/desk/invitation/ways.js";
import de from "../../static/desk/words/invitation.de.js";
import en from "../../static/desk/words/invitation.en.js";
import { fromFragment } from "../../static/shared/code.js";
import { CODE, SECRET, occasion } from "./lib/occasion.js";

const BEFORE = Date.parse("2026-11-20T10:00:00Z");
const LINK = `https://video.example.org/#${CODE}.${SECRET}`;
const BARE = `https://video.example.org/#${CODE}`;
const KINDS = /** @type {const} */ (["invitation", "change", "cancellation", "tip"]);
const LANGUAGES = /** @type {const} */ (["de", "en"]);
const MEDICAL = /sprechstunde|arzt|ärzt|patient|praxis|doctor|medic|consult|practice|health|therap/i;
/** GSM 03.38: an SMS of other letters is cut after 70. */
const SHORT_MESSAGE = /^[\n @£$¥èéùìòÇØøÅåÆæßÉ!"#¤%&'()*+,\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà_^{}\\[~\]|€]*$/;

test("the_invitation_has_practice_time_link_code_steps_and_phone", () => {
  const { subject, text, short } = letterOf("invitation", occasion(), 2, { now: BEFORE });
  assert.equal(subject, "Ihr Videotermin am Montag, 30. November um 09:00 Uhr");
  assert.equal(text, `Guten Tag,

Praxis am Markt lädt Sie zu einem Videotermin ein.

Wann: Montag, 30. November 2026, 09:00 Uhr (MEZ), etwa 20 Minuten

So geht es:
1. Öffnen Sie ab 08:30 Uhr diesen Link:
${LINK}
2. Geben Sie Ihren Namen ein. Erlauben Sie Kamera und Mikrofon.
3. Warten Sie auf der Seite. Wir holen Sie herein.

Der Link öffnet sich nicht? Dann öffnen Sie video.example.org und geben Sie diesen Code ein: ${CODE}

Ein Smartphone, ein Tablet oder ein Computer mit Kamera genügt. Sie müssen nichts installieren.
Schon vorher können Sie mit dem Link Kamera und Mikrofon prüfen.
Der Link ist nur für Sie. Bitte geben Sie ihn nicht weiter.

Haben Sie Fragen? Rufen Sie uns gern an: 030 1234567

Freundliche Grüße
Praxis am Markt
`);
  assert.ok(short.includes(LINK) && short.includes(CODE) && short.includes("030 1234567"), short);
});

test("in_english_it_is_english", () => {
  const { subject, text } = letterOf("invitation", occasion({ language: "en" }), 2, { now: BEFORE });
  assert.equal(subject, "Your video appointment on Monday 30 November at 09:00");
  assert.match(text, /^Hello,\n\nPraxis am Markt invites you to a video appointment\.\n\nWhen: Monday,? 30 November 2026 at 09:00 \(CET\), about 20 minutes\n/);
  assert.match(text, /1\. Open this link from 08:30 on:/);
});

test("times_are_the_practices_on_the_two_odd_nights_too", () => {
  const practice = { name: "Praxis", phone: null, timeZone: "Europe/Berlin" };
  const at = (/** @type {string} */ startsAt) => letterOf("invitation", occasion({ practice, startsAt, opensAt: startsAt }), 2, { now: BEFORE }).text;
  assert.match(at("2027-03-28T00:30:00Z"), /28\. März 2027, 01:30 Uhr \(MEZ\)/);
  assert.match(at("2027-03-28T01:30:00Z"), /28\. März 2027, 03:30 Uhr \(MESZ\)/);
  assert.match(at("2026-10-25T00:30:00Z"), /25\. Oktober 2026, 02:30 Uhr \(MESZ\)/);
  assert.match(at("2026-10-25T01:30:00Z"), /25\. Oktober 2026, 02:30 Uhr \(MEZ\)/);
  const early = occasion({ startsAt: "2026-11-30T23:10:00Z", opensAt: "2026-11-30T22:40:00Z" });
  assert.match(letterOf("invitation", early, 2, { now: BEFORE }).text, /ab Montag, 30\. November, 23:40 Uhr/);
});

test("what_is_open_already_is_opened_at_once", () => {
  assert.match(letterOf("invitation", occasion(), 2, { now: Date.parse("2026-11-30T07:31:00Z") }).text, /1\. Öffnen Sie diesen Link:/);
});

test("without_the_secret_nothing_of_it_is_in_any_letter", () => {
  for (const kind of KINDS) {
    const whole = JSON.stringify(letterOf(kind, occasion(), 2));
    assert.equal(whole.includes(LINK), kind !== "cancellation", kind);
    const bare = JSON.stringify(letterOf(kind, occasion(), 2, { secret: false }));
    assert.ok(!bare.includes(SECRET), kind);
    assert.equal(bare.includes(BARE), kind !== "cancellation", kind);
  }
  assert.equal(linkOf(occasion({ facts: { secret: null } }), 2), BARE);
});

test("the_link_opens_the_way_the_consultation_page_reads_it", () => {
  assert.deepEqual(fromFragment(new URL(linkOf(occasion(), 2)).hash), { code: CODE.replaceAll("-", ""), secret: SECRET });
  assert.equal(new URL(linkOf(occasion({ facts: { codes: { 2: "k7qf3xm29tda" } } }), 2)).hash, `#${CODE}.${SECRET}`);
});

test("a_cancellation_has_neither_link_nor_code", () => {
  const { subject, text, short } = letterOf("cancellation", occasion({ state: "revoked" }), 2);
  assert.equal(subject, "Ihr Videotermin am Montag, 30. November um 09:00 Uhr entfällt");
  for (const part of [text, short]) assert.ok(!part.includes("#") && !part.includes(CODE) && !part.includes("http"), part);
});

test("a_tip_speaks_of_what_the_check_found", () => {
  const readiness = /** @type {const} */ ({ verdict: "red", camera: "missing", microphone: "ok", relay: "failed", at: "2026-11-20T09:00:00Z" });
  const { text } = letterOf("tip", occasion({ readiness }), 2);
  assert.match(text, /keine Kamera gefunden/);
  assert.match(text, /anderes WLAN/);
  assert.doesNotMatch(text, /Mikrofon/);
  assert.match(letterOf("tip", occasion(), 2).text, /Router/);
});

test("no_subject_and_no_file_name_tells_that_it_is_about_medicine_and_nothing_names_the_patient", () => {
  for (const language of LANGUAGES) {
    const about = occasion({ language, practice: { name: "Praxis für Psychotherapie", phone: "030 1", timeZone: "Europe/Berlin" } });
    for (const kind of KINDS) {
      const letter = letterOf(kind, about, 2);
      assert.doesNotMatch(letter.subject, MEDICAL);
      assert.doesNotMatch(JSON.stringify(letter), /Muster|Maria/);
    }
    assert.doesNotMatch(JSON.stringify(sheetOf(about, 2)), /Muster|Maria/);
    assert.match(fileOf(about), /^(termin|appointment)-2026-11-30$/);
  }
});

test("without_a_phone_number_nobody_is_asked_to_call_nothing", () => {
  for (const language of LANGUAGES) {
    for (const kind of KINDS) {
      const { text, short } = letterOf(kind, occasion({ language, practice: { name: "Praxis", phone: null, timeZone: "Europe/Berlin" } }), 2);
      assert.doesNotMatch(`${text}\n${short}`, / $|\{/m, text);
    }
  }
});

test("a_mail_address_holds_the_whole_letter_and_shrinks_it_rather_than_to_be_cut_off", () => {
  for (const kind of KINDS) {
    for (const language of LANGUAGES) {
      const letter = letterOf(kind, occasion({ language }), 2);
      const url = new URL(mailto("maria+video@patient.example", letter));
      assert.equal(url.pathname, "maria%2Bvideo@patient.example");
      assert.equal(url.searchParams.get("subject"), letter.subject);
      assert.equal(url.searchParams.get("body"), letter.text.replaceAll("\n", "\r\n"));
      assert.ok(!url.href.includes("+"), "mail programs do not read a plus as a space");
    }
  }
  const long = occasion({ practice: { name: "Gemeinschaftspräxis für Größe ".repeat(7), phone: "030 1234567", timeZone: "Europe/Berlin" } });
  const shrunk = mailto("", letterOf("invitation", long, 2));
  assert.ok(shrunk.length <= MAILTO_MOST, String(shrunk.length));
  assert.ok(new URL(shrunk).searchParams.get("body")?.includes(LINK));
});

test("a_text_message_has_its_number_and_letters_that_phones_send_as_one", () => {
  for (const language of LANGUAGES) {
    for (const kind of KINDS) {
      const letter = letterOf(kind, occasion({ language }), 2);
      assert.match(letter.short, SHORT_MESSAGE);
      const url = sms("+49 (0) 171 / 12 34 567", letter);
      assert.match(url, /^sms:\+491711234567\?&body=[^?&=#\s]+$/);
      assert.equal(decodeURIComponent(url.split("body=")[1]), letter.short);
    }
  }
  assert.deepEqual(["0171-123", "(0171) 123", "0049 171 123", " +49 171 123", ""].map(dialled), ["0171123", "0171123", "0049171123", "+49171123", ""]);
});

test("what_is_to_be_told_follows_from_the_consultation", () => {
  const weak = /** @type {const} */ ({ verdict: "yellow", camera: "ok", microphone: "ok", relay: "ok", at: "" });
  assert.deepEqual(kindsOf(occasion()), ["invitation"]);
  assert.deepEqual(kindsOf(occasion({ sequence: 1 })), ["invitation", "change"]);
  assert.deepEqual(kindsOf(occasion({ readiness: weak })), ["invitation", "tip"]);
  assert.deepEqual(kindsOf(occasion({ readiness: { ...weak, verdict: "green" } })), ["invitation"]);
  assert.deepEqual(kindsOf(occasion({ state: "revoked", sequence: 2, readiness: weak })), ["cancellation"]);
});

test("everybody_but_the_doctor_is_invited_and_only_the_patients_address_is_known", () => {
  const seats = /** @type {import("../../static/desk/invitation/types.js").Desk["seats"]} */ ([{ seat: 1, role: "doctor" }, { seat: 2, role: "patient" }, { seat: 3, role: "guest" }]);
  const panel = begin({ occasion: occasion({ seats }), mail: true, share: false, now: BEFORE });
  assert.deepEqual(invitedOf(panel).map(({ seat }) => seat), [2, 3]);
  assert.deepEqual([2, 3].map((seat) => addressOf(panel, seat)), ["maria.muster@patient.example", ""]);
});

test("an_address_that_was_typed_is_forgotten_once_it_was_used_and_kept_when_it_failed", () => {
  const first = begin({ occasion: occasion(), mail: true, share: false, now: BEFORE });
  const typed = [{ type: "form", seat: 2, open: true }, { type: "typed", seat: 2, address: "other@patient.example" }, { type: "send", seat: 2 }].reduce(reduce, first);
  assert.ok(doingOf(typed, 2).sending && addressOf(typed, 2) === "other@patient.example");
  const failed = reduce(typed, { type: "done", seat: 2, key: "invite.failed.network", good: false });
  assert.deepEqual([doingOf(failed, 2).form, doingOf(failed, 2).sending, addressOf(failed, 2)], [true, false, "other@patient.example"]);
  const sent = reduce(typed, { type: "done", seat: 2, key: "invite.did.send", good: true });
  assert.deepEqual([doingOf(sent, 2).form, addressOf(sent, 2)], [false, "maria.muster@patient.example"]);
});

test("a_new_state_of_the_consultation_keeps_what_is_being_done_and_another_consultation_does_not", () => {
  const open = reduce(begin({ occasion: occasion(), mail: true, share: false, now: BEFORE }), { type: "form", seat: 2, open: true });
  assert.ok(doingOf(reduce(open, { type: "show", occasion: occasion({ revision: 2 }), mail: true }), 2).form);
  const moved = reduce(open, { type: "show", occasion: occasion({ sequence: 1 }), mail: true });
  assert.equal(moved.kind, "change");
  const sent = reduce(open, { type: "done", seat: 2, key: "invite.did.send", good: true });
  assert.ok(doingOf(reduce(sent, { type: "show", occasion: occasion({ revision: 2 }), mail: true }), 2).outcome);
  for (const news of [{ sequence: 1 }, { state: /** @type {const} */ ("revoked"), sequence: 1 }]) {
    assert.equal(doingOf(reduce(sent, { type: "show", occasion: occasion(news), mail: true }), 2).outcome, null, "of the next letter nothing is sent yet");
  }
  assert.ok(!doingOf(reduce(open, { type: "show", occasion: occasion({ id: "019abc12-3456-7def-8123-000000000000" }), mail: true }), 2).form);
});

test("the_catalogues_have_the_same_short_calm_sentences", () => {
  assert.deepEqual(Object.keys(en), Object.keys(de));
  const holes = (/** @type {string} */ text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [key, text] of Object.entries(de)) assert.deepEqual(holes(en[key]), holes(text), key);
  for (const [key, text] of [...Object.entries(de), ...Object.entries(en)]) {
    assert.ok(text.trim() !== "" && !text.includes("!"), key);
    for (const sentence of text.split(/[.?:](?:\s|$)/)) assert.ok(sentence.split(/\s+/).length <= 15, `${key}: ${sentence}`);
  }
});

test("every_sentence_is_used", () => {
  const folder = new URL("../../static/desk/invitation/", import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith(".js") && name !== "samples.js").map((name) => new URL(name, folder));
  const sources = [...files, new URL("../sheet.html", folder)].map((file) => readFileSync(file, "utf8")).join("\n");
  const parts = new Set([...sources.matchAll(/["`]([\w.-]+)["`]|^  (\w+): "M/gm)].map(([, quoted, way]) => quoted ?? way));
  const composed = /^invite\.(kind|to|failed|letter\.tip)\.|\.(subject|short)$/; // of a kind, a role, a result
  const unused = Object.keys(de).filter((key) => {
    const ends = key.split(".").map((_, at, all) => all.slice(at).join("."));
    return !composed.test(key) && !ends.some((end) => parts.has(end));
  });
  assert.deepEqual(unused, []);
});

test("every_outcome_is_among_the_samples", () => {
  const shown = new Set(PANELS.flatMap(({ panel }) => Object.values(panel.doing).map(({ outcome, problem }) => outcome?.key ?? problem)));
  const outcomes = Object.keys(de).filter((key) => /^invite\.(did|failed)\./.test(key));
  assert.deepEqual(outcomes.filter((key) => !shown.has(key)), []);
});
