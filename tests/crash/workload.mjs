// What is done to a daemon until it dies: writers of many kinds, each of which knows what may be
// stored when it does.
//
//   hot, young, once   commands without a key from several connections, many in flight
//   keyed              commands with an idempotency key, some sent twice at once
//   mortal             filled, deleted, filled again; one request after the other decides
//   import             events with their ordinals, all of a request or none; they lose their first
//   mended             odd events that a broken tally refuses, rebuilds and retries that take them
//   long               so many events that a look at the past leaves a checkpoint
import { Client } from '../integration/harness.mjs';
import { payloadOf, typedPayloadOf } from './fold.mjs';
import { Http } from './http.mjs';
import { lookBack } from './verify.mjs';

const writers = 2;
const inFlight = 32;
const places = 16;
const hotSessions = 6;
const keyedSessions = 3;
const keysMax = 150;
const mortalSessions = 3;
const mendedSessions = 5;
const importEvents = 40;
const longEvents = 9800;
const lookedAt = 8192;     // so many replayed events leave a checkpoint of the past
const longRequest = 700;
const longPlaces = 150;    // with its segments more keys than a flush takes out
const oneInLarge = 300;
const calmMs = 50;
const large = { parts: 16, fillBytes: 80000 };    // more than a log file of this test holds

export class Load {
    // @onAnswer is called with each answer that counts; @broken: the tally is; @past: a long
    // session is imported and looked at as it was; @stopping: the daemon may say that it stops;
    // @calmAfter: after so many answers there is little load, so that sessions do not get long.
    constructor({ port, journal, random, round, followers, broken, past, stopping, calmAfter,
                  onAnswer }) {
        Object.assign(this, { port, journal, random, round, followers, broken, past, stopping,
                              calmAfter });
        this.answers = 0;
        this.onAnswer = () => {
            this.answers++;
            onAnswer();
        };
        this.refused = [];
        this.http = new Http(port);
        this.generation = Math.floor(round / 8);
    }

    // Resolves when the daemon is gone and so are all that talked to it.
    async run() {
        const acting = [this.mortals(), this.imports(), this.mends(), this.closes()];
        for (let i = 0; i < writers; i++) {
            acting.push(this.write());
        }
        acting.push(this.writeKeyed());
        acting.push(...this.followers.map((follower) => this.follow(follower)));
        if (this.past) {
            acting.push(this.lookBack());
        }
        await Promise.all(acting.map((actor) => actor.catch((error) => this.gone(error))));
        this.http.close();
    }

    // The daemon is gone: that is what was wanted. All else is a fault.
    gone(error) {
        const wanted = error.code?.startsWith('ECONN') || error.code === 'EPIPE' ||
                       /connection broke|socket hang up|closed with|before the connection/
                           .test(error.message);
        if (!wanted) {
            this.refused.push(error.stack);
        }
    }

    refuse(answer) {
        if (!this.stopping || answer.code !== 'stopping') {
            this.refused.push(answer);
        }
    }

    async pace() {
        if (this.answers > this.calmAfter) {
            await new Promise((resolve) => { setTimeout(resolve, calmMs); });
        }
    }

    put(session, more = {}) {
        const { random } = this;
        const parts = more.parts ?? (random.once(8) ? 2 + random.below(7) : 1);
        const put = { number: this.journal.next++, parts, place: random.below(places),
                      removes: random.once(16), odd: false,
                      fillBytes: random.below(random.once(8) ? 6000 / parts : 400), ...more };
        put.fillBytes = Math.floor(put.fillBytes);
        this.journal.send(session, put);
        return put;
    }

    // ---- without a key ----

    pickSession() {
        const { random, round } = this;
        const kind = random.below(20);
        const id = kind < 15 ? `hot-${this.generation}-${random.below(hotSessions)}`
                 : kind < 19 ? `young-${round}-${random.below(12)}`
                             : `once-${round}-${random.below(100000)}`;
        return this.journal.session(id, 'open');
    }

