// The chat application from a client's view: exact frames, followers, stop, crash and return.
import { Client, Daemon, chatTypes, check, checkSame, main, request,
         startInference, stopInference } from './harness.mjs';
import { chatUpdate, decode, decodeServerFrame, subscribeFrame,
         submitFrame } from './protobuf.mjs';
import { join } from './timeline.mjs';

const session = 's-1';
const prompt = 'Explain ordinals';
const answer = `Answer: ${prompt}`;

function uiEvent(ordinal, name, members) {
    return { uiEvent: { sessionId: session, eventOrdinal: String(ordinal), name,
                        payload: { '@type': `${chatTypes}ChatMessageUpdate`, ...members,
                                   ordinal: String(ordinal) } } };
}

function appended(ordinal, chunk, text) {
    return uiEvent(ordinal, 'ChatMessageAppended',
                   { messageId: 'chat-msg-1', role: 'assistant', chunk, text, content: text,
                     status: 'streaming', streaming: true });
}

const wantEvents = [
    uiEvent(1, 'ChatMessageAccepted', { messageId: 'chat-msg-1-user', role: 'user', text: prompt,
                                        content: prompt }),
    uiEvent(2, 'ChatMessageStarted', { messageId: 'chat-msg-1', role: 'assistant', prompt,
                                       status: 'streaming', streaming: true }),
    appended(3, 'Answer: Ex', 'Answer: Ex'),
    appended(4, 'plain ordi', 'Answer: Explain ordi'),
    appended(5, 'nals', answer),
    uiEvent(6, 'ChatMessageFinished', { messageId: 'chat-msg-1', role: 'assistant', text: answer,
                                        content: answer, status: 'finished' }),
];

function wantEntity(id, created, last, members) {
    return { kind: 'ChatMessage', id, createdOrdinal: String(created),
             lastEventOrdinal: String(last),
             payload: { '@type': `${chatTypes}ChatMessageEntity`, messageId: id, ...members } };
}

const wantEntities = [
    wantEntity('chat-msg-1-user', 1, 1, { role: 'user', text: prompt, content: prompt }),
    wantEntity('chat-msg-1', 2, 6, { role: 'assistant', prompt, text: answer, content: answer,
                                     status: 'finished' }),
];

// Slower than the 100 ms for which a subscribe may be answered by an older snapshot and the
// frames after it, so that a snapshot taken after an answer is a new one.
const calm = ['--app-option', 'chunk_ms=50'];

// An answer of two kilobytes takes twenty seconds: what happens in it comes before its end.
const lasting = ['--app-option', 'chunk_ms=100'];

async function contract() {
    const daemon = await Daemon.start({ flags: calm });
    const first = await Client.connect(daemon.port);
    const second = await Client.connect(daemon.port, { path: '/any/path?of=all' });
    const kept = ['hello', 'connectionId'];
    checkSame('hello has a connection id and nothing else',
              [Object.keys(first.hello)[0], ...Object.keys(first.hello.hello)], kept);
    check('connection ids differ', first.hello.hello.connectionId !== '' &&
          first.hello.hello.connectionId !== second.hello.hello.connectionId);
    for (const client of [first, second]) {
        client.send({ subscribe: { sessionId: session } });
        checkSame('a session without events has an empty snapshot', await client.next(),
                  { snapshot: { sessionId: session } });
        checkSame('subscribed follows the snapshot', await client.next(),
                  { subscribed: { sessionId: session } });
    }
    first.submit(session, 'ChatStartInference', startInference(prompt), 'r-1');
    const firstFrames = [];
    while (firstFrames.length < 7) {
        firstFrames.push(await first.next());
    }
    checkSame('the submitter sees six frames', firstFrames.filter((f) => f.uiEvent), wantEvents);
    checkSame('accepted names the last ordinal of the handler',
              firstFrames.filter((f) => f.accepted),
              [{ accepted: { requestId: 'r-1', sessionId: session, ordinal: '2' } }]);
    checkSame('a second follower sees the same, and no accepted', [
        await second.next(), await second.next(), await second.next(), await second.next(),
        await second.next(), await second.next()], wantEvents);
    const late = await Client.connect(daemon.port, { protocol: 'sessionstream.v1.json' });
    check('v1.json is agreed', late.socket.protocol === 'sessionstream.v1.json');
    late.send({ subscribe: { sessionId: session, sinceSnapshotOrdinal: '42' } });
    checkSame('a late joiner gets two entities at ordinal 6', await late.next(),
              { snapshot: { sessionId: session, snapshotOrdinal: '6', entities: wantEntities } });
    checkSame('since is echoed', await late.next(),
              { subscribed: { sessionId: session, sinceSnapshotOrdinal: '42' } });
    first.send({ unsubscribe: { sessionId: session } });
    checkSame('unsubscribed', await first.next(), { unsubscribed: { sessionId: session } });
    first.submit(session, 'ChatStartInference', startInference('x'));
    await second.nextOf('uiEvent', (event) => event.name === 'ChatMessageFinished');
    await first.nextOf('accepted');
    first.send({ ping: { nonce: 'n' } });
    checkSame('nothing comes after unsubscribed', await first.next(), { pong: { nonce: 'n' } });
    await daemon.stop();
}

