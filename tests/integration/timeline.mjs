// What a client of the chat application knows: a snapshot, changed by the frames after it.

const chatEntity = 'ChatMessageEntity';

export class Timeline {
    constructor() {
        this.ordinal = null;    // BigInt once a snapshot came
        this.entities = new Map();
        this.snapshots = 0;
        this.faults = [];
    }

    // Takes a hello, snapshot, uiEvent or subscribed; checks that ordinals rise by one.
    take(frame) {
        if (frame.snapshot !== undefined) {
            this.takeSnapshot(frame.snapshot);
        } else if (frame.uiEvent !== undefined) {
            this.takeEvent(frame.uiEvent);
        }
        return this;
    }

    takeSnapshot(snapshot) {
        this.snapshots++;
        this.ordinal = BigInt(snapshot.snapshotOrdinal ?? '0');
        this.entities = new Map((snapshot.entities ?? []).map((entity) => [entity.id, entity]));
    }

    takeEvent(event) {
        const ordinal = BigInt(event.eventOrdinal);
        if (this.ordinal === null) {
            this.faults.push(`frame ${ordinal} before the snapshot`);
            return;
        }
        if (ordinal !== this.ordinal + 1n) {
            this.faults.push(`frame ${ordinal} after ${this.ordinal}`);
        }
        this.ordinal = ordinal;
        const update = event.payload;
        const old = this.entities.get(update.messageId);
        this.entities.set(update.messageId, {
            kind: 'ChatMessage',
            id: update.messageId,
            createdOrdinal: old?.createdOrdinal ?? event.eventOrdinal,
            lastEventOrdinal: event.eventOrdinal,
            payload: {
                '@type': update['@type'].replace('ChatMessageUpdate', chatEntity),
                messageId: update.messageId,
                role: update.role,
                prompt: update.prompt ?? old?.payload.prompt,
                text: update.text,
                content: update.content,
                status: update.status,
                streaming: update.streaming,
            },
        });
    }

    // One text for equal timelines: entities in the order of a snapshot.
    text() {
        const list = [...this.entities.values()].sort((a, b) =>
            Number(BigInt(a.createdOrdinal) - BigInt(b.createdOrdinal)));
        return `${this.ordinal} ${JSON.stringify(list)}`;
    }
}

// Subscribes and reads up to the subscribed frame: an answer may be an older snapshot and the
// frames after it.
export async function join(client, sessionId) {
    const timeline = new Timeline();
    client.send({ subscribe: { sessionId } });
    for (;;) {
        const frame = await client.next();
        if (frame.subscribed !== undefined) {
            return timeline;
        }
        if (frame.error !== undefined) {
            throw new Error(`${frame.error.code}: ${frame.error.message}`);
        }
        timeline.take(frame);
    }
}