    async write() {
        const client = await Client.connect(this.port, { protocol: 'sessionstream.v2.json' });
        const waiting = new Map();
        const submit = () => {
            const session = this.pickSession();
            const put = this.put(session, this.random.once(oneInLarge) ? large : {});
            waiting.set(`r${put.number}`, { session, put });
            client.submit(session.id, 'Put', typedPayloadOf(put), `r${put.number}`);
        };
        client.onFrame = ({ accepted, error }) => {
            const { requestId } = accepted ?? error;
            const { session, put } = waiting.get(requestId);
            waiting.delete(requestId);
            if (accepted !== undefined) {
                this.journal.ack(session, put.number, Number(accepted.ordinal));
            } else {
                this.refuse(error);
            }
            this.onAnswer();
            if (this.refused.length === 0 && error === undefined) {
                this.pace().then(() => client.ended === undefined && submit());
            }
        };
        // Beside the import of a long session there is little else, or it would never end.
        for (let i = 0; i < (this.past ? 1 : inFlight); i++) {
            submit();
        }
        await client.closed;
    }

    // ---- with a key ----

    async writeKeyed() {
        const client = await Client.connect(this.port, { protocol: 'sessionstream.v2.json' });
        const { journal, random } = this;
        let left = keysMax;
        const submit = () => {
            const id = `keyed-${Math.floor(this.round / 4)}-${random.below(keyedSessions)}`;
            const session = journal.session(id, 'keyed');
            const put = this.put(session);
            const key = `key-${put.number}`;
            journal.keys.set(key, { session, put, ordinal: 0 });
            for (let times = random.once(3) ? 2 : 1; times > 0; times--) {
                client.send({ submit: { requestId: key, sessionId: id, name: 'Put',
                                        idempotencyKey: key, payload: typedPayloadOf(put) } });
            }
        };
        client.onFrame = ({ accepted, error }) => {
            if (accepted === undefined) {
                this.refuse(error);
                return;
            }
            const known = journal.keys.get(accepted.requestId);
            const ordinal = Number(accepted.ordinal);
            if (known.ordinal === 0) {
                journal.ackKey(accepted.requestId, ordinal);
                if (left-- > 0 && client.ended === undefined) {
                    submit();
                }
            } else if (known.ordinal !== ordinal) {
                this.refused.push(`${accepted.requestId}: ${known.ordinal}, then ${ordinal}`);
            }
            this.onAnswer();
        };
        submit();
        submit();
        await client.closed;
    }

    // ---- one request after the other ----

    // Sends one command; its answer, if it is none of @allowed, is a fault.
    async command(session, put, allowed = [200]) {
        const answer = await this.http.command(session.id, payloadOf(put));
        if (!allowed.includes(answer.status)) {
            this.refuse({ session: session.id, status: answer.status, ...JSON.parse(answer.text) });
            return null;
        }
        const ordinal = answer.status === 200 ? Number(JSON.parse(answer.text).ordinal) : 0;
        this.journal.ack(session, put.number, ordinal);
        this.onAnswer();
        return ordinal;
    }

    async remove(session) {
        this.journal.remove(session);
        const answer = await this.http.ask('DELETE', `/v1/sessions/${session.id}`);
        if (answer.status !== 200) {
            this.refuse({ session: session.id, status: answer.status, ...JSON.parse(answer.text) });
            return false;
        }
        this.journal.ackRemoval(session);
        this.onAnswer();
        return true;
    }

    async mortals() {
        await Promise.all(Array.from({ length: mortalSessions }, async (_, i) => {
            const session = this.journal.session(`mortal-${i}`, 'mortal');
            for (;;) {
                await this.pace();
                for (let wave = 1 + this.random.below(3); wave > 0; wave--) {
                    const puts = Array.from({ length: 1 + this.random.below(5) },
                                            () => this.put(session));
                    const asked = puts.map((put) => this.command(session, put));
                    const answers = await Promise.all(asked);
                    if (answers.includes(null)) {
                        return;
                    }
                }
                if (!this.random.once(3) && !await this.remove(session)) {
                    return;
                }
            }
        }));
    }

    // ---- imports ----

