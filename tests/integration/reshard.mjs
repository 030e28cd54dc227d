// Another number of shards: everything of every session is what it was, and a kill -9 at any moment
// leaves the old directory as it was. Also: a session with all there can be, exported and imported.
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Daemon, check, checkSame, daemonFile, freePort, main, makeDirectory, request,
         runProgram, ssctlFile, within } from './harness.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const moduleFile = process.env.SS_LEDGER ??
    path.join(here, '..', '..', 'build', 'tests', 'modules', 'ledger.so');
const kills = Number(process.env.SS_TEST_KILLS ?? 6);
const v2 = { protocol: 'sessionstream.v2.json' };

function start({ refused = 3, entries = 1, policy = 'advance', ...more }) {
    return Daemon.start({ ...more, bare: true,
        flags: ['--store-map', '256MiB', '--min-free', '0', '--app', moduleFile,
                '--timeline-policy', policy, '--app-option', `refused=${refused}`,
                '--app-option', `entries=${entries}`, ...(more.flags ?? [])] });
}

async function json(port, method, target, body, headers) {
    const answer = await request(port, method, target, body, headers);
    return { status: answer.status, headers: answer.headers, ...JSON.parse(answer.body) };
}

function book(port, sessionId, value, key) {
    return json(port, 'POST', `/v1/sessions/${sessionId}/commands/Book`, JSON.stringify({ value }),
                key === undefined ? {} : { 'Idempotency-Key': key });
}

// All that can be asked of a session, without what has to change.
async function state(port, sessionId) {
    const target = `/v1/sessions/${encodeURIComponent(sessionId)}`;
    const { snapshotOrdinal, entities } = await json(port, 'GET', `${target}/snapshot`);
    const { ordinal, timeline, haltedAt, failedTotal, failed, projections } =
        await json(port, 'GET', `${target}/cursors`);
    const { events } = await json(port, 'GET', `${target}/events`);
    return { snapshotOrdinal, entities, ordinal, timeline, haltedAt, failedTotal, failed,
             projections, events };
}

async function states(port, sessions) {
    const all = {};
    for (const sessionId of sessions) {
        all[sessionId] = await state(port, sessionId);
    }
    return all;
}

async function listed(port) {
    const { sessions } = await json(port, 'GET', '/v1/sessions?limit=1000');
    return sessions.map(({ sessionId, ordinal, createdMs, updatedMs }) =>
        [sessionId, ordinal, createdMs, updatedMs]);
}

async function errors(port) {
    const { errors: all } = await json(port, 'GET', '/v1/errors?limit=0');
    return all.map(({ time, kind, code, sessionId, ordinal, projection, text }) =>
        [time, kind, code, sessionId ?? '', ordinal ?? '', projection ?? '', text]).sort();
}

async function resume(port, sessionId, cursor) {
    const client = await Client.connect(port, v2);
    client.send({ subscribe: { sessionId, resume: cursor } });
    const { subscribed } = await client.nextOf('subscribed');
    await client.close();
    return subscribed.reason;
}

function reshard(dir, ...words) {
    return runProgram(ssctlFile, ['reshard', dir, ...words]);
}

function storeCheck(name, dir) {
    const { status, output } = runProgram(ssctlFile, ['store', 'check', dir]);
    check(name, status === 0 && /^0 findings/m.test(output), output);
}

const sessions = Array.from({ length: 40 }, (_, i) => `s-${i} é`);

// Sessions of every kind; some events fail, some sessions go, some come again.
async function fill(daemon) {
    const { port } = daemon;
    for (const [i, sessionId] of sessions.entries()) {
        const id = encodeURIComponent(sessionId);
        for (let value = 1; value <= 3 + i % 5; value++) {
            await book(port, id, value, `key-${value}`);
        }
    }
    const long = encodeURIComponent(sessions[0]);
    for (let value = 10; value < 200; value++) {
        await book(port, long, value);
    }
    for (const id of ['gone-1', 'gone-2', 'again']) {
        await book(port, id, 7, 'key');
        await request(port, 'DELETE', `/v1/sessions/${id}`);
    }
    await book(port, 'again', 8, 'key');
}

