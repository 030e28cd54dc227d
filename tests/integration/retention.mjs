// Events that are dropped while somebody reads: nothing is skipped in silence, nothing else changes.
import { Client, Daemon, check, checkSame, main, request, runProgram, ssctlFile, within }
    from './harness.mjs';

const kept = 100;
const v2 = { protocol: 'sessionstream.v2.json' };
const flags = ['--app', 'bench', '--shards', '1', '--retain-sweep', '50ms'];

async function publish(daemon, session, from, to) {
    const events = [];
    for (let at = from; at <= to; at++) {
        events.push({ ordinal: String(at), event: 'BenchPublished',
                      payload: { sentNs: String(at) } });
    }
    const answer = await request(daemon.port, 'POST', `/v1/sessions/${session}/import`,
                                 JSON.stringify(events));
    checkSame(`events ${from} to ${to}`, answer.status, 200);
}

async function get(daemon, path) {
    const answer = await request(daemon.port, 'GET', `/v1/sessions${path}`);
    return { status: answer.status, ...JSON.parse(answer.body) };
}

async function firstOf(daemon, session) {
    const { sessions } = await get(daemon, `?prefix=${session}`);
    return Number(sessions[0].firstRetained);
}

// Asks until the first event is another one; each answer is an event of its own.
async function untilMoved(daemon, session, before) {
    const moved = async () => {
        let first = before;
        while (first === before) {
            first = await firstOf(daemon, session);
        }
        return first;
    };
    return within(moved(), `${session} loses events before ${before}`);
}

function ssctl(daemon, ...args) {
    return runProgram(ssctlFile, ['session', ...args, '--url', `http://127.0.0.1:${daemon.port}`]);
}

function checkGone(name, answer, first) {
    checkSame(name, answer, { status: 410, type: 'about:blank', title: 'Gone',
                              detail: `event ${first} is the first that has been retained`,
                              code: 'gone', sessionId: 's', firstRetained: String(first) });
}

async function verify(daemon, name, first, newest, presents) {
    checkGone(`${name}: the first page`, await get(daemon, '/s/events'), first);
    checkGone(`${name}: before the first`, await get(daemon, `/s/events?after=${first - 2}`), first);
    const page = await get(daemon, `/s/events?after=${first - 1}`);
    checkSame(`${name}: the rest`, [page.status, page.firstRetained, page.ordinal,
                                    page.events.length, page.events[0].ordinal],
              [200, String(first), String(newest), newest - first + 1, String(first)]);
    checkGone(`${name}: as of before`, await get(daemon, `/s/snapshot?at=${first - 2}`), first);
    for (const at of [first - 1, first, newest - 1, newest]) {
        const snapshot = await get(daemon, `/s/snapshot?at=${at}`);
        checkSame(`${name}: as of ${at}`, [snapshot.status, snapshot.snapshotOrdinal],
                  [200, String(at)]);
        if (presents[at] !== undefined) {
            checkSame(`${name}: entities of ${at}`, snapshot.entities, presents[at]);
        }
    }
    const rebuilt = await request(daemon.port, 'POST', '/v1/sessions/s/rebuild');
    checkSame(`${name}: rebuild`, rebuilt.status, 200);
    const early = await request(daemon.port, 'POST', `/v1/sessions/s/rebuild?from=${first - 2}`);
    checkSame(`${name}: rebuild of what is gone`, early.status, 410);
    const now = await get(daemon, '/s/snapshot');
    checkSame(`${name}: and the present`, now.entities, presents[newest]);
}

async function cursorOf(daemon) {
    const client = await Client.connect(daemon.port, v2);
    client.send({ subscribe: { sessionId: 's' } });
    const frame = await client.next();
    client.close();
    return frame.snapshot.cursor;
}

async function resume(daemon, cursor) {
    const client = await Client.connect(daemon.port, v2);
    client.send({ subscribe: { sessionId: 's', resume: cursor } });
    for (;;) {
        const frame = await client.next();
        if (frame.subscribed !== undefined) {
            client.close();
            return [frame.subscribed.recovered === true, frame.subscribed.reason];
        }
    }
}

