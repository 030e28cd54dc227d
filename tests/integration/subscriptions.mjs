// Many subscriptions of one connection: what happens to one disturbs no other.
import fs from 'node:fs';
import path from 'node:path';
import { Client, Daemon, check, checkSame, main, startInference } from './harness.mjs';

const v2 = { protocol: 'sessionstream.v2.json' };
const limit = 256;
const name = (i) => `many-${i}`;
const finished = (event) => event.name === 'ChatMessageFinished';

// Submits to each session and collects the ordinals of its frames up to the end of the answer.
async function speakToAll(client, sessions) {
    const ordinals = new Map(sessions.map((session) => [session, []]));
    let open = sessions.length;
    for (const session of sessions) {
        client.submit(session, 'ChatStartInference', startInference(`to ${session}`));
    }
    while (open > 0) {
        const { uiEvent } = await client.nextOf('uiEvent');
        ordinals.get(uiEvent.sessionId)?.push(Number(uiEvent.eventOrdinal));
        open -= ordinals.has(uiEvent.sessionId) && finished(uiEvent);
    }
    return ordinals;
}

const isRow = (ordinals) => ordinals.length > 0 &&
    ordinals.every((ordinal, i) => i === 0 || ordinal === ordinals[i - 1] + 1);

// Each of the sessions delivers every frame of one more answer.
async function checkLive(what, client, sessions) {
    const ordinals = await speakToAll(client, sessions);
    const broken = sessions.filter((session) => !isRow(ordinals.get(session)));
    checkSame(what, broken, []);
}

async function many() {
    const daemon = await Daemon.start({ flags: ['--app-option', 'chunk_ms=1'] });
    const client = await Client.connect(daemon.port, v2);
    const sessions = Array.from({ length: limit }, (_, i) => name(i));
    for (const sessionId of sessions) {
        client.send({ subscribe: { sessionId } });
    }
    const answers = await client.take('subscribed', limit);
    checkSame('256 subscribes are answered, each for its session',
              answers.map((answer) => answer.subscribed.sessionId).sort(), [...sessions].sort());
    client.send({ subscribe: { sessionId: 'one-too-many' } });
    const { error } = await client.nextOf('error');
    checkSame('the next is refused', [error.code, error.sessionId],
              ['too_many_subscriptions', 'one-too-many']);
    check('by a message that names the limit', error.message.includes(`at most ${limit} sessions`),
          error.message);
    await checkLive('all of them are live', client, sessions);

    client.send({ unsubscribe: { sessionId: 'unknown' } });
    checkSame('leaving an unknown one is answered', await client.nextOf('unsubscribed'),
              { unsubscribed: { sessionId: 'unknown' } });
    client.send({ subscribe: { sessionId: name(7) } });
    await client.nextOf('snapshot');
    checkSame('a followed one can be subscribed to at the limit',
              (await client.nextOf('subscribed')).subscribed.sessionId, name(7));
    client.send({ unsubscribe: { sessionId: name(0) } });
    await client.nextOf('unsubscribed');
    client.send({ subscribe: { sessionId: 'one-too-many' } });
    checkSame('one that left makes room for another',
              (await client.nextOf('subscribed')).subscribed.sessionId, 'one-too-many');
    await checkLive('and still all are live', client, [...sessions.slice(1), 'one-too-many']);
    client.submit(name(0), 'ChatStartInference', startInference('unheard'));
    client.submit(name(1), 'ChatStartInference', startInference('heard'));
    const heard = new Set();
    for (let done = 0; done < 2;) {
        const frame = await client.next();
        heard.add(frame.uiEvent?.sessionId);
        done += frame.accepted?.sessionId === name(0);
        done += frame.uiEvent?.sessionId === name(1) && finished(frame.uiEvent);
    }
    check('the one that left brings nothing', heard.has(name(1)) && !heard.has(name(0)));
    await daemon.stop();
}

// Subscribing again and again while an answer is written: the old subscription brings frames until
// the new one's snapshot, which shows them.
async function again() {
    const daemon = await Daemon.start({ flags: ['--app-option', 'chunk_ms=2'] });
    const client = await Client.connect(daemon.port, v2);
    await client.subscribe('s');
    await client.nextOf('subscribed');
    client.submit('s', 'ChatStartInference', startInference('words '.repeat(200)));
    let reached = 0;
    let asked = 0;
    let answers = 0;
    let snapshots = 0;
    let faults = 0;
    let answered = 0;    // a subscribe that follows another before its answer replaces it
    for (let done = false; !done || answered < asked;) {
        const frame = await client.next();
        if (frame.uiEvent !== undefined) {
            faults += Number(frame.uiEvent.eventOrdinal) !== reached + 1;
            reached = Number(frame.uiEvent.eventOrdinal);
            done = finished(frame.uiEvent);
            if (reached % 5 === 0) {
                asked++;
                client.send({ subscribe: { sessionId: 's', sinceSnapshotOrdinal: asked } });
            }
        } else if (frame.snapshot !== undefined) {
            reached = Number(frame.snapshot.snapshotOrdinal ?? 0);
            snapshots++;
        } else if (frame.subscribed !== undefined) {
            answered = Number(frame.subscribed.sinceSnapshotOrdinal);
            answers++;
        }
    }
    check('there were several subscribes', asked >= 3, asked);
    checkSame('each snapshot has its answer', snapshots, answers);
    checkSame('no frame is missing between them', faults, 0);
    await daemon.stop();
}

// Changes a byte of what the stopped store holds of an answer, so that its session is set aside.
function spoil(dir, text) {
    const files = fs.readdirSync(dir, { recursive: true })
        .map((file) => path.join(dir, file))
        .filter((file) => /data\.mdb$|log-\d+$/.test(file));
    let spoiled = 0;
    for (const file of files) {
        const bytes = fs.readFileSync(file);
        for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
            bytes[at] ^= 1;
            spoiled++;
        }
        fs.writeFileSync(file, bytes);
    }
    return spoiled;
}

async function failing() {
    const first = await Daemon.start({ flags: ['--app-option', 'chunk_ms=1'] });
    const writer = await Client.connect(first.port, v2);
    await writer.subscribe('damaged');
    writer.submit('damaged', 'ChatStartInference', startInference('Something to be damaged'));
    await writer.nextOf('uiEvent', finished);
    await first.kill();
    check('there was something to damage', spoil(first.dir, 'Something to be') > 0);

    const daemon = await Daemon.start({ dir: first.dir, flags: ['--app-option', 'chunk_ms=1'] });
    const client = await Client.connect(daemon.port, v2);
    const sessions = ['a', 'b', 'c'];
    for (const sessionId of sessions) {
        client.send({ subscribe: { sessionId } });
    }
    await client.take('subscribed', sessions.length);
    for (let i = 0; i < 3; i++) {
        client.send({ subscribe: { sessionId: 'damaged' } });
        const { error } = await client.nextOf('error');
        checkSame('a snapshot that fails is an error of that session alone',
                  [error.code, error.detail, error.sessionId],
                  ['protocol_error', 'store_corrupt', 'damaged']);
    }
    await checkLive('the other subscriptions are live', client, sessions);
    client.send({ unsubscribe: { sessionId: 'damaged' } });
    checkSame('nothing is left of the failed one', await client.nextOf('unsubscribed'),
              { unsubscribed: { sessionId: 'damaged' } });
    await daemon.stop();
}

await main({ many, again, failing });
