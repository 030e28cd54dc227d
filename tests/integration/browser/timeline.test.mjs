// The page's timeline without a browser: node --test timeline.test.mjs

import assert from "node:assert/strict";
import { test } from "node:test";

import { Timeline } from "../../../tools/web/chat/timeline.js";

const snapshot = (ordinal, entities, epoch) => ({ snapshot: {
  sessionId: "s", ...(ordinal && { snapshotOrdinal: ordinal }), ...(entities && { entities }),
  ...(epoch && { epoch }) } });

const entity = (id, created, last, payload) => ({
  kind: "ChatMessage", id, createdOrdinal: created, lastEventOrdinal: last,
  payload: { messageId: id, ...payload } });

const update = (ordinal, payload, more = {}) => ({ uiEvent: {
  sessionId: "s", eventOrdinal: ordinal, name: "ChatMessageAppended", payload, ...more } });

function timelineWith(...frames) {
  const timeline = new Timeline();
  for (const frame of frames) timeline.apply(frame);
  return timeline;
}

const ids = (timeline) => [...timeline.messages.keys()];

test("a snapshot without entities or ordinal is an empty session", () => {
  const timeline = timelineWith(snapshot());
  assert.ok(timeline.loaded);
  assert.equal(timeline.snapshotOrdinal, 0n);
  assert.equal(timeline.messages.size, 0);
});

test("frames before the snapshot are ignored", () => {
  const timeline = new Timeline();
  assert.equal(timeline.apply(update("1", { messageId: "m" })), "ignored");
  assert.ok(!timeline.loaded);
});

test("messages stand in order of creation, whatever the order of the snapshot", () => {
  const timeline = timelineWith(snapshot("12", [
    entity("chat-msg-7", "8", "12"), entity("chat-msg-1", "2", "6"),
    entity("chat-msg-10-user", "10", "10"), entity("chat-msg-1-user", "1", "1")]));
  assert.deepEqual(ids(timeline),
                   ["chat-msg-1-user", "chat-msg-1", "chat-msg-7", "chat-msg-10-user"]);
});

test("other kinds and tombstones are no messages", () => {
  const timeline = timelineWith(snapshot("3", [
    {}, { kind: "Other", id: "x", payload: {} },
    { ...entity("gone", "1", "2"), tombstone: true }, entity("m", "3", "3")]));
  assert.deepEqual(ids(timeline), ["m"]);
});

test("only frames after the snapshot count, each once", () => {
  const timeline = timelineWith(snapshot("5", [entity("m", "2", "5", { text: "five" })]));
  assert.equal(timeline.apply(update("4", { messageId: "m", text: "four" })), "ignored");
  assert.equal(timeline.apply(update("5", { messageId: "m", text: "again" })), "ignored");
  assert.equal(timeline.apply(update("6", { messageId: "m", text: "six" })), "changed");
  assert.equal(timeline.apply(update("6", { messageId: "m", text: "twice" })), "ignored");
  assert.deepEqual(timeline.messages.get("m"), { id: "m", role: "", text: "six", status: "",
                                                 streaming: false, created: 2n, last: 6n });
});

test("several frames of one event all count", () => {
  const timeline = timelineWith(snapshot("5"));
  assert.equal(timeline.apply(update("6", { messageId: "a" })), "changed");
  const second = update("6", { messageId: "b" }, { index: 1, last: true });
  assert.equal(timeline.apply(second), "changed");
  assert.equal(timeline.apply(second), "ignored");
  assert.deepEqual(ids(timeline), ["a", "b"]);
});

test("ordinals beyond 2^53 are told apart", () => {
  const timeline = timelineWith(snapshot("18446744073709551613"));
  assert.equal(timeline.apply(update("18446744073709551613", { messageId: "m" })), "ignored");
  assert.equal(timeline.apply(update("18446744073709551614", { messageId: "m" })), "changed");
  assert.equal(timeline.apply(update("18446744073709551615", { messageId: "m" })), "changed");
  assert.equal(timeline.lastOrdinal, 18446744073709551615n);
});

test("a frame of another epoch asks for a new snapshot, which replaces everything", () => {
  const timeline = timelineWith(snapshot("5", [entity("old", "1", "5")], "7"));
  assert.equal(timeline.apply(update("6", { messageId: "m" }, { epoch: "8" })), "stale");
  assert.equal(timeline.lastOrdinal, 5n);
  assert.equal(timeline.apply(snapshot("2", [entity("new", "1", "2")], "8")), "replaced");
  assert.deepEqual(ids(timeline), ["new"]);
  assert.equal(timeline.apply(update("3", { messageId: "new" }, { epoch: "8" })), "changed");
});

test("the first event gives an empty session its epoch", () => {
  const timeline = timelineWith(snapshot());
  assert.equal(timeline.apply(update("1", { messageId: "m" }, { epoch: "9" })), "changed");
  assert.equal(timeline.apply(update("2", { messageId: "m" }, { epoch: "10" })), "stale");
});

test("streaming says whether any message still grows", () => {
  const timeline = timelineWith(snapshot("0"), update("1", { messageId: "m", streaming: true }));
  assert.ok(timeline.streaming);
  timeline.apply(update("2", { messageId: "m", status: "finished" }));
  assert.ok(!timeline.streaming);
});