async function newest() {
    const more = [...flags, '--retain-events', String(kept)];
    let daemon = await Daemon.start({ flags: more });
    const { dir, port } = daemon;
    const presents = {};
    await publish(daemon, 's', 1, 150);
    const old = await cursorOf(daemon);
    let first = 1;
    for (const last of [300, 600, 800]) {
        await publish(daemon, 's', Math.max(151, last - 299), last);
        presents[last] = (await get(daemon, '/s/snapshot')).entities;
        first = await untilMoved(daemon, 's', first);
    }
    while (800 - first >= kept + 64) {
        first = await untilMoved(daemon, 's', first);
    }
    check('enough stay', 800 - first + 1 >= kept, first);
    await verify(daemon, 'live', first, 800, presents);
    checkSame('an old cursor gets a snapshot', await resume(daemon, old), [false, 'too_old']);
    const printed = ssctl(daemon, 'events', 's');
    check('ssctl tells of it', printed.status === 1 &&
          `${printed.output}${printed.error}`.includes(`event ${first} is the first`),
          JSON.stringify(printed));
    const rest = ssctl(daemon, 'events', 's', '--after', String(first - 1));
    checkSame('and prints the rest', rest.output.trimEnd().split('\n').length, 800 - first + 1);
    const whole = ssctl(daemon, 'export', 's');
    check('an export says what takes the session along', whole.status === 1 &&
          `${whole.output}${whole.error}`.includes('ssctl backup and restore'),
          JSON.stringify(whole));
    const lines = rest.output.trimEnd().split('\n').slice(0, 10);
    const moved = await request(port, 'POST', '/v1/sessions/moved/import', `[${lines}]`);
    check('and the rest alone is not imported', moved.status === 400 &&
          moved.body.includes('lost its first events'), moved.body);
    const metrics = (await request(port, 'GET', '/metrics')).body;
    check('counted', metrics.includes(
        `sessionstream_retention_events_total{shard="0"} ${first - 1}\n`),
          metrics.match(/retention.*/g));
    await daemon.kill();
    daemon = await Daemon.start({ dir, port, flags: more });
    await verify(daemon, 'after kill -9', first, 800, presents);
    await daemon.stop();
    const found = runProgram(ssctlFile, ['store', 'check', dir]);
    checkSame('the store is sound', found.status, 0);
    daemon = await Daemon.start({ dir, port, flags });    // without a policy
    await verify(daemon, 'without retention', first, 800, presents);
    await publish(daemon, 's', 801, 900);
    await daemon.stop();
}

// Whoever reads pages while events go: what comes is without gaps, until it is told.
async function reader() {
    const daemon = await Daemon.start({ flags: [...flags, '--retain-events', '1'] });
    let next = 1;
    let gones = 0;
    for (let published = 0; published < 6000; published += 500) {
        await publish(daemon, 's', published + 1, published + 500);
        for (let more = true; more;) {
            const page = await get(daemon, `/s/events?after=${next - 1}&limit=50`);
            if (page.status === 410) {
                check('the first one is behind', Number(page.firstRetained) > next, page);
                next = Number(page.firstRetained);
                gones++;
                continue;
            }
            checkSame('a page', page.status, 200);
            for (const event of page.events) {
                checkSame('without a gap', Number(event.ordinal), next);
                next++;
            }
            more = page.more;
        }
    }
    checkSame('all has been read or told', next, 6001);
    await untilMoved(daemon, 's', 1);
    checkGone('in the end', await get(daemon, '/s/events'), await firstOf(daemon, 's'));
    console.log(`${gones} pages were gone`);
    await daemon.stop();
}

// Sessions that nobody uses any more; one of them comes back.
async function old() {
    let daemon = await Daemon.start({ flags: [...flags, '--retain-age', '2s'] });
    const { dir, port } = daemon;
    for (let i = 0; i < 300; i++) {
        await publish(daemon, `idle-${i}`, 1, 3);
    }
    for (let i = 0; i < 300; i++) {
        await untilMoved(daemon, `idle-${i}`, 1);
    }
    const { sessions } = await get(daemon, '?prefix=idle-7&limit=1');
    checkSame('it is there, without events', [sessions[0].ordinal, sessions[0].firstRetained],
              ['3', '4']);
    const page = await get(daemon, '/idle-7/events?after=3');
    checkSame('nothing behind the newest', [page.status, page.events], [200, []]);
    const before = await get(daemon, '/idle-7/snapshot');
    checkSame('it has its entities', [before.status, before.snapshotOrdinal], [200, '3']);
    await daemon.stop();
    daemon = await Daemon.start({ dir, port, flags });    // what comes now is not too old in a moment
    await publish(daemon, 'idle-7', 4, 5);
    const after = await get(daemon, '/idle-7/snapshot?at=3');
    checkSame('as they were', after.entities, before.entities);
    await daemon.stop();
    checkSame('the store is sound',
              runProgram(ssctlFile, ['store', 'check', dir]).status, 0);
}

await main({ newest, reader, old });
