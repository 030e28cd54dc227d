// The mixed work of a soak: each kind does one thing at a time, waits for its answer and checks it.
import crypto from 'node:crypto';

import { Client, RawSocket, request } from '../integration/harness.mjs';

const type = 'type.googleapis.com/sessionstream.apps.bench.v1.BenchPublishCommand';
const keysMax = 500;          // of one session; more than 1,024 would go before their time
const pastsMax = 200;

export class Work {
    // @hot: sessions that others write to all the while. @fault(text) is told what went wrong.
    constructor({ port, entities, hot, random, fault }) {
        Object.assign(this, { port, entities, hot, random, fault });
        this.events = 0;      // that were accepted
        this.replays = 0;
        this.done = {};       // by kind
        this.keys = new Map();
        this.pasts = new Map();
        this.number = 0;
    }

    kinds() {
        return ['keyed', 'life', 'past', 'pages', 'rebuild', 'close', 'comeback', 'silent',
                'garbage', 'half'];
    }

    // One thing of a kind. Never rejects.
    async once(kind) {
        try {
            await this[kind]();
            this.done[kind] = (this.done[kind] ?? 0) + 1;
        } catch (error) {
            this.fault(`${kind}: ${error.message}`);
        }
    }

    http(method, path, body, headers) {
        return request(this.port, method, path, body, headers);
    }

    expect(what, answer, ...statuses) {
        if (!statuses.includes(answer.status)) {
            throw new Error(`${what} was answered with ${answer.status} ${answer.body}`);
        }
        return answer.body === '' ? {} : JSON.parse(answer.body);
    }

    command(sessionId, entity) {
        const payload = Buffer.alloc(1 + this.random(2000), entity).toString('base64');
        const body = JSON.stringify({ payload, sentNs: '1', entity });
        return this.http('POST', `/v1/sessions/${sessionId}/commands/BenchPublish`, body);
    }

    async submit(sessionId, wanted) {
        const sent = await this.command(sessionId, this.random(this.entities));
        const answer = this.expect('a command', sent, 200);
        this.events++;
        if (wanted !== undefined && answer.ordinal !== `${wanted}`) {
            throw new Error(`event ${wanted} of ${sessionId} has the ordinal ${answer.ordinal}`);
        }
        return Number(answer.ordinal);
    }

    pickHot() {
        return this.hot[this.random(this.hot.length)];
    }

    // Commands with keys, every third one sent again.
    async keyed() {
        const known = [...this.keys.keys()];
        if (known.length > 0 && this.random(3) === 0) {
            const key = known[this.random(known.length)];
            const { entity, body, ordinal } = this.keys.get(key);
            const answer = await this.http('POST', '/v1/sessions/soak-keyed/commands/BenchPublish',
                                           body, { 'Idempotency-Key': key });
            this.replays++;
            if (this.expect('a repeated command', answer, 200).ordinal !== ordinal ||
                answer.headers['idempotency-replayed'] !== 'true') {
                throw new Error(`${key} of entity ${entity} ran twice: ${answer.body}`);
            }
            return;
        }
        const key = `key-${++this.number}`;
        const entity = this.random(this.entities);
        const body = JSON.stringify({ payload: '', sentNs: '1', entity });
        const answer = await this.http('POST', '/v1/sessions/soak-keyed/commands/BenchPublish',
                                       body, { 'Idempotency-Key': key });
        const { ordinal } = this.expect('a keyed command', answer, 200);
        this.events++;
        this.keys.set(key, { entity, body, ordinal });
        if (this.keys.size > keysMax) {
            this.keys.delete(known[0]);
        }
    }

    // A session that is written, followed, deleted, and begins with 1 again.
    async life() {
        const sessionId = `soak-life-${this.random(50)}`;
        const client = await Client.connect(this.port, { protocol: 'sessionstream.v2.json' });
        const { snapshotOrdinal = '0' } = await client.subscribe(sessionId);
        let ordinal = Number(snapshotOrdinal);
        for (let i = this.random(4); i >= 0; i--) {
            await this.submit(sessionId, ++ordinal);
        }
        const deleted = await this.http('DELETE', `/v1/sessions/${sessionId}`);
        this.expect('a deletion', deleted, 200);
        const { error } = await client.nextOf('error');
        if (error.code !== 'session_deleted') {
            throw new Error(`a follower was told ${JSON.stringify(error)}`);
        }
        await this.submit(sessionId, 1);
        await client.close();
    }

    async ordinalOf(sessionId) {
        const read = await this.http('GET', `/v1/sessions/${sessionId}/events?limit=1`);
        return read.status === 404 ? 0 : Number(this.expect('a page', read, 200).ordinal);
    }

