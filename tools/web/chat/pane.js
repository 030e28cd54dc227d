// One view of a session: its own connection, its own timeline, its own composer.

import { Link } from "./link.js";
import { Timeline } from "./timeline.js";

const TYPE_PREFIX = "type.googleapis.com/sessionstream.examples.chatdemo.v1.";
const NEAR_BOTTOM_PX = 48;
const COUNTDOWN_STEP_MS = 100;

const EXAMPLES = [
  "Explain ordinals",
  "What does a second window see when it joins in the middle of this answer?",
  "Grüße, 世界 👋 – characters of every width stay whole",
];

const ROLE_NAMES = { user: "You", assistant: "Assistant" };

function clone(templateId) {
  return document.getElementById(templateId).content.firstElementChild.cloneNode(true);
}

export class Pane {
  #parts;
  #rows = new Map();       // message id -> { element, text, ... }
  #timeline = new Timeline();
  #link = null;
  #requests = new Map();   // request id -> "start" or "stop"
  #requestCount = 0;
  #countdown = 0;
  #scheduled = false;
  #atBottom = true;
  #scrollTop = 0;
  #wasStreaming = false;

  // on.announce(text), on.wire(pane, direction, frame)
  constructor(tag, on) {
    this.tag = tag;
    this.on = on;
    this.element = clone("pane-template");
    this.element.setAttribute("aria-label", `View ${tag}`);
    const part = (selector) => this.element.querySelector(selector);
    this.#parts = {
      link: part(".link"), linkText: part(".link-text"), retry: part(".retry"),
      snapshot: part(".figure-snapshot"), last: part(".figure-last"),
      scroll: part(".scroll"), empty: part(".empty"), messages: part(".messages"),
      latest: part(".latest"), form: part(".composer"), input: part("textarea"),
      send: part(".send"), stop: part(".stop"), notice: part(".notice"),
      noticeText: part(".notice-text"), noticeClose: part(".notice-close"),
      examples: part(".examples"),
    };
    part(".pane-tag").textContent = tag;
    this.#parts.scroll.setAttribute("aria-label", `Messages of view ${tag}`);
    this.#parts.messages.setAttribute("aria-label", `Messages of view ${tag}`);
    this.#buildExamples();
    this.#listen();
  }

  // Follows a session; what was shown before is forgotten.
  follow(sessionId) {
    this.#link?.close();
    this.#timeline = new Timeline();
    this.#requests.clear();
    this.#clearRows();
    this.#showNotice("");
    this.#atBottom = true;
    this.sessionId = sessionId;
    this.#link = new Link(sessionId, {
      state: (state) => this.#linkChanged(state),
      frame: (frame) => this.#receive(frame),
      wire: (direction, frame) => this.on.wire(this.tag, direction, frame),
    });
    this.#link.connect();
    this.#schedule();
  }

  retryNow() {
    this.#link?.retryNow();
  }

  focus() {
    this.#parts.input.focus();
  }

  close() {
    this.#link?.close();
    clearInterval(this.#countdown);
    this.element.remove();
  }

  // ---- from the person ----

  #listen() {
    const parts = this.#parts;
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start(parts.input.value);
    });
    parts.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#start(parts.input.value);
      }
    });
    parts.input.addEventListener("input", () => {
      this.#fitInput();
      this.#schedule();
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#timeline.streaming) {
        event.preventDefault();
        this.#stop();
      }
    });
    parts.stop.addEventListener("click", () => this.#stop());
    parts.retry.addEventListener("click", () => this.retryNow());
    parts.noticeClose.addEventListener("click", () => {
      this.#showNotice("");
      this.focus();
    });
    parts.latest.addEventListener("click", () => {
      this.#atBottom = true;
      this.#stickToBottom();
      this.focus();
    });
    parts.scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#stickToBottom()).observe(parts.scroll);
  }

  #buildExamples() {
    for (const example of EXAMPLES) {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "example";
      button.textContent = example;
      button.addEventListener("click", () => {
        this.#start(example);
        this.focus();
      });
      item.append(button);
      this.#parts.examples.append(item);
    }
  }

  #start(prompt) {
    if (prompt.trim() === "" || this.#pending("start")) return;
    this.#atBottom = true;
    this.#showNotice("");
    this.#submit("start", "ChatStartInference",
                 { "@type": TYPE_PREFIX + "StartInferenceCommand", prompt });
  }

  #stop() {
    if (this.#pending("stop")) return;
    this.#submit("stop", "ChatStopInference", { "@type": TYPE_PREFIX + "StopInferenceCommand" });
  }

  #submit(what, name, payload) {
    const requestId = `${this.tag}-${++this.#requestCount}`;
    const sent = this.#link.state.name === "live" &&
      this.#link.send({ submit: { requestId, sessionId: this.sessionId, name, payload } });
    if (sent) {
      this.#requests.set(requestId, what);
    } else {
      this.#showNotice("Not connected. Your text stays here; send it again when the view is live.");
    }
    this.#schedule();
  }

  #pending(what) {
    for (const pending of this.#requests.values()) {
      if (pending === what) return true;
    }
    return false;
  }

  // ---- from the server ----

  #receive(frame) {
    if (frame.accepted || frame.error) this.#answered(frame);
    const outcome = this.#timeline.apply(frame);
    if (outcome === "stale") this.#link.resubscribe();
    if (outcome === "replaced" || outcome === "changed") this.#schedule();
  }

  #answered({ accepted, error }) {
    const requestId = (accepted ?? error).requestId ?? "";
    const what = this.#requests.get(requestId);
    this.#requests.delete(requestId);
    if (error) {
      this.#showNotice(error.message || "The server refused this.", error.code);
    } else if (what === "start") {
      this.#parts.input.value = "";
      this.#fitInput();
    }
    this.#schedule();
  }

  #linkChanged(state) {
    clearInterval(this.#countdown);
    if (state.name === "reconnecting") {
      this.#countdown = setInterval(() => this.#schedule(), COUNTDOWN_STEP_MS);
      if (state.attempt === 1) this.on.announce(`View ${this.tag} lost its connection`);
      this.#forgetRequests();
    } else if (state.name === "refused") {
      this.#showNotice(state.reason, "refused");
    } else if (state.name === "live") {
      this.on.announce(`View ${this.tag} is live`);
    }
    this.#schedule();
  }

  // Whether the server saw a request that it did not answer is not known, so nothing is repeated.
  #forgetRequests() {
    if (this.#pending("start")) {
      this.#showNotice("The connection was lost before the server answered. Check the messages " +
                       "before you send this again.");
    }
    this.#requests.clear();
  }

  // ---- what is shown ----

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#render();
    });
  }

  #render() {
    const parts = this.#parts;
    const timeline = this.#timeline;
    parts.snapshot.textContent = timeline.loaded ? String(timeline.snapshotOrdinal) : "–";
    parts.last.textContent = timeline.loaded ? String(timeline.lastOrdinal) : "–";
    parts.empty.hidden = !timeline.loaded || timeline.messages.size > 0;
    this.#renderMessages();
    this.#renderLink(this.#link.state);
    const live = this.#link.state.name === "live";
    const starting = this.#pending("start");
    parts.send.disabled = !live || starting || parts.input.value.trim() === "";
    parts.send.dataset.pending = String(starting);
    parts.input.readOnly = starting;
    parts.stop.hidden = !timeline.streaming;
    parts.stop.disabled = !live || this.#pending("stop");
    for (const button of parts.examples.querySelectorAll("button")) button.disabled = !live;
    this.#announceAnswer(timeline.streaming);
    this.#stickToBottom();
  }

  #renderLink(state) {
    const { link, linkText, retry } = this.#parts;
    const left = Math.max(0, (state.retryAt ?? 0) - Date.now());
    const text = state.name === "reconnecting" ? `reconnecting in ${(left / 1000).toFixed(1)} s`
                                               : state.name;
    if (linkText.textContent !== text) linkText.textContent = text;
    link.title = state.reason ?? "";
    link.dataset.state = state.name;
    retry.hidden = state.name !== "reconnecting" && state.name !== "refused";
    this.element.dataset.link = state.name;
  }

  #announceAnswer(streaming) {
    if (streaming !== this.#wasStreaming && this.tag === "A") {
      const newest = [...this.#timeline.messages.values()].at(-1);
      this.on.announce(streaming ? "The assistant is answering"
                                 : `Answer ${newest?.status || "ended"}: ${newest?.text ?? ""}`);
    }
    this.#wasStreaming = streaming;
  }

  #clearRows() {
    this.#rows.clear();
    this.#parts.messages.replaceChildren();
  }

  #renderMessages() {
    const messages = this.#timeline.messages;
    for (const [id, row] of this.#rows) {
      if (!messages.has(id)) {
        row.element.remove();
        this.#rows.delete(id);
      }
    }
    let place = this.#parts.messages.firstElementChild;
    for (const message of messages.values()) {
      let row = this.#rows.get(message.id);
      if (!row) {
        row = this.#newRow(message);
        this.#rows.set(message.id, row);
      }
      if (row.element === place) {
        place = place.nextElementSibling;
      } else {
        this.#parts.messages.insertBefore(row.element, place);
      }
      if (row.shown !== message) this.#fillRow(row, message);
    }
  }

  #newRow(message) {
    const element = clone("message-template");
    const part = (selector) => element.querySelector(selector);
    const text = document.createTextNode("");
    part(".text").append(text);
    part(".id").textContent = message.id;
    return { element, text, shown: null, created: part(".created"), last: part(".last"),
             role: part(".role"), chip: part(".chip") };
  }

  #fillRow(row, message) {
    row.shown = message;
    row.element.dataset.role = message.role;
    row.element.dataset.status = message.status;
    row.element.dataset.id = message.id;
    row.role.textContent = ROLE_NAMES[message.role] ?? message.role;
    row.chip.hidden = message.status === "";
    row.chip.textContent = message.status;
    row.created.textContent = String(message.created);
    row.created.title = `created by event ${message.created}`;
    row.last.textContent = message.last > message.created ? String(message.last) : "";
    row.last.title = `last changed by event ${message.last}`;
    // Appending keeps a selection that somebody made in the text so far.
    if (message.text.startsWith(row.text.data)) {
      row.text.appendData(message.text.slice(row.text.data.length));
    } else {
      row.text.data = message.text;
    }
  }

  #showNotice(text, code = "") {
    this.#parts.notice.hidden = text === "";
    this.#parts.noticeText.textContent = code ? `${code} – ${text}` : text;
  }

  #fitInput() {
    const input = this.#parts.input;
    input.rows = 1;
    const style = getComputedStyle(input);
    const padding = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
    const lines = Math.round((input.scrollHeight - padding) / parseFloat(style.lineHeight));
    input.rows = Math.min(6, Math.max(1, lines));
  }

  // Moving up leaves the end at the first pixel, or growing text would pull against the hand;
  // moving down catches it again a little before.
  #scrolled() {
    const { scroll, latest } = this.#parts;
    const below = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight;
    const near = scroll.scrollTop < this.#scrollTop ? 1 : NEAR_BOTTOM_PX;
    this.#atBottom = below <= near;
    this.#scrollTop = scroll.scrollTop;
    latest.hidden = this.#atBottom;
  }

  #stickToBottom() {
    const { scroll, latest } = this.#parts;
    if (this.#atBottom) {
      scroll.scrollTop = scroll.scrollHeight;
      this.#scrollTop = scroll.scrollTop;
      latest.hidden = true;
    }
  }
}
