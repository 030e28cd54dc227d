// A client that stops reading is brought up to date by a snapshot and harms nobody.
import { Client, Daemon, check, checkSame, main, request, startInference,
         stopInference, within } from './harness.mjs';
import { Timeline } from './timeline.mjs';

const session = 'slow';
const prompt = 'words '.repeat(500);
const answers = 30;
const framesOfAnswer = 40n;    // at least

class Follower {
    constructor(client) {
        this.client = client;
        this.timeline = new Timeline();
        this.errors = [];
        this.wake = () => {};
        client.onFrame = (frame) => {
            this.timeline.take(frame);
            if (frame.error !== undefined) {
                this.errors.push(frame);
            }
            this.wake();
        };
        client.closed.then(() => this.wake());
    }

    until(ordinal) {
        const reached = async () => {
            while ((this.timeline.ordinal ?? -1n) < ordinal && this.client.ended === undefined) {
                await new Promise((resolve) => { this.wake = resolve; });
            }
        };
        return within(reached(), `frame ${ordinal}`);
    }
}

async function follow(port) {
    const client = await Client.connect(port);
    const follower = new Follower(client);
    client.send({ subscribe: { sessionId: session } });
    await follower.until(0n);
    return follower;
}

async function current(port) {
    const read = await request(port, 'GET', `/v1/sessions/${session}/snapshot`);
    return BigInt(JSON.parse(read.body).snapshotOrdinal);
}

async function resync() {
    const daemon = await Daemon.start({ flags: ['--client-queue', '64KiB', '--app-option',
                                                'chunk_ms=1', '--app-option', 'chunk_bytes=64'] });
    const reader = await follow(daemon.port);
    const slow = await follow(daemon.port);
    slow.client.socket.pause();
    const writer = await Client.connect(daemon.port);
    let finished = 0n;
    for (let i = 0; i < answers; i++) {
        writer.submit(session, 'ChatStartInference', startInference(prompt));
        const { accepted } = await writer.nextOf('accepted');
        finished = BigInt(accepted.ordinal) + framesOfAnswer;
        await reader.until(finished);
    }
    writer.submit(session, 'ChatStopInference', stopInference);
    await writer.nextOf('accepted');
    const end = await current(daemon.port);
    await reader.until(end);
    checkSame('the client that reads got every frame, and one snapshot',
              [reader.timeline.faults, reader.timeline.snapshots, reader.errors], [[], 1, []]);
    check('the slow one is behind', slow.timeline.ordinal < end);
    slow.client.socket.resume();
    await slow.until(end);
    check('the slow one is still connected', slow.client.ended === undefined, slow.client.ended);
    check('it got a new snapshot', slow.timeline.snapshots >= 2, slow.timeline.snapshots);
    checkSame('and no frame twice or out of order', slow.timeline.faults, []);
    check('both know the same', slow.timeline.text() === reader.timeline.text(),
          [slow.timeline.text().slice(0, 600), reader.timeline.text().slice(0, 600)]);
    console.log(`        ${end} events, ${slow.timeline.snapshots} snapshots to the slow client`);
    writer.submit(session, 'ChatStartInference', startInference('after'));
    const { accepted } = await writer.nextOf('accepted');
    await Promise.all([reader, slow].map((one) => one.until(BigInt(accepted.ordinal) + 1n)));
    checkSame('frames go on after that', [slow.timeline.faults, reader.timeline.faults], [[], []]);
    await daemon.stop();
}

await main({ resync });
