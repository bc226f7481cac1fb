/** The wire: what the page says equals the golden messages, and what the broker says finds a place in the state. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { initialState, reduce, SERVER } from "../../static/consultation/state.js";
import { messages } from "../../static/shared/signaling.js";

/** @typedef {import("../../static/shared/signaling.js").Message} Message */
/** @type {{ client: Message[], server: Message[] }} */
const golden = JSON.parse(readFileSync(new URL("../golden/messages.json", import.meta.url), "utf8"));

/** How the page would say each golden message. @type {Record<string, (message: any) => Message>} */
const SAY = {
  look: ({ code }) => messages.look(code),
  join: ({ code, device, key, token, incarnation, attempt }) => messages.join(code, device, key, token, incarnation, attempt),
  name: ({ to, sealed }) => messages.name(to, sealed),
  admit: ({ knock }) => messages.admit(knock),
  refuse: ({ knock }) => messages.refuse(knock),
  sendBack: ({ seat }) => messages.sendBack(seat),
  remove: ({ seat }) => messages.remove(seat),
  end: () => messages.end(),
  leave: () => messages.leave(),
  description: ({ to, incarnation, description }) => messages.description(to, incarnation, description),
  candidate: ({ to, incarnation, candidate }) => messages.candidate(to, incarnation, candidate),
  ice: () => messages.ice(),
  probe: ({ id, pad }) => messages.probe(id, pad),
};

test("every_message_of_the_page_equals_its_golden_example", () => {
  for (const example of golden.client) {
    const said = JSON.parse(JSON.stringify(SAY[example.type](example)));
    assert.deepEqual(said, example);
    assert.deepEqual(Object.keys(said), Object.keys(example), "in the same order");
  }
  assert.deepEqual(Object.keys(messages).sort(), [...new Set(golden.client.map(({ type }) => type))].sort());
});

test("every_message_of_the_broker_is_handled", () => {
  for (const message of golden.server) {
    assert.ok(SERVER[message.type], `${message.type} has a handler`);
    const state = reduce(initialState(), { type: "server", message });
    assert.ok(state.screen, message.type);
  }
  assert.deepEqual(Object.keys(SERVER).sort(), [...new Set(golden.server.map(({ type }) => type))].sort());
});

test("a_message_of_a_later_broker_changes_nothing", () => {
  const state = initialState();
  assert.equal(reduce(state, { type: "server", message: { type: "shout" } }), state);
});
