// Cursors: connections that break and come back miss nothing and get nothing twice.
import { Client, Daemon, check, checkSame, main, startInference } from './harness.mjs';
import { decodeServerFrame, subscribeFrame } from './protobuf.mjs';
import { Timeline } from './timeline.mjs';

const v2 = { protocol: 'sessionstream.v2.json' };
const session = 'followed';
const prompt = 'words to say '.repeat(20);

// A client that keeps what it knows over its connections, and comes back with its cursor.
class Follower {
    constructor(port) {
        this.port = port;
        this.timeline = new Timeline();
        this.cursor = undefined;
        this.answers = [];
    }

    // Resolves with the subscribed frame.
    async connect(extra = {}) {
        this.client = await Client.connect(this.port, v2);
        const answered = new Promise((resolve) => {
            this.client.onFrame = (frame) => {
                this.timeline.take(frame);
                const [kind] = Object.keys(frame);
                this.cursor = frame[kind].cursor ?? this.cursor;
                if (kind === 'subscribed') {
                    this.answers.push(frame.subscribed);
                    resolve(frame.subscribed);
                } else if (kind === 'error') {
                    resolve(frame);
                }
                this.wake?.();
            };
        });
        this.client.send({ subscribe: { sessionId: session, resume: this.cursor, ...extra } });
        return answered;
    }

    async until(test) {
        while (!test()) {
            await new Promise((resolve) => { this.wake = resolve; });
        }
    }

    breakOff() {
        this.client.socket.terminate();
    }
}

async function say(client, text = prompt) {
    client.submit(session, 'ChatStartInference', startInference(text));
    await client.nextOf('uiEvent', (event) => event.name === 'ChatMessageFinished');
}

async function resume() {
    const daemon = await Daemon.start({ flags: ['--app-option', 'chunk_ms=1'] });
    const follower = new Follower(daemon.port);
    const first = await follower.connect();
    checkSame('a session without events has a cursor too', first, { sessionId: session,
                                                                    cursor: '0:0' });
    const writer = await Client.connect(daemon.port, v2);
    await writer.subscribe(session);
    for (let round = 0; round < 5; round++) {
        follower.breakOff();
        await say(writer);
        const answer = await follower.connect();
        checkSame(`reconnect ${round + 1} is recovered`, answer.recovered, true);
        await say(writer);
    }
    const last = await Client.connect(daemon.port, v2);
    const known = new Timeline().take({ snapshot: await last.subscribe(session) });
    await follower.until(() => follower.timeline.ordinal >= known.ordinal);
    checkSame('one snapshot, no gap and no repeat', [follower.timeline.snapshots,
                                                     follower.timeline.faults], [1, []]);
    check('it knows what the session is', follower.timeline.text() === known.text());

    const { cursor } = follower;
    const [epoch, ordinal] = cursor.split(':');
    const ask = async (client, resumeFrom) => {
        client.send({ subscribe: { sessionId: session, resume: resumeFrom } });
        const answer = await client.nextOf('subscribed');
        return [answer.subscribed.recovered ?? false, answer.subscribed.reason ?? ''];
    };
    checkSame('at the present place', await ask(await Client.connect(daemon.port, v2), cursor),
              [true, '']);
    for (const [reason, from] of [['stale_epoch', `${BigInt(epoch) - 1n}:${ordinal}`],
                                  ['ahead', `${epoch}:${BigInt(ordinal) + 1n}`],
                                  ['too_old', `${epoch}:1`],
                                  ['live_unknown', `${cursor}.4~77`]]) {
        checkSame(`a cursor that is ${reason}`,
                  await ask(await Client.connect(daemon.port, v2), from), [false, reason]);
    }
    last.send({ subscribe: { sessionId: session, resume: 'yesterday' } });
    const { error } = await last.nextOf('error');
    check('a malformed one is an error that names the field', error.code === 'invalid_argument' &&
          error.message.includes('"resume"') && error.sessionId === session, error);
    check('and the connection survives', await last.alive());
    const binary = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.protobuf',
                                                       decode: decodeServerFrame });
    binary.send(subscribeFrame(session, { resume: cursor }));
    checkSame('protobuf clients resume too', await binary.next(),
              { subscribed: { sessionId: session, cursor, recovered: true } });
    const strict = await Client.connect(daemon.port);
    strict.send({ subscribe: { sessionId: session, resume: cursor } });
    checkSame('one of v1 that uses it gets its answer', await strict.next(),
              { subscribed: { sessionId: session, cursor, recovered: true } });
    await daemon.stop();
}

async function restart() {
    let daemon = await Daemon.start({ flags: ['--app-option', 'chunk_ms=1'] });
    const { port, dir } = daemon;
    const follower = new Follower(port);
    await follower.connect();
    const writer = await Client.connect(port, v2);
    await writer.subscribe(session);
    await say(writer);
    const last = await Client.connect(port, v2);
    const known = new Timeline().take({ snapshot: await last.subscribe(session) });
    await follower.until(() => follower.timeline.ordinal >= known.ordinal);
    await daemon.kill();
    daemon = await Daemon.start({ port, dir, flags: ['--app-option', 'chunk_ms=1'] });
    checkSame('a cursor at the end survives a crash', (await follower.connect()).recovered, true);
    const again = await Client.connect(port, v2);
    await again.subscribe(session);
    await say(again);
    const end = new Timeline().take({ snapshot: await (await Client.connect(port, v2))
        .subscribe(session) });
    await follower.until(() => follower.timeline.ordinal >= end.ordinal);
    checkSame('one snapshot over both processes', [follower.timeline.snapshots,
                                                   follower.timeline.faults], [1, []]);
    await daemon.stop();
}

async function activity() {
    const daemon = await Daemon.start({ flags: ['--app-option', 'chunk_ms=10000'] });    // it lasts
    const client = await Client.connect(daemon.port, v2);
    await client.subscribe(session);
    client.submit(session, 'ChatStartInference', startInference('long '.repeat(100)));
    checkSame('followers hear that it works', (await client.nextOf('activity')).activity,
              { sessionId: session, running: true });
    const other = await Client.connect(daemon.port, v2);
    check('a snapshot says so', (await other.subscribe(session)).running === true);
    client.submit(session, 'ChatStopInference',
                  { '@type': 'type.googleapis.com/sessionstream.examples.chatdemo.v1.' +
                             'StopInferenceCommand' });
    checkSame('and that it does no more', (await other.nextOf('activity')).activity,
              { sessionId: session });
    await daemon.stop();
}

await main({ resume, restart, activity });
