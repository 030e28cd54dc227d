// Invariant I3: whoever joins, whenever, gets one snapshot and then every frame once, in order.
import { Client, Daemon, argument, check, checkSame, main, request, startInference,
         stopInference } from './harness.mjs';
import { Timeline } from './timeline.mjs';

const session = 'joined';
const clients = Number(argument('clients', process.env.SS_TEST_CLIENTS ?? '200'));
const events = Number(argument('events', process.env.SS_TEST_EVENTS ?? '6000'));
const writers = Number(argument('writers', '4'));
const inFlight = Number(argument('in-flight', '4'));
const v2 = 'sessionstream.v2.json';
const prompt = 'thirty-two bytes of a prompt, so';

// A writer submits again as soon as it is answered; each submit stops the answer before it.
class Writer {
    constructor(client) {
        this.client = client;
        this.accepted = 0n;
        this.unanswered = 0;
        this.refused = [];
        this.done = new Promise((resolve) => { this.resolve = resolve; });
        client.onFrame = (frame) => {
            this.unanswered--;
            if (frame.accepted === undefined) {
                this.refused.push(frame);
            } else if (BigInt(frame.accepted.ordinal) > this.accepted) {
                this.accepted = BigInt(frame.accepted.ordinal);
            }
            this.pump();
        };
    }

    pump() {
        while (this.accepted < BigInt(events) && this.unanswered < inFlight &&
               this.refused.length === 0) {
            this.unanswered++;
            this.client.submit(session, 'ChatStartInference', startInference(prompt));
        }
        if (this.unanswered === 0) {
            this.resolve();
        }
    }
}

class Joiner {
    constructor(client) {
        this.client = client;
        this.timeline = new Timeline();
        this.subscribed = 0;
        this.others = [];
        this.first = null;
        this.arrived = new Promise((resolve) => { this.arrive = resolve; });
        client.onFrame = (frame) => this.take(frame);
    }

    take(frame) {
        this.timeline.take(frame);
        this.first ??= this.timeline.ordinal;
        if (frame.subscribed !== undefined) {
            this.subscribed++;
        } else if (frame.snapshot === undefined && frame.uiEvent === undefined &&
                   frame.activity === undefined) {
            this.others.push(frame);
        }
        if (this.last !== undefined && this.subscribed > 0 && this.timeline.ordinal >= this.last) {
            this.arrive();
        }
    }

    until(ordinal) {
        this.last = ordinal;
        if (this.subscribed > 0 && this.timeline.ordinal >= ordinal) {
            this.arrive();
        }
        return this.arrived;
    }
}

// Every third connection speaks v2.json: both encodings of one session at once.
async function connectAll(port, count) {
    const all = [];
    while (all.length < count) {
        const some = Math.min(20, count - all.length);
        all.push(...await Promise.all(Array.from({ length: some }, (_, i) =>
            Client.connect(port, { protocol: i % 3 === 0 ? v2 : undefined }))));
    }
    return all;
}

// The observer tells when the session reaches an ordinal, and releases the joiners due by then.
function releaseAt(observer, waiting) {
    const take = observer.take.bind(observer);
    observer.client.onFrame = (frame) => {
        take(frame);
        while (waiting.length > 0 && waiting.at(-1).at <= observer.timeline.ordinal) {
            waiting.pop().joiner.client.send({ subscribe: { sessionId: session } });
        }
    };
}

function late(ms, what) {
    let timer;
    const promise = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(what())), ms);
    });
    return { promise, clear: () => clearTimeout(timer) };
}

// Nothing but the deadline of ctest ends a slow run, but a stuck one must say who is stuck.
async function allArrived(joiners, last) {
    const limit = late(120000, () => {
        const missing = joiners.filter((joiner) => joiner.subscribed === 0 ||
                                                   joiner.timeline.ordinal < last);
        return `${missing.length} clients never got to ${last}: ` +
            JSON.stringify(missing.slice(0, 5).map((joiner) =>
                [String(joiner.timeline.ordinal), joiner.subscribed, joiner.client.ended,
                 joiner.others]));
    });
    await Promise.race([Promise.all(joiners.map((joiner) => joiner.until(last))), limit.promise]);
    limit.clear();
}

function judge(joiners, finalText) {
    const bad = (test) => joiners.filter(test).slice(0, 3).map((joiner) => ({
        first: String(joiner.first), snapshots: joiner.timeline.snapshots,
        faults: joiner.timeline.faults.slice(0, 3), others: joiner.others.slice(0, 3) }));
    const none = (name, list) => check(name, list.length === 0, list);
    none('every client got one snapshot', bad((joiner) => joiner.timeline.snapshots !== 1));
    none('every client got N+1, N+2, ... without gap or repeat',
         bad((joiner) => joiner.timeline.faults.length > 0));
    none('every client got one subscribed', bad((joiner) => joiner.subscribed !== 1));
    none('no client got anything else', bad((joiner) => joiner.others.length > 0));
    none('every client knows what the last snapshot says',
         bad((joiner) => joiner.timeline.text() !== finalText));
}

async function joins(gateways) {
    // A queue beyond what all frames take: this is not about slow clients.
    const daemon = await Daemon.start({ flags: ['--client-queue', '1GiB',
        '--gateways', String(gateways), '--app-option', 'chunk_ms=1',
        '--app-option', 'chunk_bytes=4'] });
    const joiners = (await connectAll(daemon.port, clients)).map((client) => new Joiner(client));
    const observer = new Joiner(await Client.connect(daemon.port));
    const waiting = joiners.map((joiner) => ({ joiner,
                                               at: BigInt(Math.floor(Math.random() * events)) }))
        .sort((a, b) => Number(b.at - a.at));
    releaseAt(observer, waiting);
    observer.client.send({ subscribe: { sessionId: session } });
    const writing = (await connectAll(daemon.port, writers)).map((client) => new Writer(client));
    const began = performance.now();
    writing.forEach((writer) => writer.pump());
    await Promise.all(writing.map((writer) => writer.done));
    const seconds = (performance.now() - began) / 1000;
    checkSame('no command was refused', writing.flatMap((writer) => writer.refused), []);
    // Ends the last answer: nothing is published after what this accepts.
    const closing = await Client.connect(daemon.port);
    closing.submit(session, 'ChatStopInference', stopInference);
    await closing.nextOf('accepted');
    const last = new Joiner(await Client.connect(daemon.port));
    last.client.send({ subscribe: { sessionId: session } });
    const end = BigInt(JSON.parse((await request(daemon.port, 'GET',
        `/v1/sessions/${session}/snapshot`)).body).snapshotOrdinal);
    await allArrived([observer, ...joiners, last], end);
    const rate = Math.round(Number(end) / seconds);
    const delivered = joiners.reduce((sum, joiner) => sum + Number(joiner.timeline.ordinal -
                                                                   joiner.first), 0);
    console.log(`        ${end} events, about ${rate} a second; ${clients} joins, ` +
                `${delivered} frames delivered after their snapshots`);
    judge([observer, ...joiners, last], last.timeline.text());
    const snapshots = new Set(joiners.map((joiner) => String(joiner.first)));
    check('the joins were spread over the events', clients < 20 || snapshots.size > clients / 10,
          [...snapshots].join());
    const fresh = new Joiner(await Client.connect(daemon.port, { protocol: v2 }));
    fresh.client.send({ subscribe: { sessionId: session } });
    await allArrived([fresh], end);
    check('another encoding says the same', fresh.timeline.text() === last.timeline.text());
    await daemon.stop();
}

await main({ oneGateway: () => joins(1), twoGateways: () => joins(2) });