    // Sends the next @count events behind some that are there already. false: refused.
    async importNext(session, count, more) {
        session.puts ??= [];
        session.answered ??= 0;
        const from = Math.max(1, session.answered - 10);
        const to = session.answered + count;
        while (session.puts.length < to) {
            session.puts.push(this.put(session, { parts: 1, ...more(session.puts.length + 1) }));
        }
        session.asked = to;
        const events = session.puts.slice(from - 1, to).map((put, i) =>
            ({ ordinal: String(from + i), event: 'Put', payload: payloadOf(put) }));
        const answer = await this.http.ask('POST', `/v1/sessions/${session.id}/import`, events);
        if (answer.status !== 200 || Number(JSON.parse(answer.text).ordinal) !== to) {
            this.refuse({ session: session.id, status: answer.status, ...JSON.parse(answer.text) });
            return false;
        }
        for (let ordinal = session.answered + 1; ordinal <= to; ordinal++) {
            this.journal.ack(session, session.puts[ordinal - 1].number, ordinal);
        }
        session.answered = to;
        this.onAnswer();
        return true;
    }

    async imports() {
        const session = this.journal.session(`import-${this.generation}`, 'import');
        while (await this.importNext(session, importEvents, () => ({}))) {
            await this.pace();    // until the daemon is gone
        }
    }

    // ---- the past ----

    async lookBack() {
        const session = this.journal.session('long', 'import');
        const small = (ordinal) => ({ fillBytes: 8, removes: false, place: ordinal % longPlaces });
        if (session.answered >= longEvents) {
            if (!await this.remove(session)) {
                return;
            }
            session.puts = [];
            session.answered = session.asked = 0;
        }
        while ((session.answered ?? 0) < longEvents) {
            if (!await this.importNext(session, longRequest, small)) {
                return;
            }
        }
        for (;;) {
            const faults = await lookBack(this.http, session, lookedAt + this.random.below(200));
            if (faults.length > 0) {
                this.refused.push(...faults);
                return;
            }
            this.onAnswer();
        }
    }

    // ---- out of memory, and back ----

    async closes() {
        for (;;) {
            await this.pace();
            const id = `hot-${this.generation}-${this.random.below(hotSessions)}`;
            const answer = await this.http.ask('POST', `/v1/sessions/${id}/close`);
            if (![200, 404, 409].includes(answer.status)) {
                this.refuse({ close: id, status: answer.status, ...JSON.parse(answer.text) });
                return;
            }
        }
    }

    // ---- rebuilds and retries ----

    async mends() {
        for (;;) {
            for (let i = 0; i < mendedSessions; i++) {
                await this.pace();
                const session = this.journal.session(`mended-${this.generation}-${i}`, 'mended');
                const good = this.broken ? await this.spoil(session) : await this.mend(session);
                if (!good) {
                    return;
                }
            }
        }
    }

    // Half of what is published is refused by the tally, and stored.
    async spoil(session) {
        for (let i = 0; i < 4; i++) {
            const odd = this.random.once(2);
            const put = this.put(session, { odd, refused: odd, parts: 1 });
            if (await this.command(session, put, odd ? [422] : [200]) === null) {
                return false;
            }
        }
        return true;
    }

    async mend(session) {
        if (await this.command(session, this.put(session)) === null) {
            return false;
        }
        const how = this.random.once(2) ? 'rebuild' : 'retry';
        session.mending = session.remade = true;
        const path = `/v1/sessions/${session.id}/${how}?projection=tally`;
        const answer = await this.http.ask('POST', path);
        if (answer.status !== 200) {
            this.refuse({ how, session: session.id, status: answer.status,
                          ...JSON.parse(answer.text) });
            return false;
        }
        this.journal.ackMending(session, Number(JSON.parse(answer.text).ordinal));
        this.onAnswer();
        return true;
    }

    // ---- followers ----

    async follow(follower) {
        while (await follower.connect(this.port) !== null) {
            await follower.reach(follower.fold.ordinal + 1 + this.random.below(400));
            if (follower.client.ended !== undefined) {
                return;
            }
            await follower.breakOff();
        }
    }
}