async function roundTrip() {
    const root = makeDirectory();
    const dir = path.join(root, 'data');
    let daemon = await start({ dir, flags: ['--shards', '1'] });
    await fill(daemon);
    await daemon.stop();
    // Events of this version are without the list, whose failures and version stay.
    daemon = await start({ dir, entries: 0 });
    await book(daemon.port, 'listless', 5);
    await daemon.kill();
    daemon = await start({ dir });
    const all = [...sessions, 'again', 'listless'];
    const before = await states(daemon.port, all);
    const list = await listed(daemon.port);
    const records = await errors(daemon.port);
    check('there were failures', before[sessions[0]].failedTotal === '1' && records.length > 30,
          [before[sessions[0]].failedTotal, records.length]);
    let { cursor } = await json(daemon.port, 'GET', '/v1/sessions/again/snapshot');
    await daemon.stop();
    for (const shards of [4, 3, 1]) {
        const { status, output } = reshard(dir, '--shards', String(shards));
        check(`to ${shards} shards`, status === 0 &&
              output.includes(`${shards} shards instead of`), output);
        storeCheck(`${shards}: the new directory is clean`, dir);
        storeCheck(`${shards}: the old one is`, `${dir}.before-reshard`);
        fs.rmSync(`${dir}.before-reshard`, { recursive: true });
        daemon = await start({ dir });
        check(`${shards}: so many there are`, daemon.log.includes(`shards=${shards} `), daemon.log);
        checkSame(`${shards}: all sessions are listed`, await listed(daemon.port), list);
        const after = await states(daemon.port, all);
        for (const sessionId of all) {
            checkSame(`${shards}: ${sessionId} is what it was`, after[sessionId],
                      before[sessionId]);
        }
        checkSame(`${shards}: the error records are there`, await errors(daemon.port), records);
        const keyed = await book(daemon.port, encodeURIComponent(sessions[1]), 2, 'key-2');
        checkSame(`${shards}: keys are known`,
                  [keyed.headers['idempotency-replayed'], keyed.ordinal], ['true', '2']);
        const again = await book(daemon.port, 'again', 8, 'key');
        checkSame(`${shards}: also of a second life`,
                  [again.headers['idempotency-replayed'], again.ordinal], ['true', '1']);
        const gone = await json(daemon.port, 'GET', '/v1/sessions/gone-1/events');
        checkSame(`${shards}: what was deleted stays so`, gone.status, 404);
        checkSame(`${shards}: clients begin again`, await resume(daemon.port, 'again', cursor),
                  'stale_epoch');
        ({ cursor } = await json(daemon.port, 'GET', '/v1/sessions/again/snapshot'));
        await daemon.stop();
    }
    daemon = await start({ dir, refused: 0 });
    const id = encodeURIComponent(sessions[4]);
    const retried = await json(daemon.port, 'POST', `/v1/sessions/${id}/retry`);
    checkSame('failed events can be tried again', retried.status, 200);
    checkSame('and new ones follow', (await book(daemon.port, id, 9)).ordinal,
              String(BigInt(before[sessions[4]].ordinal) + 1n));
    await daemon.stop();
    storeCheck('after use it is clean', dir);
}

function fingerprint(dir) {
    const hash = crypto.createHash('sha256');
    const names = fs.readdirSync(dir, { recursive: true }).map(String).sort()
        .filter((name) => !/(^|\/)(LOCK|lock\.mdb)$/.test(name));
    for (const name of names) {
        const file = path.join(dir, name);
        hash.update(name);
        if (fs.statSync(file).isFile()) {
            hash.update(fs.readFileSync(file));
        }
    }
    return hash.digest('hex');
}

async function refusals() {
    const root = makeDirectory();
    const dir = path.join(root, 'data');
    const daemon = await start({ dir, flags: ['--shards', '2'] });
    await book(daemon.port, 's', 1);
    const used = reshard(dir, '--shards', '3');
    check('a directory in use is refused', used.status === 1 && /store_locked/.test(used.output),
          used.output);
    await daemon.stop();
    const before = fingerprint(dir);
    for (const [name, words, said] of [
        ['no number', [], /--shards is missing/],
        ['the same number', ['--shards', '2'], /2 shards already/],
        ['too many', ['--shards', '257'], /--shards/],
        ['a place that is taken', ['--shards', '3', '--to', root], /not empty/],
        ['itself', ['--shards', '3', '--to', dir], /data directory already/]]) {
        const { status, output } = reshard(dir, ...words);
        check(`${name} is refused`, status !== 0 && said.test(output), output);
    }
    fs.mkdirSync(`${dir}.before-reshard`);
    const kept = reshard(dir, '--shards', '3');
    check('an older one that was kept is not written over', kept.status === 1 &&
          /before-reshard/.test(kept.output), kept.output);
    fs.rmdirSync(`${dir}.before-reshard`);
    checkSame('nothing of it has changed anything', fingerprint(dir), before);
    const file = path.join(dir, 'shard-0000', 'data.mdb');
    const bytes = fs.readFileSync(file);
    const spoiled = Buffer.from(bytes);
    let places = 0;
    for (let at = bytes.indexOf('Booked'); at >= 0; at = bytes.indexOf('Booked', at + 1)) {
        spoiled[at - 1] ^= 1;    /* the length of the name before it, or what space it is of */
        places++;
    }
    fs.writeFileSync(file, spoiled);
    const damaged = reshard(dir, '--shards', '3');
    fs.writeFileSync(file, bytes);
    check('a damaged store is refused', places > 0 && damaged.status === 1 &&
          /store_corrupt/.test(damaged.output), damaged.output);
    const elsewhere = reshard(dir, '--shards', '3', '--to', path.join(root, 'three'));
    check('a copy elsewhere leaves it alone', elsewhere.status === 0 &&
          fs.existsSync(path.join(root, 'three', 'sessionstream')), elsewhere.output);
    checkSame('as it was', fingerprint(dir), before);
}

