// The board on one side, one job on the other. What is shown is what the entities say.

import { Link } from "./link.js";

const PACKAGE = "sessionstream.examples.jobs.v1.";
const BOARD = "board";
const WORDS = { STATE_RUNNING: "running", STATE_WAITING: "waiting", STATE_DONE: "done",
                STATE_FAILED: "failed", STATE_CANCELED: "cancelled" };

const byId = (id) => document.getElementById(id);
const board = new Map();     // session id -> { entry, created }
let job = newJob("");

function newJob(id) {
  return { id, known: false, job: null, steps: new Map(), log: new Map(), percent: new Map() };
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function say(span, text) {
  if (span.textContent !== text) span.textContent = text;
}

function showBadge(span, state) {
  const word = WORDS[state] ?? "";
  span.dataset.state = word;
  say(span, word);
}

// Makes the children of a list those of the items. An element stays with the key of its item, so
// that a click or the focus on it is not lost when something else changes.
function showList(list, items, keyOf, make, fill) {
  const old = new Map([...list.children].map((row) => [row.dataset.key, row]));
  let before = list.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let row = old.get(key);
    old.delete(key);
    if (row === undefined) {
      row = make(item);
      row.dataset.key = key;
    }
    fill(row, item);
    if (row === before) before = before.nextElementSibling;
    else list.insertBefore(row, before);
  }
  for (const row of old.values()) row.remove();
}

// ---- the board ----

function makeRow() {
  const link = element("a", "row");
  link.append(element("span", "row-title"), element("span", "row-steps"), element("span", "badge"));
  return link;
}

function fillRow(link, { entry }) {
  const [title, steps, state] = link.children;
  link.href = `?job=${encodeURIComponent(entry.sessionId)}`;
  link.ariaCurrent = entry.sessionId === job.id ? "true" : null;
  say(title, entry.title ?? "");
  say(steps, `${entry.stepsDone ?? 0}/${entry.steps ?? 0}`);
  showBadge(state, entry.state);
}

// The newest job first.
function showBoard() {
  const items = [...board.values()].sort((a, b) => b.created - a.created);
  showList(byId("board"), items, ({ entry }) => entry.sessionId, makeRow, fillRow);
  byId("board").hidden = items.length === 0;
  byId("board-empty").hidden = items.length > 0;
}

// Many jobs report at once: they are shown together.
let boardWaits = false;
function showBoardSoon() {
  if (boardWaits) return;
  boardWaits = true;
  requestAnimationFrame(() => {
    boardWaits = false;
    showBoard();
  });
}

const onBoard = {
  snapshot({ entities = [] }) {
    board.clear();
    for (const { kind, id, payload, createdOrdinal } of entities) {
      if (kind === "Board") board.set(id, { entry: payload, created: Number(createdOrdinal) });
    }
    showBoard();
  },
  event({ name, payload, eventOrdinal }) {
    if (name !== "BoardChanged") return;
    const created = board.get(payload.sessionId)?.created ?? Number(eventOrdinal);
    board.set(payload.sessionId, { entry: payload, created });
    showBoardSoon();
  },
};

// ---- one job ----

function makeStep({ number }) {
  const row = element("li", "step");
  const bar = element("progress", "bar");
  const retry = element("button", "quiet", "Retry now");
  bar.max = 100;
  bar.ariaLabel = `Step ${number}`;
  retry.addEventListener("click", () => command("RetryStep", { step: number }));
  row.append(element("span", "step-name"), element("span", "badge"), bar, retry);
  return row;
}

const timeOf = (ms) => new Date(Number(ms)).toLocaleTimeString();

function fillStep(row, step) {
  const [name, state, bar, retry] = row.children;
  const attempt = step.attempt > 1 ? `, attempt ${step.attempt}` : "";
  const again = step.state === "STATE_WAITING" ? `, again at ${timeOf(step.retryAtMs)}` : "";
  say(name, `Step ${step.number} of ${job.job.steps}${attempt}${again}`);
  showBadge(state, step.state);
  row.dataset.state = state.dataset.state;
  bar.value = step.state === "STATE_DONE" ? 100 : (job.percent.get(step.number) ?? 0);
  retry.hidden = step.state !== "STATE_FAILED" && step.state !== "STATE_WAITING";
}

