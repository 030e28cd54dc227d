#!/usr/bin/env node
// A stand-in for sessionstreamd --app chat: the page's files and the frames it needs, to work on
// the page without a server. Takes the same flags; keeps every event in DATA/fake.json.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";

const WEB = new URL("../../../tools/web/chat/", import.meta.url);
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
                ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };
const PREFIX = "type.googleapis.com/sessionstream.examples.chatdemo.v1.";

const { values: flags } = parseArgs({ options: {
  listen: { type: "string", default: "127.0.0.1:8080" },
  data: { type: "string", default: "./data" },
  app: { type: "string" },
  "app-option": { type: "string", multiple: true, default: [] },
} });
const options = Object.fromEntries(flags["app-option"].map((pair) => pair.split("=")));
const chunkMs = Number(options.chunk_ms ?? 20);
const chunkBytes = Number(options.chunk_bytes ?? 10);
const [host, port] = flags.listen.split(":");

mkdirSync(flags.data, { recursive: true });
const file = join(flags.data, "fake.json");
let sessions = {};
try {
  sessions = JSON.parse(readFileSync(file, "utf8"));
} catch {
  // a new directory
}

const followers = new Map();    // session id -> set of sockets
const runs = new Map();         // session id -> { id, timer }

function save() {
  writeFileSync(file + ".new", JSON.stringify(sessions));
  renameSync(file + ".new", file);
}

function sessionOf(id) {
  return (sessions[id] ??= { ordinal: 0, entities: {} });
}

function publish(sessionId, name, change, extra = {}) {
  const session = sessionOf(sessionId);
  const ordinal = String(++session.ordinal);
  const id = change.messageId;
  const entity = (session.entities[id] ??= { kind: "ChatMessage", id, createdOrdinal: ordinal });
  entity.lastEventOrdinal = ordinal;
  entity.payload = { ...entity.payload, ...change, "@type": PREFIX + "ChatMessageEntity" };
  save();
  const frame = { uiEvent: { sessionId, eventOrdinal: ordinal, name, epoch: "7", last: true,
    payload: { "@type": PREFIX + "ChatMessageUpdate", ...change, ...extra, ordinal } } };
  for (const socket of followers.get(sessionId) ?? []) socket.send(JSON.stringify(frame));
}

function end(sessionId, status) {
  const run = runs.get(sessionId);
  if (!run) return;
  clearTimeout(run.timer);
  runs.delete(sessionId);
  const { text } = sessionOf(sessionId).entities[run.id].payload;
  publish(sessionId, status === "finished" ? "ChatMessageFinished" : "ChatMessageStopped",
          { messageId: run.id, role: "assistant", text, content: text, status, streaming: false });
}

function step(sessionId, run, chunks, text) {
  const chunk = chunks.shift();
  text += chunk;
  publish(sessionId, "ChatMessageAppended",
          { messageId: run.id, role: "assistant", text, content: text, status: "streaming",
            streaming: true }, { chunk });
  if (chunks.length === 0) return end(sessionId, "finished");
  run.timer = setTimeout(step, chunkMs, sessionId, run, chunks, text);
}

function chunksOf(text) {
  const chunks = [""];
  for (const character of text) {
    const last = chunks.at(-1) + character;
    if (Buffer.byteLength(last) <= chunkBytes) chunks[chunks.length - 1] = last;
    else chunks.push(character);
  }
  return chunks;
}

function start(sessionId, prompt) {
  end(sessionId, "stopped");
  const id = `chat-msg-${sessionOf(sessionId).ordinal + 1}`;
  publish(sessionId, "ChatMessageAccepted",
          { messageId: id + "-user", role: "user", text: prompt, content: prompt });
  publish(sessionId, "ChatMessageStarted",
          { messageId: id, role: "assistant", prompt, text: "", status: "streaming",
            streaming: true });
  const run = { id };
  runs.set(sessionId, run);
  run.timer = setTimeout(step, chunkMs, sessionId, run, chunksOf("Answer: " + prompt), "");
}

function submit(socket, { requestId, sessionId, name, payload }) {
  const prompt = (payload?.prompt ?? "").trim() || "Explain sessionstream";
  if (name === "ChatStartInference" && Buffer.byteLength(prompt) > 16384) {
    return socket.send(JSON.stringify({ error: { requestId, sessionId, code: "too_large",
      message: `prompt has ${Buffer.byteLength(prompt)} bytes, at most 16384 are accepted` } }));
  }
  if (name === "ChatStartInference") start(sessionId, prompt);
  else end(sessionId, "stopped");
  socket.send(JSON.stringify({ accepted: { requestId, sessionId,
                                           ordinal: String(sessionOf(sessionId).ordinal) } }));
}

function subscribe(socket, sessionId) {
  const session = sessionOf(sessionId);
  const set = followers.get(sessionId) ?? new Set();
  followers.set(sessionId, set.add(socket));
  const snapshot = { sessionId, epoch: "7", snapshotOrdinal: String(session.ordinal),
                     entities: Object.values(session.entities) };
  if (session.ordinal === 0) delete snapshot.snapshotOrdinal;
  socket.send(JSON.stringify({ snapshot }));
  socket.send(JSON.stringify({ subscribed: { sessionId } }));
}

for (const [id, session] of Object.entries(sessions)) {
  for (const entity of Object.values(session.entities)) {
    if (entity.payload.streaming) {
      publish(id, "ChatMessageStopped", { messageId: entity.id, role: "assistant",
              text: entity.payload.text, status: "interrupted", streaming: false });
    }
  }
}

const server = createServer((request, response) => {
  const path = new URL(request.url, "http://x").pathname;
  const name = path === "/" ? "index.html" : path.slice(1);
  try {
    const body = readFileSync(new URL(name, WEB));
    response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "text/plain" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});

let connections = 0;
new WebSocketServer({ server, path: "/v1/ws" }).on("connection", (socket) => {
  socket.send(JSON.stringify({ hello: { connectionId: `conn-${++connections}` } }));
  socket.on("message", (data) => {
    const frame = JSON.parse(data);
    if (frame.subscribe) subscribe(socket, frame.subscribe.sessionId);
    if (frame.submit) submit(socket, frame.submit);
    if (frame.ping) socket.send(JSON.stringify({ pong: { nonce: frame.ping.nonce } }));
  });
  socket.on("close", () => followers.forEach((set) => set.delete(socket)));
});
server.listen(Number(port), host);
