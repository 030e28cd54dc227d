// One websocket that follows several sessions and comes back by itself.
//
// For each session it keeps the newest cursor. After a break it asks to go on from there: either
// only what was missed comes, or a snapshot, which replaces everything.

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 5000;

export class Link {
  #socket = null;
  #attempt = 0;
  #sessions = new Map();    // session id -> { cursor, on }
  #answers = new Map();     // request id -> { resolve, reject }
  #requests = 0;

  // onState("connecting" | "live" | "lost"); onError(text): a session cannot be followed
  constructor(onState, onError) {
    this.onState = onState;
    this.onError = onError;
    this.#connect();
  }

  // on.snapshot(snapshot): replaces everything; on.event(uiEvent): one change.
  follow(sessionId, on) {
    this.#sessions.set(sessionId, { cursor: "", on });
    this.#subscribe(sessionId);
  }

  unfollow(sessionId) {
    if (this.#sessions.delete(sessionId)) this.#send({ unsubscribe: { sessionId } });
  }

  // Resolves when the command's events are stored; rejects with the server's sentence.
  submit(sessionId, name, type, payload) {
    const requestId = `r${++this.#requests}`;
    const packed = { "@type": `type.googleapis.com/${type}`, ...payload };
    return new Promise((resolve, reject) => {
      if (!this.#send({ submit: { requestId, sessionId, name, payload: packed } })) {
        reject(new Error("No connection at the moment."));
      } else {
        this.#answers.set(requestId, { resolve, reject });
      }
    });
  }

  #connect() {
    this.onState("connecting");
    const url = new URL("/v1/ws", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.#socket = new WebSocket(url, ["sessionstream.v2.json"]);
    this.#socket.onopen = () => {
      this.#attempt = 0;
      this.onState("live");
      for (const sessionId of this.#sessions.keys()) this.#subscribe(sessionId);
    };
    this.#socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    this.#socket.onclose = () => this.#lost();
  }

  #lost() {
    this.onState("lost");
    for (const { reject } of this.#answers.values()) {
      reject(new Error("The connection was lost before the answer came."));
    }
    this.#answers.clear();
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#attempt++);
    setTimeout(() => this.#connect(), ceiling * (0.5 + Math.random() / 2));
  }

  #send(frame) {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  // A subscribe was refused, for a while or for good.
  #refused({ sessionId, code, message }) {
    const session = this.#sessions.get(sessionId);
    if (!session || code !== "overloaded") {
      this.onError(message);
      return;
    }
    const socket = this.#socket;
    setTimeout(() => {
      if (this.#socket === socket && this.#sessions.get(sessionId) === session) {
        this.#subscribe(sessionId);
      }
    }, BACKOFF_MAX_MS);
  }

  #subscribe(sessionId) {
    const { cursor } = this.#sessions.get(sessionId);
    this.#send({ subscribe: cursor === "" ? { sessionId } : { sessionId, resume: cursor } });
  }

  #receive(frame) {
    if (frame.ping) this.#send({ pong: { nonce: frame.ping.nonce ?? "" } });
    const answer = frame.accepted ?? frame.error;
    const asked = answer && this.#answers.get(answer.requestId);
    if (frame.error && !asked) this.#refused(frame.error);
    if (asked) {
      this.#answers.delete(answer.requestId);
      if (frame.accepted) asked.resolve();
      else asked.reject(new Error(frame.error.message));
    }
    const body = frame.snapshot ?? frame.uiEvent ?? frame.subscribed;
    const session = body && this.#sessions.get(body.sessionId);
    if (!session) return;
    if (body.cursor) session.cursor = body.cursor;
    if (frame.snapshot) session.on.snapshot(body);
    if (frame.uiEvent) session.on.event(body);
  }
}