function makeLine(line) {
  const row = element("li", "line");
  row.append(element("time", "line-time", timeOf(line.timeMs)),
             element("span", "line-text", line.text));
  return row;
}

// Shows the newest line, unless somebody reads older ones.
function showLog(lines) {
  const log = byId("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 4;
  showList(log, lines, ({ number }) => number, makeLine, () => {});
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function showJob() {
  byId("job").hidden = job.job === null;
  byId("job-empty").hidden = job.job !== null;
  if (job.job === null) {
    say(byId("job-empty"), job.known ? "There is no such job." : "Start a job, or choose one.");
    return;
  }
  const sorted = (map) => [...map.values()].sort((a, b) => a.number - b.number);
  say(byId("job-title"), job.job.title);
  showBadge(byId("job-state"), job.job.state);
  byId("cancel").hidden = job.job.state !== "STATE_RUNNING";
  showList(byId("steps"), sorted(job.steps), ({ number }) => number, makeStep, fillStep);
  showLog(sorted(job.log));
}

// Lines and steps of two jobs have the same numbers.
function clearLists() {
  byId("steps").replaceChildren();
  byId("log").replaceChildren();
}

const onJob = {
  snapshot({ sessionId, entities = [] }) {
    if (sessionId !== job.id) return;
    job = newJob(sessionId);
    job.known = true;
    clearLists();
    for (const { kind, payload } of entities) {
      if (kind === "Job") job.job = payload;
      if (kind === "Step") job.steps.set(payload.number, payload);
      if (kind === "LogLine") job.log.set(payload.number, payload);
    }
    showJob();
  },
  event({ name, payload }) {
    if (name === "JobChanged") job.job = payload;
    if (name === "LogLineChanged") job.log.set(payload.number, payload);
    if (name === "LogLineRemoved") job.log.delete(payload.number);
    if (name === "Progress") job.percent.set(payload.step, payload.percent);
    if (name === "StepChanged") {
      job.steps.set(payload.number, payload);
      job.percent.delete(payload.number);
    }
    showJob();
  },
};

// ---- commands ----

function showTrouble(text) {
  say(byId("trouble"), text);
}

async function command(name, payload, sessionId = job.id) {
  showTrouble("");
  try {
    await link.submit(sessionId, name, `${PACKAGE}${name}Command`, payload);
    return true;
  } catch (error) {
    showTrouble(error.message);
    return false;
  }
}

byId("cancel").addEventListener("click", () => command("CancelJob", {}));

byId("start").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const sessionId = `job-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
  const payload = { title: form.get("title"), steps: Number(form.get("steps")) };
  if (form.get("fails")) Object.assign(payload, { failStep: 2, failures: 2 });
  if (await command("StartJob", payload, sessionId)) openJob(sessionId);
});

// ---- which job ----

function openJob(sessionId) {
  history.pushState(null, "", `?job=${encodeURIComponent(sessionId)}`);
  showUrl();
  bringIntoView();
}

// On a narrow screen the job is below the board.
function bringIntoView() {
  if (matchMedia("(max-width: 50rem)").matches) {
    document.querySelector("section.job").scrollIntoView({ block: "start" });
  }
}

function showUrl() {
  const asked = new URLSearchParams(location.search).get("job") ?? "";
  const id = asked === BOARD ? "" : asked;
  if (id !== job.id) {
    if (job.id !== "") link.unfollow(job.id);
    job = newJob(id);
    showTrouble("");
    clearLists();
    if (id !== "") link.follow(id, onJob);
  }
  showBoard();
  showJob();
}

byId("board").addEventListener("click", (event) => {
  const row = event.target.closest("a");
  if (row === null || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", row.href);
  showUrl();
  bringIntoView();
});
addEventListener("popstate", showUrl);

const link = new Link((state) => {
  byId("link").dataset.state = state;
  byId("link").textContent = { connecting: "Connecting", live: "Live", lost: "Reconnecting" }[state];
}, showTrouble);
link.follow(BOARD, onBoard);
showUrl();
