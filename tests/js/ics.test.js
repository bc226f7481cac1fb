/** Calendar files, read by a foreign reader (ical.js). */

import assert from "node:assert/strict";
import { test } from "node:test";
import ICAL from "ical.js";
import { calendarOf } from "../../static/desk/invitation/ics.js";
import { CODE, SECRET, occasion } from "./lib/occasion.js";

const NOW = Date.parse("2026-11-20T10:11:12.345Z");

/** @param {string} text @returns {import("ical.js").default.Component} */
function read(text) {
  return new ICAL.Component(ICAL.parse(text));
}

/** @param {string} text */
function event(text) {
  return new ICAL.Event(/** @type {any} */ (read(text).getFirstSubcomponent("vevent")));
}

test("the_event_has_the_consultations_time_in_utc_and_its_length", () => {
  const { startDate, endDate, component } = event(calendarOf(occasion(), 2, "PUBLISH", { now: NOW }));
  assert.equal(startDate.toJSDate().toISOString(), "2026-11-30T08:00:00.000Z");
  assert.equal(endDate.toJSDate().toISOString(), "2026-11-30T08:20:00.000Z");
  assert.equal(startDate.zone, ICAL.Timezone.utcTimezone);
  assert.equal(component.getFirstPropertyValue("dtstamp")?.toString(), "2026-11-20T10:11:12Z");
});

test("link_code_and_phone_come_out_as_they_went_in", () => {
  const practice = { name: "Praxis am Markt; Müller, Kranz & Partner \\ 1", phone: "030 1234567", timeZone: "Europe/Berlin" };
  const { location, description, component } = event(calendarOf(occasion({ practice }), 2, "PUBLISH"));
  const link = `https://video.example.org/#${CODE}.${SECRET}`;
  assert.equal(location, link);
  assert.equal(component.getFirstPropertyValue("url"), link);
  for (const part of [link, CODE, practice.phone, practice.name, "\n"]) assert.ok(description.includes(part), description);
});

test("what_passes_a_server_holds_no_secret", () => {
  const text = calendarOf(occasion(), 2, "REQUEST", { secret: false });
  assert.ok(!text.replace(/\r\n /g, "").includes(SECRET));
  assert.equal(event(text).location, `https://video.example.org/#${CODE}`);
});

test("the_alarm_rings_a_quarter_of_an_hour_before", () => {
  const alarm = read(calendarOf(occasion(), 2, "PUBLISH")).getFirstSubcomponent("vevent")?.getFirstSubcomponent("valarm");
  assert.equal(alarm?.getFirstPropertyValue("action"), "DISPLAY");
  assert.equal(/** @type {any} */ (alarm?.getFirstPropertyValue("trigger")).toSeconds(), -900);
});

test("a_change_and_a_cancellation_meet_the_same_event", () => {
  const first = occasion();
  const moved = occasion({ startsAt: "2026-12-01T09:00:00Z", sequence: 1 });
  const revoked = occasion({ state: "revoked", sequence: 2 });
  const events = [event(calendarOf(first, 2, "PUBLISH")), event(calendarOf(moved, 2, "REQUEST")), event(calendarOf(revoked, 2, "CANCEL"))];
  assert.deepEqual(events.map(({ uid }) => uid), Array(3).fill(`${first.desk.id}@video.example.org`));
  assert.deepEqual(events.map(({ sequence }) => sequence), [0, 1, 2]);
  assert.deepEqual(events.map(({ component }) => component.getFirstPropertyValue("status")), ["CONFIRMED", "CONFIRMED", "CANCELLED"]);
  const cancelled = calendarOf(revoked, 2, "CANCEL");
  assert.equal(read(cancelled).getFirstPropertyValue("method"), "CANCEL");
  assert.ok(!cancelled.includes("VALARM") && !cancelled.includes("#"), "neither alarm nor link");
});

test("it_tells_nobody_who_it_is_about_nor_that_it_is_about_medicine", () => {
  for (const language of /** @type {const} */ (["de", "en"])) {
    const text = calendarOf(occasion({ language }), 2, "PUBLISH").replace(/\r\n /g, "");
    assert.equal(event(text).summary, { de: "Videotermin", en: "Video appointment" }[language]);
    assert.doesNotMatch(text, /Muster|sprechstunde|arzt|ärzt|patient|doctor|medic|consult/i);
  }
});

test("no_line_is_longer_than_75_bytes_and_every_line_ends_as_the_standard_says", () => {
  const practice = { name: "Überörtliche Gemeinschaftspräxis für Größe 🙂".repeat(6), phone: null, timeZone: "Europe/Berlin" };
  const text = calendarOf(occasion({ practice }), 2, "PUBLISH");
  const lines = text.split("\r\n");
  assert.equal(lines.pop(), "");
  for (const line of lines) {
    assert.ok(Buffer.byteLength(line) <= 75, line);
    assert.ok(!/[\r\n\uFFFD]/.test(line), line);
  }
  assert.ok(event(text).description.includes(practice.name));
});