async function killedAt(dir, point, ...words) {
    const child = spawn(ssctlFile, ['reshard', dir, ...words],
                        { env: { ...process.env, SS_KILL_AT: point } });
    let output = '';
    child.stdout.on('data', (bytes) => { output += bytes; });
    child.stderr.on('data', (bytes) => { output += bytes; });
    const ended = new Promise((resolve) => {
        child.once('close', (status, signal) => resolve(signal));
    });
    const signal = await within(ended, 'end of ssctl reshard');
    check(`killed at ${point}`, signal === 'SIGKILL' && output.includes(point), output);
}

// How long one takes, killed at moments spread over that.
async function killed() {
    const root = makeDirectory();
    const dir = path.join(root, 'data');
    const daemon = await start({ dir, flags: ['--shards', '2'] });
    await fill(daemon);
    const before = await states(daemon.port, [...sessions, 'again']);
    await daemon.stop();
    const print = fingerprint(dir);
    const timed = performance.now();
    check('undisturbed it succeeds', reshard(dir, '--shards', '3', '--to',
                                             path.join(root, 'three')).status === 0);
    const took = performance.now() - timed;
    let died = 0;
    for (let i = 0; i < kills; i++) {
        const moment = took * 0.9 * (i + Math.random()) / kills;
        const child = spawn(ssctlFile, ['reshard', dir, '--shards', '3'], { stdio: 'ignore' });
        const ended = new Promise((resolve) => child.once('close', resolve));
        const timer = setTimeout(() => child.kill('SIGKILL'), moment);
        const status = await within(ended, 'end of ssctl reshard');
        clearTimeout(timer);
        if (status === 0 || fs.existsSync(`${dir}.before-reshard`)) {
            break;    /* it was faster this time */
        }
        died++;
        checkSame(`kill ${i}: the old directory is as it was`, fingerprint(dir), print);
    }
    check('it was killed', died > 0, died);
    if (!fs.existsSync(`${dir}.before-reshard`)) {
        const { status, output } = reshard(dir, '--shards', '3');
        check('another attempt succeeds', status === 0, output);
    }
    checkSame('the old one is kept as it was', fingerprint(`${dir}.before-reshard`), print);
    storeCheck('the new one is clean', dir);
    const again = await start({ dir });
    checkSame('and has all there was', await states(again.port, [...sessions, 'again']), before);
    await again.stop();
}