async function additions() {
    const daemon = await Daemon.start({ flags: calm });
    const json = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.json' });
    const binary = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.protobuf',
                                                       decode: decodeServerFrame });
    check('v2 protocols are agreed', json.socket.protocol === 'sessionstream.v2.json' &&
          binary.socket.protocol === 'sessionstream.v2.protobuf');
    await json.subscribe(session);
    binary.send(subscribeFrame(session));
    checkSame('empty snapshot in protobuf', await binary.next(),
              { snapshot: { sessionId: session, cursor: '0:0' } });
    checkSame('subscribed in protobuf', await binary.next(),
              { subscribed: { sessionId: session, cursor: '0:0' } });
    const before = BigInt(Date.now()) * 1000n - 1000n;
    binary.send(submitFrame({ requestId: 'b', sessionId: session, name: 'ChatStartInference',
                              typeUrl: `${chatTypes}StartInferenceCommand`,
                              value: Buffer.from([10, prompt.length, ...Buffer.from(prompt)]) }));
    const jsonEvents = (await json.take('uiEvent', 6)).map((frame) => frame.uiEvent);
    const after = BigInt(Date.now()) * 1000n + 1000n;
    checkSame('v2.json has the contract members first', jsonEvents.map((event) => {
        const { sessionId, eventOrdinal, name, payload } = event;
        return { uiEvent: { sessionId, eventOrdinal, name, payload } };
    }), wantEvents);
    checkSame('v2.json adds epoch, last, timeUs and cursor; index 0 is omitted',
              jsonEvents.map((event) => Object.keys(event).slice(4)),
              jsonEvents.map(() => ['epoch', 'last', 'timeUs', 'cursor']));
    checkSame('a cursor names epoch and ordinal', jsonEvents.map((event) => event.cursor),
              jsonEvents.map((event) => `${event.epoch}:${event.eventOrdinal}`));
    check('all have one epoch, digits, not 0', /^[1-9]\d*$/.test(jsonEvents[0].epoch) &&
          jsonEvents.every((event) => event.epoch === jsonEvents[0].epoch));
    check('the only frame of an event is its last', jsonEvents.every((e) => e.last === true));
    check('timeUs is the time of publishing, rising', jsonEvents.every((event, i) =>
        BigInt(event.timeUs) >= before && BigInt(event.timeUs) <= after &&
        (i === 0 || BigInt(event.timeUs) >= BigInt(jsonEvents[i - 1].timeUs))), jsonEvents);
    const frames = [];
    while (frames.length < 9) {
        frames.push(await binary.next());
    }
    checkSame('activity in protobuf', frames.filter((f) => f.activity),
              [{ activity: { sessionId: session, running: true } },
               { activity: { sessionId: session } }]);
    checkSame('accepted in protobuf', frames.filter((f) => f.accepted),
              [{ accepted: { requestId: 'b', sessionId: session, ordinal: '2' } }]);
    const packedEvents = frames.filter((f) => f.uiEvent);
    checkSame('v2.protobuf carries the same as v2.json', packedEvents.map((f) => {
        const { payload, ...rest } = f.uiEvent;
        const { sessionId, eventOrdinal, name, ...added } = rest;
        return { sessionId, eventOrdinal, name,
                 payload: { '@type': payload.typeUrl, ...decode(chatUpdate, payload.value) },
                 ...added };
    }), jsonEvents);
    const late = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.json' });
    const snapshot = await late.subscribe(session);
    checkSame('the v2 snapshot ends with epoch and cursor', snapshot,
              { sessionId: session, snapshotOrdinal: '6', entities: wantEntities,
                epoch: jsonEvents[0].epoch, cursor: jsonEvents[5].cursor });
    const lateBinary = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.protobuf',
                                                           decode: decodeServerFrame });
    lateBinary.send(subscribeFrame(session));
    const packed = (await lateBinary.nextOf('snapshot')).snapshot;
    check('the protobuf snapshot says the same', packed.snapshotOrdinal === '6' &&
          packed.epoch === snapshot.epoch && packed.entities.length === 2 &&
          packed.entities[1].id === 'chat-msg-1' && packed.entities[1].lastEventOrdinal === '6',
          JSON.stringify(packed, (k, v) => (typeof v === 'bigint' ? String(v) : v)));
    await daemon.stop();
}

