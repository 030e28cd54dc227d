// A server that speaks as much of sessionstream.v2.json as ss-load needs, and errs where a hook
// says so. It keeps its sessions in memory and answers at once.
import { WebSocketServer } from 'ws';

const types = 'type.googleapis.com/sessionstream.apps.bench.v1.';

class Session {
    constructor(id) {
        this.id = id;
        this.epoch = 7;
        this.ordinal = 0;
        this.entities = new Map();    // entity: last ordinal
        this.followers = new Set();
        this.snapshots = 0;
    }
}

export function uiFrame(session, ordinal, payload, epoch = session.epoch) {
    return { uiEvent: { sessionId: session.id, name: 'BenchDelivered',
                        eventOrdinal: String(ordinal),
                        payload: { '@type': `${types}BenchDeliveredUpdate`, ...payload },
                        epoch: String(epoch) } };
}

export function snapshotFrame(session, ordinal = session.ordinal, entities = session.entities) {
    const all = [...entities].map(([id, last]) => ({
        kind: 'BenchEntity', id: String(id), createdOrdinal: '1', lastEventOrdinal: String(last),
        payload: { '@type': `${types}BenchEntity`, entity: id } }));
    return { snapshot: { sessionId: session.id, snapshotOrdinal: String(ordinal), entities: all,
                         epoch: ordinal === 0 ? undefined : String(session.epoch) } };
}

export function acceptedFrame(session, requestId, ordinal) {
    return { accepted: { requestId, sessionId: session.id, ordinal: String(ordinal) } };
}

// Hooks take the session and the frame that is due and return the frames to send instead:
//   deliver(session, frame, ordinal), accept(session, frame, ordinal), snapshot(session, frame).
// protocols(offered) chooses the subprotocol; mask(ordinal) says which deliveries are masked.
export class FakeBench {
    static async start(hooks = {}) {
        const fake = new FakeBench();
        fake.hooks = hooks;
        fake.sessions = new Map();
        fake.server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false,
            handleProtocols: hooks.protocols ?? (() => 'sessionstream.v2.json') });
        await new Promise((resolve) => fake.server.once('listening', resolve));
        fake.url = `ws://127.0.0.1:${fake.server.address().port}`;
        fake.server.on('connection', (socket) => {
            socket.on('error', () => {});    // the tester leaves without goodbye
            socket.on('message', (data) => fake.take(socket, JSON.parse(data.toString())));
            fake.send(socket, [{ hello: { connectionId: 'fake' } }]);
        });
        return fake;
    }

    session(id) {
        if (!this.sessions.has(id)) {
            this.sessions.set(id, new Session(id));
        }
        return this.sessions.get(id);
    }

    send(socket, frames, mask = false) {
        for (const frame of frames) {
            socket.send(JSON.stringify(frame), { mask });
        }
    }

    take(socket, frame) {
        if (frame.subscribe !== undefined) {
            this.subscribe(socket, this.session(frame.subscribe.sessionId));
        } else if (frame.submit !== undefined) {
            this.submit(socket, this.session(frame.submit.sessionId), frame.submit);
        }
    }

    subscribe(socket, session) {
        session.snapshots++;
        const frame = snapshotFrame(session);
        this.send(socket, this.hooks.snapshot?.(session, frame) ?? [frame]);
        this.send(socket, [{ subscribed: { sessionId: session.id } }]);
        session.followers.add(socket);
        socket.on('close', () => session.followers.delete(socket));
    }

    submit(socket, session, { requestId, payload }) {
        const { hooks } = this;
        if (hooks.refuse !== undefined) {
            this.send(socket, [{ error: { code: hooks.refuse, message: 'no', requestId } }]);
            return;
        }
        const ordinal = ++session.ordinal;
        session.entities.set(payload.entity ?? 0, ordinal);
        const { '@type': _, ...update } = payload;
        const frame = uiFrame(session, ordinal, update);
        const frames = hooks.deliver?.(session, frame, ordinal) ?? [frame];
        for (const follower of session.followers) {
            this.send(follower, frames, hooks.mask?.(ordinal) ?? false);
        }
        const accepted = acceptedFrame(session, requestId, ordinal);
        this.send(socket, hooks.accept?.(session, accepted, ordinal) ?? [accepted]);
    }

    async stop() {
        for (const client of this.server.clients) {
            client.terminate();
        }
        await new Promise((resolve) => this.server.close(resolve));
    }
}
