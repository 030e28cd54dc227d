// A client that holds a snapshot and the frames after it, and comes back with its cursor whenever
// its connection or the daemon is gone.
import { Client, within } from '../integration/harness.mjs';
import { Fold, shownIn } from './fold.mjs';

export class Follower {
    constructor(sessionId) {
        this.sessionId = sessionId;
        this.fold = new Fold();
        this.cursor = undefined;
        this.faults = [];
        this.answers = new Map();    // to a cursor: recovered or the reason -> how often
        this.frames = 0;
    }

    fault(text) {
        this.faults.push(`follower of ${this.sessionId}: ${text}`);
    }

    // Resolves with the subscribed frame, or with null when the connection ended before.
    async connect(port) {
        const client = await Client.connect(port, { protocol: 'sessionstream.v2.json' });
        const sent = this.cursor;
        let snapshots = 0;
        this.client = client;
        const answered = new Promise((resolve) => {
            client.onFrame = (frame) => {
                snapshots += frame.snapshot !== undefined;
                this.take(frame);
                if (frame.subscribed !== undefined) {
                    this.judge(sent, frame.subscribed, snapshots);
                    resolve(frame.subscribed);
                }
                this.wake?.();
            };
            client.closed.then(() => {
                this.wake?.();
                resolve(null);
            });
        });
        client.send({ subscribe: { sessionId: this.sessionId, resume: sent } });
        return within(answered, `answer to the subscribe of ${this.sessionId}`);
    }

    judge(sent, { recovered, reason }, snapshots) {
        if (sent === undefined) {
            return;
        }
        if (recovered ? snapshots > 0 || reason !== undefined : snapshots === 0) {
            this.fault(`${snapshots} snapshots, recovered ${recovered}, reason ${reason}`);
        }
        if (!recovered && !['too_old', 'stale_epoch', 'live_unknown'].includes(reason)) {
            this.fault(`a snapshot because of "${reason}" for ${sent}`);
        }
        const answer = recovered ? 'recovered' : reason;
        this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
    }

    take(frame) {
        const [kind] = Object.keys(frame);
        if (kind === 'snapshot') {
            this.fold = shownIn(frame.snapshot);
        } else if (kind === 'uiEvent') {
            this.takeEvent(frame.uiEvent);
        } else if (kind === 'error' && frame.error.code !== 'stopping') {
            this.fault(`${frame.error.code}: ${frame.error.message}`);
        }
        this.cursor = frame[kind].cursor ?? this.cursor;
    }

    takeEvent({ eventOrdinal, name, payload }) {
        const ordinal = Number(eventOrdinal);
        if (ordinal !== this.fold.ordinal + 1 || name !== 'Put') {
            this.fault(`${name} ${ordinal} after ${this.fold.ordinal}`);
        }
        this.frames++;
        this.fold.take(ordinal, payload);
    }

    // Waits for @ordinal, or the end of the connection.
    async reach(ordinal) {
        const reached = (async () => {
            while (this.fold.ordinal < ordinal && this.client.ended === undefined) {
                await new Promise((resolve) => { this.wake = resolve; });
            }
        })();
        await within(reached, `event ${ordinal} at the follower of ${this.sessionId}`);
    }

    breakOff() {
        this.client.socket.terminate();
        return this.client.closed;
    }
}
