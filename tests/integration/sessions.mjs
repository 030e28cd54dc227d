// The list of sessions, over shards and pages, and their deletion: while they live, after kill -9
// and after a stop; and how they are closed.
import { Client, Daemon, check, checkSame, main, request, runProgram, ssctlFile, startInference,
         stopInference } from './harness.mjs';
import { decodeServerFrame, subscribeFrame } from './protobuf.mjs';

const ids = ['b', 'a', 'list/ä', 'list/z', 'list/a b', 'c'];
const sorted = [...ids].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));

async function submit(daemon, id) {
    const path = `/v1/sessions/${encodeURIComponent(id)}/commands/ChatStartInference`;
    const { '@type': _, ...body } = startInference('list me');
    const answer = await request(daemon.port, 'POST', path, JSON.stringify(body));
    checkSame(`${id} is written`, answer.status, 200);
}

async function page(daemon, query) {
    const answer = await request(daemon.port, 'GET', `/v1/sessions${query}`);
    checkSame(`status of ${query}`, answer.status, 200);
    return JSON.parse(answer.body);
}

async function allPages(daemon, limit) {
    const found = [];
    for (let next = ''; next !== undefined;) {
        const got = await page(daemon, `?limit=${limit}&after=${encodeURIComponent(next)}`);
        check('no page is over its limit', got.sessions.length <= limit, got);
        found.push(...got.sessions.map((session) => session.id));
        next = got.next;
    }
    return found;
}

async function verify(daemon, name) {
    for (const limit of [1, 2, 5, 6, 100]) {
        checkSame(`${name}: pages of ${limit}`, await allPages(daemon, limit), sorted);
    }
    const part = await page(daemon, `?prefix=${encodeURIComponent('list/')}`);
    checkSame(`${name}: prefix`, part.sessions.map((session) => session.id),
              sorted.filter((id) => id.startsWith('list/')));
    for (const session of part.sessions) {
        check(`${name}: ${session.id} has an ordinal and times`,
              BigInt(session.ordinal) > 0n && Date.parse(session.created) > 0 &&
              session.updated >= session.created && typeof session.running === 'boolean', session);
    }
}

async function list() {
    let daemon = await Daemon.start();
    const { dir, port } = daemon;
    checkSame('nothing is there', await page(daemon, ''), { sessions: [] });
    for (const id of ids) {
        await submit(daemon, id);
    }
    await verify(daemon, 'fresh');
    await daemon.kill();
    daemon = await Daemon.start({ dir, port });
    await verify(daemon, 'after kill -9');
    await daemon.stop();
    daemon = await Daemon.start({ dir, port });
    await verify(daemon, 'after a stop');
    const printed = runProgram(ssctlFile, ['session', 'list', '--url', `http://127.0.0.1:${port}`,
                                           '--prefix', 'list/', '--after', 'list/a b',
                                           '--limit', '1']);
    checkSame('ssctl prints a page',
              JSON.parse(printed.output).sessions.map((session) => session.id), ['list/z']);
    const refused = await request(port, 'GET', '/v1/sessions?limit=0');
    checkSame('a limit of 0 is refused', refused.status, 400);
    await daemon.stop();
}

// Deletes it and returns the status.
async function remove(daemon, id) {
    const answer = await request(daemon.port, 'DELETE', `/v1/sessions/${encodeURIComponent(id)}`);
    return answer.status;
}

async function snapshot(daemon, id) {
    const answer = await request(daemon.port, 'GET', `/v1/sessions/${id}/snapshot`);
    checkSame(`snapshot of ${id}`, answer.status, 200);
    return JSON.parse(answer.body);
}

async function followers() {
    const daemon = await Daemon.start();
    await submit(daemon, 'd');
    const old = await snapshot(daemon, 'd');
    const v1 = await Client.connect(daemon.port);
    const v2 = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.json' });
    const packed = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.protobuf',
                                                       decode: decodeServerFrame });
    await v1.subscribe('d', '0');
    await v1.subscribe('other', '0');
    await v2.subscribe('d', '0');
    packed.send(subscribeFrame('d', {}));
    await packed.nextOf('subscribed');
    checkSame('it is deleted', await remove(daemon, 'd'), 200);
    for (const client of [v1, v2, packed]) {
        const { error } = await client.nextOf('error');
        checkSame('followers are told', [error.code, error.sessionId], ['session_deleted', 'd']);
    }
    const again = await request(daemon.port, 'DELETE', '/v1/sessions/d');
    const { code, detail } = JSON.parse(again.body);
    checkSame('it is not there twice', [again.status, code, detail],
              [404, 'not_found', 'there is no such session']);
    await submit(daemon, 'd');
    await submit(daemon, 'other');
    const event = await v1.nextOf('uiEvent');
    checkSame('who followed it follows no longer', event.uiEvent.sessionId, 'other');
    const renewed = await snapshot(daemon, 'd');
    check('the new life has another epoch', renewed.epoch !== old.epoch, renewed);
    v2.send({ subscribe: { sessionId: 'd', resume: old.cursor } });
    const fresh = await v2.nextOf('snapshot');
    checkSame('an old cursor gets a snapshot', fresh.snapshot.sessionId, 'd');
    const { subscribed } = await v2.nextOf('subscribed', (frame) => frame.sessionId === 'd' &&
                                                         frame.reason !== undefined);
    checkSame('and the reason', subscribed.reason, 'stale_epoch');
    await Promise.all([v1.close(), v2.close(), packed.close()]);
    await daemon.stop();
}