    // What a session showed after an event is always the same.
    async past() {
        const sessionId = this.pickHot();
        const known = [...this.pasts.keys()].filter((key) => key.startsWith(`${sessionId} `));
        const again = known.length > 0 && this.random(2) === 0;
        const newest = again ? 0 : await this.ordinalOf(sessionId);
        if (!again && newest === 0) {
            return;
        }
        const at = again ? known[this.random(known.length)].split(' ')[1]
                         : 1 + this.random(newest);
        const read = await this.http('GET', `/v1/sessions/${sessionId}/snapshot?at=${at}`);
        const snapshot = this.expect('a snapshot of the past', read, 200);
        if (snapshot.snapshotOrdinal !== `${at}`) {
            throw new Error(`the snapshot as of ${at} is of ${snapshot.snapshotOrdinal}`);
        }
        const digest = crypto.createHash('sha256').update(read.body).digest('hex');
        const key = `${sessionId} ${at}`;
        if (this.pasts.has(key) && this.pasts.get(key) !== digest) {
            throw new Error(`the snapshot of ${sessionId} as of ${at} is another one now`);
        }
        if (this.pasts.size < pastsMax) {
            this.pasts.set(key, digest);
        }
    }

    async pages() {
        const sessionId = this.pickHot();
        const newest = await this.ordinalOf(sessionId);
        const after = this.random(newest + 1);
        const read = await this.http('GET',
                                     `/v1/sessions/${sessionId}/events?after=${after}&limit=200`);
        if (newest === 0) {
            return;
        }
        const { events } = this.expect('a page of events', read, 200);
        events.forEach((event, i) => {
            if (event.ordinal !== `${after + 1 + i}`) {
                throw new Error(`event ${event.ordinal} of ${sessionId} stands at ${after + 1 + i}`);
            }
        });
    }

    async rebuild() {
        const sessionId = this.pickHot();
        if (await this.ordinalOf(sessionId) > 0) {
            this.expect('a rebuild',
                        await this.http('POST', `/v1/sessions/${sessionId}/rebuild`), 200);
        }
    }

    async close() {
        const sessionId = `soak-life-${this.random(50)}`;
        this.expect('a close', await this.http('POST', `/v1/sessions/${sessionId}/close`),
                    200, 404, 409);
    }

    // Follows, vanishes without goodbye, comes back with its cursor.
    async comeback() {
        const sessionId = this.pickHot();
        const first = await Client.connect(this.port, { protocol: 'sessionstream.v2.json' });
        first.send({ subscribe: { sessionId } });
        const { subscribed } = await first.nextOf('subscribed');
        first.socket.terminate();
        const second = await Client.connect(this.port, { protocol: 'sessionstream.v2.json' });
        second.send({ subscribe: { sessionId, resume: subscribed.cursor } });
        const [epoch, from] = subscribed.cursor.split(':').map(BigInt);
        let ordinal = from;
        for (;;) {
            const frame = await second.next();
            if (frame.error !== undefined) {
                throw new Error(`${frame.error.code}: ${frame.error.message}`);
            } else if (frame.snapshot !== undefined) {
                ordinal = BigInt(frame.snapshot.snapshotOrdinal ?? '0');
            } else if (frame.uiEvent !== undefined) {
                if (BigInt(frame.uiEvent.eventOrdinal) !== ordinal + 1n) {
                    throw new Error(`frame ${frame.uiEvent.eventOrdinal} after ${ordinal}`);
                }
                ordinal++;
            } else if (frame.subscribed !== undefined) {
                // A session has an epoch from its first event on.
                if (epoch !== 0n && BigInt(frame.subscribed.cursor.split(':')[0]) !== epoch) {
                    throw new Error('the epoch has changed');
                }
                break;
            }
        }
        second.socket.terminate();
    }

    // Follows all hot sessions and reads nothing more for a while.
    async silent() {
        const client = await Client.connect(this.port, { protocol: 'sessionstream.v2.json' });
        for (const sessionId of this.hot) {
            client.send({ subscribe: { sessionId } });
        }
        await client.nextOf('subscribed');
        client.socket.pause();
        for (let i = 0; i < 20; i++) {
            await this.pages();
        }
        client.socket.terminate();
    }

    async garbage() {
        const raw = await RawSocket.connect(this.port);
        raw.write(crypto.randomBytes(1 + this.random(4000)));
        raw.write('\r\n\r\n');
        await raw.untilEnd();
    }

    // Half a request, and gone.
    async half() {
        const raw = await RawSocket.connect(this.port);
        raw.write('POST /v1/sessions/s/commands/BenchPublish HTTP/1.1\r\nHost: x\r\n' +
                  'Content-Length: 999\r\n\r\n{');
        await this.pages();
        raw.close();
    }
}
