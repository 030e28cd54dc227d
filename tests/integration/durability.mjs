// What each durability mode keeps when the process or the machine ends, and what clients see of it.
import fs from 'node:fs';
import path from 'node:path';

import { Client, Daemon, check, checkSame, main, makeDirectory, request,
         startInference } from './harness.mjs';

const session = 's';
const v2 = { protocol: 'sessionstream.v2.json' };

function start(mode, options) {
    return Daemon.start({ ...options, flags: ['--durability', mode, '--app-option', 'chunk_ms=1'] });
}

async function state(port) {
    const { epoch, snapshotOrdinal, cursor, entities } =
        JSON.parse((await request(port, 'GET', `/v1/sessions/${session}/snapshot`)).body);
    return { epoch, ordinal: snapshotOrdinal, cursor, entities };
}

// Has a prompt answered to its end, as a follower sees it.
async function say(port, prompt) {
    const client = await Client.connect(port, v2);
    const before = await client.subscribe(session);
    client.submit(session, 'ChatStartInference', startInference(prompt));
    const first = (await client.nextOf('uiEvent')).uiEvent;
    checkSame('ordinals go on', first.eventOrdinal,
              String(BigInt(before.snapshotOrdinal ?? 0) + 1n));
    await client.nextOf('uiEvent', (event) => event.name === 'ChatMessageFinished');
    await client.close();
    return state(port);
}

// What a client gets that comes back with the cursor.
async function resume(port, cursor) {
    const client = await Client.connect(port, v2);
    client.send({ subscribe: { sessionId: session, resume: cursor } });
    let snapshot;
    for (;;) {
        const frame = await client.next('subscribed');
        snapshot = frame.snapshot ?? snapshot;
        if (frame.subscribed !== undefined) {
            await client.close();
            const { recovered, reason } = frame.subscribed;
            return { recovered, reason, ordinal: snapshot?.snapshotOrdinal,
                     entities: snapshot?.entities };
        }
    }
}

// What the disk holds if the power fails now; everything written later is lost.
function imageOf(daemon) {
    const image = path.join(makeDirectory(), 'image');
    daemon.signal('SIGSTOP');
    fs.cpSync(daemon.dir, image, { recursive: true });
    daemon.signal('SIGCONT');
    return image;
}

async function stopAndStart(mode, daemon, known) {
    await daemon.stop();
    const again = await start(mode, { dir: daemon.dir });
    checkSame(`${mode}: an orderly stop changes nothing`, await state(again.port), known);
    checkSame(`${mode}: and costs no client its place`,
              (await resume(again.port, known.cursor)).recovered, true);
    return again;
}

async function lossy(mode) {
    const before = await start(mode);
    const first = await say(before.port, 'first');
    const daemon = await stopAndStart(mode, before, first);
    const image = imageOf(daemon);
    const second = await say(daemon.port, 'second');
    await daemon.kill();

    const killed = await start(mode, { dir: daemon.dir });
    const kept = await state(killed.port);
    checkSame(`${mode}: kill -9 loses nothing`, [kept.ordinal, kept.entities],
              [second.ordinal, second.entities]);
    check(`${mode}: the epoch tells that something might be lost`, kept.epoch !== second.epoch,
          kept.epoch);
    const stale = { recovered: undefined, reason: 'stale_epoch' };
    checkSame(`${mode}: a client begins again from a snapshot`,
              await resume(killed.port, second.cursor),
              { ...stale, ordinal: second.ordinal, entities: second.entities });
    await say(killed.port, 'third');
    await killed.stop();

    const cut = await start(mode, { dir: image });
    const left = await state(cut.port);
    checkSame(`${mode}: a power failure loses what was not synced, and nothing before`,
              [left.ordinal, left.entities], [first.ordinal, first.entities]);
    check(`${mode}: the epoch is another`, left.epoch !== second.epoch, left.epoch);
    for (const { cursor } of [second, first]) {
        checkSame(`${mode}: no client goes on from what is gone`, await resume(cut.port, cursor),
                  { ...stale, ordinal: first.ordinal, entities: first.entities });
    }
    const other = await say(cut.port, 'another second');
    checkSame(`${mode}: nor when its ordinals are there again`,
              (await resume(cut.port, second.cursor)).reason, 'stale_epoch');
    const last = await stopAndStart(mode, cut, other);
    await last.stop();
}

async function fsync() {
    const daemon = await start('fsync');
    const known = await say(daemon.port, 'first');
    const image = imageOf(daemon);
    await daemon.kill();
    for (const dir of [daemon.dir, image]) {
        const again = await start('fsync', { dir });
        checkSame('fsync: nothing acknowledged is lost, and the epoch stays',
                  await state(again.port), known);
        checkSame('fsync: nor is the place of a client',
                  (await resume(again.port, known.cursor)).recovered, true);
        await again.stop();
    }
}

await main({ interval: () => lossy('interval:60s'), none: () => lossy('none'), fsync });
