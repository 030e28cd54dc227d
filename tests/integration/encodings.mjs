// Text and binary clients of one session: each frame and snapshot is encoded once per encoding.
import { Client, Daemon, check, checkSame, main, startInference } from './harness.mjs';
import { encodedBetween, readMetrics } from './metrics.mjs';
import { decode, chatUpdate, decodeServerFrame, subscribeFrame } from './protobuf.mjs';

const session = 'both';
const prompt = 'words to say '.repeat(20);

const kinds = {
    v1: { connect: {}, subscribe: { subscribe: { sessionId: session } } },
    text: { connect: { protocol: 'sessionstream.v2.json' },
            subscribe: { subscribe: { sessionId: session } } },
    binary: { connect: { protocol: 'sessionstream.v2.protobuf', decode: decodeServerFrame },
              subscribe: subscribeFrame(session) },
};

// A follower that keeps the frames it gets.
async function follow(port, kind) {
    const client = await Client.connect(port, kinds[kind].connect);
    client.send(kinds[kind].subscribe);
    const { snapshot } = await client.nextOf('snapshot');
    await client.nextOf('subscribed');
    return { kind, client, snapshot };
}

// The events of one answer, as [ordinal, name, status of the message].
async function readAnswer({ kind, client }) {
    const events = [];
    for (;;) {
        const { uiEvent } = await client.nextOf('uiEvent');
        const update = kind === 'binary' ? decode(chatUpdate, uiEvent.payload.value)
                                         : uiEvent.payload;
        events.push([uiEvent.eventOrdinal, uiEvent.name, update.status]);
        if (uiEvent.name === 'ChatMessageFinished') {
            return events;
        }
    }
}

async function say(port, followers) {
    const before = await readMetrics(port);
    const writer = await Client.connect(port);
    writer.submit(session, 'ChatStartInference', startInference(prompt));
    const answers = await Promise.all(followers.map(readAnswer));
    const after = await readMetrics(port);
    await writer.close();
    const same = answers.every((answer) => JSON.stringify(answer) === JSON.stringify(answers[0]));
    check('every follower got the same events', same, answers);
    return { events: answers[0].length, counts: encodedBetween(before, after,
                                                               'frames_encoded_total') };
}

async function once() {
    const daemon = await Daemon.start({ flags: ['--app-option', 'chunk_ms=1'] });
    const { port } = daemon;
    const first = await follow(port, 'v1');
    first.client.submit(session, 'ChatStartInference', startInference('first'));
    await readAnswer(first);
    await first.client.close();

    const before = await readMetrics(port);
    const followers = [];
    for (const kind of ['text', 'text', 'text', 'binary', 'binary', 'binary']) {
        followers.push(await follow(port, kind));
    }
    const joined = await readMetrics(port);
    checkSame('six followers cost two snapshots, one in text and one in binary',
              encodedBetween(before, joined, 'snapshots_total'), [0, 1, 1]);
    checkSame('and show the same entities', new Set(followers.map(({ snapshot }) =>
        JSON.stringify(snapshot.entities.map(({ kind, id, lastEventOrdinal }) =>
            [kind, id, lastEventOrdinal])))).size, 1);

    const six = await say(port, followers);
    check('an answer has many events', six.events >= 10, six.events);
    checkSame(`${six.events} events are encoded so often for three text and three binary ones`,
              six.counts, [0, six.events, six.events]);

    followers.push(await follow(port, 'v1'), await follow(port, 'v1'));
    const eight = await say(port, followers);
    checkSame('two more of v1 add one encoding', eight.counts,
              [eight.events, eight.events, eight.events]);
    await daemon.stop();
}

await main({ once });
