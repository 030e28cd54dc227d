// The drawer with the latest frames. Frames are kept while it is closed and shown when it opens;
// the JSON of a frame is formatted when somebody unfolds it.

const FRAMES_MAX = 100;

function timeText(date) {
  return date.toTimeString().slice(3, 8) + "." + String(date.getMilliseconds()).padStart(3, "0");
}

function titleOf(frame) {
  const kind = Object.keys(frame)[0] ?? "empty";
  const inner = frame[kind] ?? {};
  const ordinal = inner.eventOrdinal ?? inner.snapshotOrdinal ?? inner.ordinal;
  return { kind, detail: inner.name ?? inner.code ?? "", ordinal: ordinal ? "#" + ordinal : "" };
}

function span(className, text) {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  return element;
}

export class Wire {
  #frames = [];
  #total = 0;
  #scheduled = false;

  constructor(drawer, list, count) {
    this.drawer = drawer;
    this.list = list;
    this.count = count;
  }

  get open() {
    return !this.drawer.hidden;
  }

  set open(open) {
    this.drawer.hidden = !open;
    if (open) this.#schedule();
  }

  add(pane, direction, frame) {
    this.#total++;
    this.#frames.push({ pane, direction, frame, time: new Date(), element: null });
    if (this.#frames.length > FRAMES_MAX) this.#frames.shift().element?.remove();
    if (this.open) this.#schedule();
  }

  clear() {
    this.#frames = [];
    this.#total = 0;
    this.list.replaceChildren();
    this.#schedule();
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#render();
    });
  }

  #render() {
    this.count.textContent = this.#total === 1 ? "1 frame" : `${this.#total} frames`;
    for (const entry of this.#frames) {
      if (!entry.element) {
        entry.element = this.#build(entry);
        this.list.prepend(entry.element);
      }
    }
  }

  #build({ pane, direction, frame, time }) {
    const title = titleOf(frame);
    const item = document.createElement("li");
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    const arrow = span("wire-arrow", direction === "sent" ? "↑" : "↓");
    arrow.title = direction;
    summary.append(span("wire-pane", pane), arrow, span("wire-kind", title.kind),
                   span("wire-detail", title.detail), span("wire-ordinal", title.ordinal),
                   span("wire-time", timeText(time)));
    details.append(summary);
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector("pre")) return;
      const pre = document.createElement("pre");
      pre.tabIndex = 0;
      pre.textContent = JSON.stringify(frame, null, 2);
      details.append(pre);
    });
    item.dataset.direction = direction;
    item.dataset.kind = title.kind;
    item.append(details);
    return item;
  }
}
