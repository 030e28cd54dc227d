// The board on one side, one job on the other. What is shown is what the entities say.

import { Link } from "./link.js";

const PACKAGE = "sessionstream.examples.jobs.v1.";
const BOARD = "board";
const WORDS = { STATE_RUNNING: "running", STATE_WAITING: "waiting", STATE_DONE: "done",
                STATE_FAILED: "failed", STATE_CANCELED: "cancelled" };

const byId = (id) => document.getElementById(id);
const board = new Map();     // session id -> Board entity
let job = newJob("");

function newJob(id) {
  return { id, job: null, steps: new Map(), log: new Map(), percent: new Map() };
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function badge(state) {
  const word = WORDS[state] ?? "";
  const made = element("span", "badge", word);
  made.dataset.state = word;
  return made;
}

// ---- the board ----

function showBoard() {
  const rows = [...board.values()].reverse().map((entry) => {
    const link = element("a", "row");
    link.href = `?job=${encodeURIComponent(entry.sessionId)}`;
    link.ariaCurrent = entry.sessionId === job.id ? "true" : null;
    link.append(element("span", "row-title", entry.title),
                element("span", "row-steps", `${entry.stepsDone ?? 0}/${entry.steps ?? 0}`),
                badge(entry.state));
    return link;
  });
  byId("board").replaceChildren(...rows);
  byId("board-empty").hidden = rows.length > 0;
}

const onBoard = {
  snapshot({ entities = [] }) {
    board.clear();
    for (const { kind, id, payload } of entities) {
      if (kind === "Board") board.set(id, payload);
    }
    showBoard();
  },
  event({ name, payload }) {
    if (name !== "BoardChanged") return;
    board.set(payload.sessionId, payload);
    showBoard();
  },
};

// ---- one job ----

function showStep(step) {
  const percent = step.state === "STATE_DONE" ? 100 : (job.percent.get(step.number) ?? 0);
  const row = element("li", "step");
  const bar = element("progress", "bar");
  bar.max = 100;
  bar.value = percent;
  bar.ariaLabel = `Step ${step.number}`;
  const words = step.attempt > 1 ? `Step ${step.number}, attempt ${step.attempt}`
                                 : `Step ${step.number}`;
  row.append(element("span", "step-name", words), badge(step.state), bar);
  if (step.state === "STATE_FAILED" || step.state === "STATE_WAITING") {
    const retry = element("button", "quiet", "Retry now");
    retry.addEventListener("click", () => command("RetryStep", { step: step.number }));
    row.append(retry);
  }
  return row;
}

function showLine(line) {
  const row = element("li", "line");
  const time = new Date(Number(line.timeMs));
  row.append(element("time", "line-time", time.toLocaleTimeString()),
             element("span", "line-text", line.text));
  return row;
}

function showJob() {
  byId("job").hidden = job.job === null;
  byId("job-empty").hidden = job.job !== null;
  if (job.job === null) return;
  const byNumber = (a, b) => a.number - b.number;
  byId("job-title").textContent = job.job.title;
  byId("job-state").replaceChildren(badge(job.job.state));
  byId("cancel").hidden = job.job.state !== "STATE_RUNNING";
  byId("steps").replaceChildren(...[...job.steps.values()].sort(byNumber).map(showStep));
  byId("log").replaceChildren(...[...job.log.values()].sort(byNumber).map(showLine));
  byId("log").scrollTop = byId("log").scrollHeight;
}

const onJob = {
  snapshot({ sessionId, entities = [] }) {
    job = newJob(sessionId);
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

async function command(name, payload, sessionId = job.id) {
  byId("trouble").textContent = "";
  try {
    await link.submit(sessionId, name, `${PACKAGE}${name}Command`, payload);
    return true;
  } catch (error) {
    byId("trouble").textContent = error.message;
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
  if (await command("StartJob", payload, sessionId)) open(sessionId);
});

// ---- which job ----

function open(sessionId) {
  history.pushState(null, "", `?job=${encodeURIComponent(sessionId)}`);
  showUrl();
}

function showUrl() {
  const id = new URLSearchParams(location.search).get("job") ?? "";
  if (id !== job.id) {
    if (job.id !== "") link.unfollow(job.id);
    job = newJob(id);
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
});
addEventListener("popstate", showUrl);

const link = new Link((state) => {
  byId("link").dataset.state = state;
  byId("link").textContent = { connecting: "Connecting", live: "Live", lost: "Reconnecting" }[state];
});
link.follow(BOARD, onBoard);
showUrl();
