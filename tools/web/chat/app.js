// The page: which session, how many views, and the drawer with the frames.

import { Pane } from "./pane.js";
import { Wire } from "./wire.js";

const ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const ID_RANDOM_CHARS = 10;

const byId = (id) => document.getElementById(id);
const panes = [];
const wire = new Wire(byId("wire"), byId("wire-list"), byId("wire-count"));

function randomSessionId() {
  const bytes = crypto.getRandomValues(new Uint8Array(ID_RANDOM_CHARS));
  return "chat-" + Array.from(bytes, (byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join("");
}

function sessionInUrl() {
  return new URLSearchParams(location.search).get("session") ?? "";
}

function urlWith(changes) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  return url;
}

function announce(text) {
  byId("announcer").textContent = text;
}

// ---- views ----

function addPane() {
  const pane = new Pane(String.fromCharCode(65 + panes.length), {
    announce,
    wire: (tag, direction, frame) => wire.add(tag, direction, frame),
  });
  panes.push(pane);
  byId("panes").append(pane.element);
  pane.follow(sessionInUrl());
}

function showSplit(split) {
  while (panes.length > (split ? 2 : 1)) panes.pop().close();
  while (panes.length < (split ? 2 : 1)) addPane();
  byId("panes").dataset.count = String(panes.length);
  byId("split").setAttribute("aria-pressed", String(split));
}

function showSession() {
  const id = sessionInUrl();
  byId("session-id").textContent = id;
  byId("session-id").title = id;
  document.title = `${id} · sessionstream`;
  for (const pane of panes) {
    if (pane.sessionId !== id) pane.follow(id);
  }
}

function showUrl() {
  if (sessionInUrl() === "") {
    history.replaceState(null, "", urlWith({ session: randomSessionId() }));
  }
  showSplit(new URLSearchParams(location.search).has("split"));
  showSession();
}

// ---- the bar ----

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;    // no permission, or a page served without TLS
  }
}

byId("copy-link").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  const copied = await copyText(urlWith({ split: null }).href);
  button.textContent = copied ? "Copied" : "Copy it from the address bar";
  announce(button.textContent);
  setTimeout(() => { button.textContent = "Copy link"; }, 1600);
});

byId("new-session").addEventListener("click", () => {
  history.pushState(null, "", urlWith({ session: randomSessionId() }));
  showSession();
  panes[0].focus();
});

byId("split").addEventListener("click", () => {
  const split = panes.length === 1;
  history.replaceState(null, "", urlWith({ split: split ? "1" : null }));
  showSplit(split);
});

function showWire(open) {
  wire.open = open;
  byId("stage").dataset.wire = String(open);
  byId("wire-toggle").setAttribute("aria-pressed", String(open));
}

byId("wire-toggle").addEventListener("click", () => showWire(!wire.open));
byId("wire-clear").addEventListener("click", () => wire.clear());

// ---- the world ----

const retryAll = () => panes.forEach((pane) => pane.retryNow());
addEventListener("popstate", showUrl);
addEventListener("online", retryAll);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") retryAll();
});

showUrl();
if (matchMedia("(pointer: fine)").matches) panes[0].focus();