// At each point before the copy is complete. Only builds for tests can be killed there.
async function killedAtEachPoint() {
    const listed = runProgram(daemonFile, ['--print-kill-points']);
    if (listed.status !== 0) {
        return;
    }
    const last = ['reshard.complete', 'reshard.exchanged', 'reshard.named', 'identity.before'];
    const points = listed.output.match(/^(reshard|copy|identity)\.[a-z]+/gm)
        .filter((point) => !last.includes(point));
    check('there are points', points.length >= 11, points);
    const root = makeDirectory();
    const dir = path.join(root, 'data');
    const to = path.join(root, 'three');
    const daemon = await start({ dir, flags: ['--shards', '2'] });
    await fill(daemon);
    const before = await states(daemon.port, [...sessions, 'again']);
    await daemon.stop();
    const print = fingerprint(dir);
    const port = await freePort();
    const run = () => runProgram(daemonFile, ['--listen', `127.0.0.1:${port}`, '--data', to]);
    for (const point of points) {
        await killedAt(dir, point, '--shards', '3', '--to', to);
        checkSame(`${point}: the old directory is as it was`, fingerprint(dir), print);
        if (point === 'identity.named') {    /* complete: nothing would write over it */
            const taken = reshard(dir, '--shards', '3', '--to', to);
            check(`${point}: the copy is one`, taken.status === 1 &&
                  /data directory already/.test(taken.output), taken.output);
        } else {
            const half = run();
            check(`${point}: no daemon runs on half a copy`, half.status === 1 &&
                  half.output.includes(to) && /not filled to its end/.test(half.output),
                  half.output);
            const { status, output } = reshard(dir, '--shards', '3', '--to', to);
            check(`${point}: another attempt succeeds`, status === 0, output);
        }
        storeCheck(`${point}: the new directory is clean`, to);
        const copy = await start({ dir: to });
        checkSame(`${point}: it has all there was`,
                  await states(copy.port, [...sessions, 'again']), before);
        await copy.stop();
        fs.rmSync(to, { recursive: true });
    }
    checkSame('nothing else is left', fs.readdirSync(root), ['data']);
}

// When the copy is complete and about to take the place, and when it has just taken it. Only builds
// for tests can be killed there.
async function killedAtTheEnd() {
    if (runProgram(daemonFile, ['--print-kill-points']).status !== 0) {
        return;
    }
    const dir = path.join(makeDirectory(), 'data');
    const daemon = await start({ dir, flags: ['--shards', '2'] });
    for (let value = 1; value <= 5; value++) {
        await book(daemon.port, 's', value);
    }
    const before = await states(daemon.port, ['s']);
    await daemon.stop();
    const print = fingerprint(dir);
    await killedAt(dir, 'reshard.complete', '--shards', '3');
    checkSame('a copy that has not taken its place: the old one is there', fingerprint(dir), print);
    const refused = reshard(dir, '--shards', '3');
    check('which is named', refused.status === 1 && refused.output.includes('data.resharded') &&
          refused.output.includes('complete copy'), refused.output);
    storeCheck('and is clean', `${dir}.resharded`);
    fs.rmSync(`${dir}.resharded`, { recursive: true });
    await killedAt(dir, 'reshard.exchanged', '--shards', '3');
    checkSame('one that has: the old one is as it was', fingerprint(`${dir}.resharded`), print);
    const again = await start({ dir });
    check('the new one is in its place', again.log.includes('shards=3 '), again.log);
    checkSame('and has all there was', await states(again.port, ['s']), before);
    await again.stop();
    storeCheck('it is clean', dir);

    fs.rmSync(`${dir}.resharded`, { recursive: true });
    const three = fingerprint(dir);
    await killedAt(dir, 'reshard.named', '--shards', '2');
    checkSame('both have their names: the old one is as it was', fingerprint(`${dir}.before-reshard`),
              three);
    const last = await start({ dir });
    check('the new one is in its place', last.log.includes('shards=2 '), last.log);
    checkSame('and has all there was', await states(last.port, ['s']), before);
    await last.stop();
}

// A file of one server makes the same session on another.
async function exported() {
    const from = await start({ flags: ['--shards', '1'] });
    for (let value = 1; value <= 150; value++) {
        await book(from.port, 's', value);
    }
    const url = (daemon) => ['--url', `http://127.0.0.1:${daemon.port}`];
    const file = path.join(makeDirectory(), 's.jsonl');
    const out = runProgram(ssctlFile, ['session', 'export', 's', ...url(from)]);
    check('a session is exported', out.status === 0, out.output);
    fs.writeFileSync(file, out.output);
    const to = await start({ flags: ['--shards', '2'] });
    const put = runProgram(ssctlFile, ['session', 'import', 's', file, ...url(to)]);
    check('and imported, its failed event too', put.status === 0, put.output);
    checkSame('it is the same session', await state(to.port, 's'), await state(from.port, 's'));
    const twice = runProgram(ssctlFile, ['session', 'import', 's', file, ...url(to)]);
    check('importing it again changes nothing', twice.status === 0, twice.output);
    checkSame('really nothing', await state(to.port, 's'), await state(from.port, 's'));
    const back = runProgram(ssctlFile, ['session', 'export', 's', ...url(to)]);
    checkSame('its export is the same file', back.output === out.output, true);
    await from.stop();
    await to.stop();
}

const retained = 129;    // of 200 events, when at least 64 of segments of 64 stay
const newest = 200;
const failing = 151;

