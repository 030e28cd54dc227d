// What a view knows of its session: a snapshot, and the live frames after it.
//
// Ordinals are unsigned 64-bit and travel as decimal strings, so they are BigInt here.

function ordinalOf(text) {
  return BigInt(text ?? "0");
}

function messageFrom(payload, createdOrdinal, lastOrdinal) {
  return {
    id: payload.messageId ?? "",
    role: payload.role ?? "",
    text: payload.text ?? payload.content ?? "",
    status: payload.status ?? "",
    streaming: payload.streaming === true,
    created: createdOrdinal,
    last: lastOrdinal,
  };
}

export class Timeline {
  messages = new Map();
  snapshotOrdinal = 0n;
  lastOrdinal = 0n;
  loaded = false;
  #lastIndex = 0;
  #epoch = "0";

  // Returns "replaced", "changed", "ignored", or "stale" when only a new snapshot can help.
  apply(frame) {
    if (frame.snapshot) return this.#replace(frame.snapshot);
    if (frame.uiEvent) return this.#advance(frame.uiEvent);
    return "ignored";
  }

  get streaming() {
    for (const message of this.messages.values()) {
      if (message.streaming) return true;
    }
    return false;
  }

  #replace(snapshot) {
    const messages = [];
    for (const entity of snapshot.entities ?? []) {
      if (entity.kind === "ChatMessage" && entity.payload && !entity.tombstone) {
        messages.push(messageFrom(entity.payload, ordinalOf(entity.createdOrdinal),
                                  ordinalOf(entity.lastEventOrdinal)));
      }
    }
    messages.sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0));
    this.messages = new Map(messages.map((message) => [message.id, message]));
    this.snapshotOrdinal = ordinalOf(snapshot.snapshotOrdinal);
    this.lastOrdinal = this.snapshotOrdinal;
    this.#lastIndex = Number.MAX_SAFE_INTEGER;
    this.#epoch = snapshot.epoch ?? "0";
    this.loaded = true;
    return "replaced";
  }

  #advance(event) {
    const ordinal = ordinalOf(event.eventOrdinal);
    const index = event.index ?? 0;
    const epoch = event.epoch ?? this.#epoch;
    if (!this.loaded) return "ignored";
    if (this.#epoch !== "0" && epoch !== this.#epoch) return "stale";
    this.#epoch = epoch;
    if (ordinal < this.lastOrdinal || (ordinal === this.lastOrdinal && index <= this.#lastIndex)) {
      return "ignored";
    }
    this.lastOrdinal = ordinal;
    this.#lastIndex = index;
    const payload = event.payload;
    if (payload?.messageId) {
      const known = this.messages.get(payload.messageId);
      this.messages.set(payload.messageId,
                        messageFrom(payload, known?.created ?? ordinal, ordinal));
    }
    return "changed";
  }
}