// Subscribes and deletions of one session meet in every order: whoever is subscribed in the end is
// so to the last life, and learnt of the end of the one it was shown before.
async function races() {
    const daemon = await Daemon.start();
    const client = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.json' });
    for (let round = 0; round < 20; round++) {
        await submit(daemon, 'r');
        client.send({ subscribe: { sessionId: 'r' } });
        await client.nextOf('subscribed');
        const { epoch } = await snapshot(daemon, 'r');
        const removed = remove(daemon, 'r');
        client.send({ subscribe: { sessionId: 'r' } });
        checkSame('it is deleted', await removed, 200);
        client.send({ ping: { nonce: `n${round}` } });
        const seen = [];
        for (let kind = ''; kind !== 'pong';) {
            const frame = await client.next();
            [kind] = Object.keys(frame);
            seen.push(frame);
        }
        const kinds = seen.map((frame) => Object.keys(frame)[0]).filter((kind) => kind !== 'pong');
        const end = kinds.indexOf('error');
        checkSame('the end is told once', kinds.filter((kind) => kind === 'error').length, 1);
        const last = seen.filter((frame) => frame.snapshot !== undefined).pop().snapshot;
        const behind = kinds.lastIndexOf('snapshot') > end;
        check('a snapshot behind it is empty and of another epoch, one before it is neither',
              behind === (last.entities === undefined) && behind === (last.epoch !== epoch),
              seen);
        client.send({ unsubscribe: { sessionId: 'r' } });
        await client.nextOf('unsubscribed');
    }
    await client.close();
    await daemon.stop();
}

async function closing() {
    const daemon = await Daemon.start({ flags: ['--app-option', 'chunk_ms=100'] });
    const { port } = daemon;
    const url = `http://127.0.0.1:${port}`;
    const close = (id) => request(port, 'POST', `/v1/sessions/${id}/close`);
    checkSame('one that does not exist', (await close('c')).status, 404);
    const client = await Client.connect(port);
    await client.subscribe('c');
    client.submit('c', 'ChatStartInference', startInference('long '.repeat(400)));
    await client.nextOf('uiEvent', (event) => event.name === 'ChatMessageAppended');
    const refused = await close('c');
    checkSame('one that works stays', [refused.status, JSON.parse(refused.body).code],
              [409, 'session_in_use']);
    client.submit('c', 'ChatStopInference', stopInference);
    await client.nextOf('uiEvent', (event) => event.name === 'ChatMessageStopped');
    const { snapshotOrdinal } = await snapshot(daemon, 'c');
    let closed = await close('c');
    while (closed.status === 409) {
        closed = await close('c');    // its last task is about to find out that it was stopped
    }
    checkSame('one at rest is closed', [closed.status, JSON.parse(closed.body)],
              [200, { sessionId: 'c', ordinal: snapshotOrdinal }]);
    const printed = runProgram(ssctlFile, ['session', 'close', 'c', '--url', url]);
    checkSame('ssctl closes too', [printed.status, JSON.parse(printed.output).ordinal],
              [0, snapshotOrdinal]);
    const unknown = runProgram(ssctlFile, ['session', 'delete', 'nobody', '--url', url]);
    check('and says what is not there', unknown.status === 1 &&
          unknown.output.includes('not_found: there is no such session'), unknown.output);
    await submit(daemon, 'c');
    const next = await client.nextOf('uiEvent');
    checkSame('who followed it still does', next.uiEvent.eventOrdinal,
              String(BigInt(snapshotOrdinal) + 1n));
    await client.close();
    await daemon.stop();
}

async function deletions() {
    let daemon = await Daemon.start();
    const { dir, port } = daemon;
    const written = [];
    for (let round = 0; round < 6; round++) {
        const id = `round-${round}`;
        await submit(daemon, id);
        await submit(daemon, 'again');
        const { epoch } = await snapshot(daemon, 'again');
        check('every life has an epoch of its own', !written.includes(epoch), epoch);
        written.push(epoch);
        checkSame('it is deleted', await remove(daemon, 'again'), 200);
        if (round % 2 === 1) {
            checkSame('and one more', await remove(daemon, `round-${round - 1}`), 200);
        }
        await daemon.kill();
        const checked = runProgram(ssctlFile, ['store', 'check', dir]);
        check(`round ${round}: the store is clean`, checked.status === 0, checked.output);
        daemon = await Daemon.start({ dir, port });
        const left = (await page(daemon, '')).sessions.map((session) => session.id);
        const expected = [];
        for (let i = 0; i <= round; i++) {
            if (i % 2 === 1 || i === round) {
                expected.push(`round-${i}`);
            }
        }
        checkSame(`round ${round}: what was deleted stays so`, left, expected);
    }
    await daemon.stop();
    const checked = runProgram(ssctlFile, ['store', 'check', dir]);
    check('the store is clean at the end', checked.status === 0, checked.output);
    daemon = await Daemon.start({ dir, port });
    const printed = runProgram(ssctlFile, ['session', 'delete', 'round-1', '--url',
                                           `http://127.0.0.1:${port}`]);
    checkSame('ssctl deletes too', [printed.status, JSON.parse(printed.output).sessionId],
              [0, 'round-1']);
    await daemon.stop();
}

await main({ list, followers, races, closing, deletions });