async function asOf(port, at) {
    const { status, code, firstRetained, entities } =
        await json(port, 'GET', `/v1/sessions/s/snapshot?at=${at}`);
    return { status, code, firstRetained, entities };
}

async function verifyRetained(name, dir, shown) {
    let daemon = await start({ dir });
    const events = await json(daemon.port, 'GET', '/v1/sessions/s/events?after=100');
    checkSame(`${name}: whoever asks for what is gone is told`,
              [events.status, events.code, events.firstRetained], [410, 'gone', `${retained}`]);
    const rest = await json(daemon.port, 'GET', `/v1/sessions/s/events?after=${retained - 1}`);
    checkSame(`${name}: the rest is there`, [rest.events[0].ordinal, rest.events.length],
              [`${retained}`, newest - retained + 1]);
    for (const [at, wanted] of shown) {
        checkSame(`${name}: as of ${at}`, await asOf(daemon.port, at), wanted);
    }
    const early = await json(daemon.port, 'POST', `/v1/sessions/s/rebuild?from=${retained - 2}`);
    checkSame(`${name}: a rebuild of what is gone`, [early.status, early.code], [410, 'gone']);
    await daemon.stop();
    daemon = await start({ dir, refused: 0 });
    const retried = await json(daemon.port, 'POST', '/v1/sessions/s/retry');
    checkSame(`${name}: a retry`, retried.status, 200);
    const { entities } = await json(daemon.port, 'GET', '/v1/sessions/s/snapshot');
    check(`${name}: takes the failed event`, entities.some(({ id }) => id === `${failing}`) &&
          entities.length === shown.get(newest).entities.length + 1, entities.length);
    const made = await json(daemon.port, 'POST', '/v1/sessions/s/rebuild');
    checkSame(`${name}: a rebuild of the rest`, made.status, 200);
    checkSame(`${name}: makes the same`,
              (await json(daemon.port, 'GET', '/v1/sessions/s/snapshot')).entities, entities);
    await daemon.stop();
    daemon = await start({ dir, refused: 0, entries: 2 });
    const other = await json(daemon.port, 'GET', '/v1/sessions/s/snapshot');
    checkSame(`${name}: another version begins with what there was`, other.entities, entities);
    await daemon.stop();
    storeCheck(`${name}: it is clean`, dir);
}

// A session that has lost its first events is as good in a restored and in a resharded directory.
async function retention() {
    const root = makeDirectory();
    const dir = path.join(root, 'data');
    const backups = path.join(root, 'backups');
    fs.mkdirSync(backups);
    let daemon = await start({ dir, flags: ['--shards', '1', '--retain-events', '64',
                                            '--retain-sweep', '50ms', '--backup-dir', backups] });
    for (let at = 1; at <= newest; at++) {
        await book(daemon.port, 's', at === failing ? 3 : 10);
    }
    await within((async () => {
        for (let first = ''; first !== `${retained}`;) {
            const { sessions: [found] } = await json(daemon.port, 'GET', '/v1/sessions?prefix=s');
            first = found.firstRetained;
        }
    })(), 'end of the first events');
    const backup = runProgram(ssctlFile, ['backup', 'b', '--url',
                                          `http://127.0.0.1:${daemon.port}`]);
    check('a backup ends', backup.status === 0, backup.output);
    await daemon.stop();
    daemon = await start({ dir });
    const shown = new Map();
    for (const at of [1, retained - 2, retained - 1, retained, 160, newest]) {
        shown.set(at, await asOf(daemon.port, at));
    }
    await daemon.stop();
    checkSame('what is gone and what is there', [...shown.values()].map(({ status }) => status),
              [410, 410, 200, 200, 200, 200]);
    checkSame('an entity of each event but one', shown.get(newest).entities.length, newest);
    const restored = path.join(root, 'restored');
    const made = runProgram(ssctlFile, ['restore', path.join(backups, 'b'), restored]);
    check('it is restored', made.status === 0 && made.output.includes('0 findings'), made.output);
    for (const shards of [3, 2]) {
        const { status, output } = reshard(dir, '--shards', String(shards));
        check(`to ${shards} shards`, status === 0, output);
        const copy = path.join(root, `copy-${shards}`);
        fs.cpSync(dir, copy, { recursive: true });    // the original stays as it is
        await verifyRetained(`${shards} shards`, copy, shown);
        fs.rmSync(`${dir}.before-reshard`, { recursive: true });
    }
    await verifyRetained('restored', restored, shown);
}

await main({ roundTrip, refusals, killed, killedAtEachPoint, killedAtTheEnd, exported, retention });