async function stopping() {
    const daemon = await Daemon.start({ flags: lasting });
    const client = await Client.connect(daemon.port);
    await client.subscribe(session);
    client.submit(session, 'ChatStopInference', stopInference, 'idle');
    checkSame('stop without an answer publishes nothing', await client.nextOf('accepted'),
              { accepted: { requestId: 'idle', sessionId: session } });
    client.submit(session, 'ChatStartInference', startInference('long '.repeat(400)), 'go');
    await client.nextOf('uiEvent', (event) => event.name === 'ChatMessageAppended');
    client.submit(session, 'ChatStopInference', stopInference, 'halt');
    let text = '';
    let event;
    do {
        event = (await client.nextOf('uiEvent')).uiEvent;
        text = event.name === 'ChatMessageAppended' ? event.payload.text : text;
    } while (event.name === 'ChatMessageAppended');
    check('stop ends the answer', event.name === 'ChatMessageStopped' &&
          event.payload.status === 'stopped' && event.payload.streaming === undefined, event);
    check('the stopped message keeps the text said', text === '' || event.payload.text === text,
          event);
    const late = await Client.connect(daemon.port);
    const timeline = await join(late, session);
    const message = timeline.entities.get('chat-msg-1');
    checkSame('a late joiner agrees', [String(timeline.ordinal), message?.payload.status,
                                       message?.payload.text],
              [event.eventOrdinal, 'stopped', event.payload.text]);
    const read = await request(daemon.port, 'GET', `/v1/sessions/${session}/snapshot`);
    checkSame('a read after the stop shows it', JSON.parse(read.body).snapshotOrdinal,
              event.eventOrdinal);
    await daemon.stop();
}

async function crash() {
    let daemon = await Daemon.start({ flags: lasting });
    const { port, dir } = daemon;
    const v2 = { protocol: 'sessionstream.v2.json' };
    const before = await Client.connect(port, v2);
    await before.subscribe(session);
    before.submit(session, 'ChatStartInference', startInference('long '.repeat(400)));
    const seen = (await before.take('uiEvent', 8)).at(-1).uiEvent;
    await daemon.kill();
    const closed = await before.closed;
    check('a dead server shows as 1006', closed.code === 1006, closed);
    daemon = await Daemon.start({ port, dir, flags: lasting });
    const after = await Client.connect(port, v2);
    const snapshot = await after.subscribe(session);
    const message = snapshot.entities?.[1]?.payload;
    check('the snapshot shows the answer as interrupted', message?.status === 'interrupted' &&
          message?.streaming === undefined, snapshot);
    check('no text that was shown is lost', message?.text.startsWith(seen.payload.text),
          [message?.text, seen.payload.text]);
    check('the snapshot is beyond what was seen',
          BigInt(snapshot.snapshotOrdinal) > BigInt(seen.eventOrdinal), snapshot.snapshotOrdinal);
    checkSame('the epoch is the same', snapshot.epoch, seen.epoch);
    after.submit(session, 'ChatStartInference', startInference('again'));
    const events = (await after.take('uiEvent', 5)).map((frame) => frame.uiEvent);
    checkSame('ordinals continue without gap', events.map((event) => event.eventOrdinal),
              events.map((_, i) => String(BigInt(snapshot.snapshotOrdinal) + BigInt(i) + 1n)));
    check('live frames have the same epoch', events.every((e) => e.epoch === seen.epoch));
    check('message ids are not used again',
          events[0].payload.messageId !== 'chat-msg-1-user', events[0]);
    await daemon.stop();
}

await main({ contract, additions, stopping, crash });
