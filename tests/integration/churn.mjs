// Clients that follow, leave, follow again and vanish at random moments, several sessions each.
import fs from 'node:fs';

import { Client, Daemon, argument, check, checkSame, main, request, startInference, underAll,
         within } from './harness.mjs';
import { Timeline } from './timeline.mjs';

const clients = Number(argument('clients', process.env.SS_TEST_CHURN_CLIENTS ?? '40'));
const sessions = ['churn-a', 'churn-b', 'churn-c'];
const changes = 100;
const prompt = 'something to say while they come and go';

// Keeps one session in motion until told to stop.
async function keepSaying(port, sessionId, state) {
    const client = await Client.connect(port);
    await client.subscribe(sessionId);
    while (!state.stop) {
        client.submit(sessionId, 'ChatStartInference', startInference(prompt));
        await client.nextOf('uiEvent', (event) => event.name === 'ChatMessageFinished');
    }
    await client.close();
}

// One subscription as the client sees it. A subscribe that follows another before its answer
// replaces it, so each carries a number, which subscribed echoes as sinceSnapshotOrdinal.
class Follow {
    constructor() {
        this.timeline = null;
        this.number = 0;        // of the last subscribe
        this.answered = 0;
        this.leaving = 0;       // unsubscribed frames to come
        this.faults = [];
    }

    get settled() {
        return this.leaving === 0 && (this.number === 0 || this.answered === this.number);
    }

    endTimeline() {
        this.faults.push(...this.timeline?.faults ?? []);
        this.timeline = null;
    }

    take(kind, frame) {
        if (kind === 'snapshot') {
            this.endTimeline();
            this.timeline = new Timeline().take(frame);
        } else if (kind === 'uiEvent') {
            if (this.timeline === null) {
                this.faults.push(`frame ${frame.uiEvent.eventOrdinal} while not subscribed`);
            } else {
                this.timeline.take(frame);
            }
        } else if (kind === 'unsubscribed') {
            this.leaving--;
            this.endTimeline();
        } else if (kind === 'subscribed') {
            this.answered = Number(frame.subscribed.sinceSnapshotOrdinal);
            if (this.timeline === null) {
                this.faults.push('subscribed without snapshot');
            }
        }
    }
}

const pick = (list) => list[Math.floor(Math.random() * list.length)];

class Restless {
    constructor(port) {
        this.port = port;
        this.number = 0;
        this.errors = [];
        this.faults = [];
        this.progress = () => {};
    }

    async connect() {
        this.follows = new Map(sessions.map((sessionId) => [sessionId, new Follow()]));
        const protocol = pick([undefined, 'sessionstream.v2.json']);
        this.client = await Client.connect(this.port, { protocol });
        this.client.onFrame = (frame) => {
            const [kind] = Object.keys(frame);
            const follow = this.follows.get(frame[kind].sessionId);
            if (kind === 'error' || follow === undefined) {
                this.errors.push(frame);
            } else {
                follow.take(kind, frame);
            }
            this.progress();
        };
    }

    subscribe(sessionId) {
        const follow = this.follows.get(sessionId);
        follow.number = ++this.number;
        this.client.send({ subscribe: { sessionId, sinceSnapshotOrdinal: follow.number } });
    }

    unsubscribe(sessionId) {
        const follow = this.follows.get(sessionId);
        follow.number = 0;
        follow.leaving++;
        this.client.send({ unsubscribe: { sessionId } });
    }

    keepFaults() {
        for (const [sessionId, follow] of this.follows) {
            const all = [...follow.faults, ...(follow.timeline?.faults ?? [])];
            this.faults.push(...all.map((fault) => `${sessionId}: ${fault}`));
        }
    }

    settled(test) {
        const done = async () => {
            while (this.client.ended === undefined &&
                   !([...this.follows.values()].every(test))) {
                await new Promise((resolve) => { this.progress = resolve; });
            }
        };
        return within(done(), 'answers').catch(() => {
            const left = [...this.follows].map(([id, f]) => [id, f.number, f.answered,
                                                             f.leaving,
                                                             String(f.timeline?.ordinal)]);
            throw new Error(`answers are missing: ${JSON.stringify(left)} ${
                JSON.stringify(this.client.ended)} ${JSON.stringify(this.errors.slice(0, 3))}`);
        });
    }

    async run() {
        await this.connect();
        for (let i = 0; i < changes; i++) {
            const what = Math.random();
            if (what < 0.1) {
                this.keepFaults();
                this.client.socket.terminate();
                await this.connect();
            } else {
                this[what < 0.7 ? 'subscribe' : 'unsubscribe'](pick(sessions));
            }
            if (Math.random() < 0.5) {
                await this.settled((follow) => follow.settled);
            }
        }
        sessions.forEach((sessionId) => this.subscribe(sessionId));
        await this.settled((follow) => follow.settled);
    }
}

async function churn() {
    const daemon = await Daemon.start({ flags: ['--client-queue', '64MiB', '--gateways', '2',
        '--app-option', 'chunk_ms=1', '--app-option', 'chunk_bytes=4'] });
    const state = { stop: false };
    const saying = sessions.map((sessionId) => keepSaying(daemon.port, sessionId, state));
    const all = Array.from({ length: clients }, () => new Restless(daemon.port));
    await Promise.all(all.map((one) => one.run()));
    state.stop = true;
    await Promise.all(saying);
    const ends = new Map();
    const texts = new Map();
    for (const sessionId of sessions) {
        const read = await request(daemon.port, 'GET', `/v1/sessions/${sessionId}/snapshot`);
        const timeline = new Timeline().take({ snapshot: JSON.parse(read.body) });
        ends.set(sessionId, timeline.ordinal);
        texts.set(sessionId, timeline.text());
    }
    for (const one of all) {
        await one.settled((follow) => follow.settled);
        for (const [sessionId, follow] of one.follows) {
            await one.settled(() => follow.timeline.ordinal >= ends.get(sessionId));
        }
        one.keepFaults();
    }
    checkSame('no gap, no repeat, no frame of a session not followed',
              all.flatMap((one) => one.faults), []);
    checkSame('no error', all.flatMap((one) => one.errors), []);
    checkSame('every connection survived', all.map((one) => one.client.ended ?? null)
        .filter((ended) => ended !== null), []);
    check('all know the same in the end', all.every((one) => sessions.every((sessionId) =>
        one.follows.get(sessionId).timeline.text() === texts.get(sessionId))));
    console.log(`        ${clients} clients, ${changes} changes each, ${
        [...ends.values()].join(' + ')} events`);
    await daemon.stop();
}

// The table of descriptors is large enough before they come: to grow it, the kernel makes everybody
// wait whom the thread that accepts serves.
async function descriptors() {
    const daemon = await Daemon.start({ flags: ['--connections', '1500'] });
    const status = fs.readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8');
    const slots = Number(/FDSize:\s*(\d+)/.exec(status)[1]);
    const allowed = Number(/Max open files\s+(\d+)/.exec(
        fs.readFileSync(`/proc/${daemon.child.pid}/limits`, 'utf8'))?.[1] ?? Infinity);
    check('there are slots for all connections', slots >= Math.min(1500, allowed), `${slots}`);
    await daemon.stop();
}

await main({ churn, ...(underAll.length === 0 && { descriptors }) });
