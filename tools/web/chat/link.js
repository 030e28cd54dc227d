// One websocket that comes back by itself.
//
// States: connecting -> live -> (reconnecting -> connecting -> live)..., or refused, which only
// connect() leaves. A link is live when the server has confirmed the subscription.

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 5000;
const ANSWER_TIMEOUT_MS = 10000;
const PING_INTERVAL_MS = 15000;

// A subscription refused with one of these would be refused again.
const FINAL_CODES = new Set(["invalid_session_id", "bad_client_frame", "protocol_error",
                             "too_many_subscriptions"]);

export class Link {
  #socket = null;
  #attempt = 0;
  #timer = 0;
  #watchdog = 0;
  #closed = false;
  #cursor;    // of the newest frame: where to go on after a reconnect

  // on.state(state), on.frame(frame), on.wire(direction, frame)
  constructor(sessionId, on) {
    this.sessionId = sessionId;
    this.on = on;
    this.state = { name: "connecting" };
  }

  connect() {
    if (this.#closed) return;
    this.#drop();
    this.#setState({ name: "connecting" });
    const url = new URL("/v1/ws", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, ["sessionstream.v2.json"]);
    this.#socket = socket;
    socket.onopen = () => this.#subscribe();
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#lost(event);
    this.#watch(ANSWER_TIMEOUT_MS);
  }

  // Asks for a fresh snapshot and everything after it.
  resubscribe() {
    this.#cursor = undefined;
    this.#subscribe();
  }

  // What was missed since the cursor, or a snapshot.
  #subscribe() {
    this.send({ subscribe: { sessionId: this.sessionId, resume: this.#cursor } });
  }

  // False if the link cannot send now; nothing is queued.
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    this.on.wire("sent", frame);
    return true;
  }

  // For a person who will not wait, or a network that is back.
  retryNow() {
    if (this.state.name === "reconnecting" || this.state.name === "refused") this.connect();
  }

  close() {
    this.#closed = true;
    this.#drop();
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  #receive(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return this.#lost({ reason: "unreadable frame" });
    }
    this.on.wire("received", frame);
    this.#watch(PING_INTERVAL_MS);
    if (frame.subscribed) {
      this.#attempt = 0;
      this.#setState({ name: "live" });
    } else if (frame.ping) {
      this.send({ pong: { nonce: frame.ping.nonce ?? "" } });
    } else if (frame.error && !frame.error.requestId && this.state.name !== "live") {
      return this.#refused(frame.error);
    }
    const placed = frame.uiEvent ?? frame.snapshot ?? frame.subscribed;
    this.#cursor = placed?.cursor ?? this.#cursor;
    this.on.frame(frame);
  }

  #refused(error) {
    if (!FINAL_CODES.has(error.code)) return this.#lost({ reason: error.message });
    this.#drop();
    this.#setState({ name: "refused", reason: error.message || error.code });
  }

  // Silence is answered with a ping first; silence after that is a dead connection.
  #watch(timeoutMs) {
    clearTimeout(this.#watchdog);
    const giveUp = () => this.#lost({ reason: "no answer" });
    this.#watchdog = setTimeout(() => {
      if (!this.send({ ping: { nonce: "still-there" } })) return giveUp();
      this.#watchdog = setTimeout(giveUp, ANSWER_TIMEOUT_MS);
    }, timeoutMs);
  }

  #lost(event) {
    this.#drop();
    if (this.#closed) return;
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#attempt);
    const delay = Math.round(ceiling * (0.5 + Math.random() / 2));
    this.#attempt++;
    this.#timer = setTimeout(() => this.connect(), delay);
    this.#setState({ name: "reconnecting", retryAt: Date.now() + delay, attempt: this.#attempt,
                     reason: event.reason || `closed with ${event.code}` });
  }

  #setState(state) {
    this.state = state;
    this.on.state(state);
  }
}
