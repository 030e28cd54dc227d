// Backups of a daemon that is written to, and what is made of them; what is refused.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Client, Daemon, check, checkSame, daemonFile, freePort, main, makeDirectory, request,
         runProgram, ssctlFile, within } from './harness.mjs';

const sessions = Array.from({ length: 8 }, (_, i) => `s${i}`);
const padding = Buffer.alloc(1000, 7).toString('base64');
const large = Buffer.alloc(4000, 7).toString('base64');
const v2 = { protocol: 'sessionstream.v2.json' };

function start(options = {}) {
    const root = options.root ?? makeDirectory();
    const backups = path.join(root, 'backups');
    fs.mkdirSync(backups, { recursive: true });
    return Daemon.start({ dir: path.join(root, 'data'), ...options,
                          flags: ['--app', 'bench', '--app-option', 'entities=50',
                                  '--backup-dir', backups, '--store-map', '2GiB',
                                  ...(options.flags ?? [])] })
        .then((daemon) => Object.assign(daemon, { backups }));
}

// ssctl beside us: the exit status and everything it said.
function ssctl(daemon, ...words) {
    const child = spawn(ssctlFile, [...words, '--url', `http://127.0.0.1:${daemon.port}`]);
    let output = '';
    child.stdout.on('data', (bytes) => { output += bytes; });
    child.stderr.on('data', (bytes) => { output += bytes; });
    const ended = new Promise((resolve) => {
        child.once('close', (status, signal) => resolve({ status, signal, output }));
    });
    return { child, ended: within(ended, `end of ssctl ${words[0]}`) };
}

async function json(port, method, target, body) {
    const answer = await request(port, method, target, body);
    return { status: answer.status, ...JSON.parse(answer.body) };
}

async function publish(port, sessionId) {
    const answer = await json(port, 'POST', `/v1/sessions/${sessionId}/commands/BenchPublish`,
                              JSON.stringify({ payload: large }));
    if (answer.status !== 200) {
        check(`a publish to ${sessionId} is taken`, false, answer);
        return null;
    }
    return BigInt(answer.ordinal);
}

async function fill(port, events) {
    for (const sessionId of sessions) {
        for (let first = 1; first <= events; first += 500) {
            const list = Array.from({ length: 500 }, (_, i) => ({
                ordinal: String(first + i), event: 'BenchPublished',
                payload: { payload: padding, entity: (first + i) % 50 } }));
            const answer = await json(port, 'POST', `/v1/sessions/${sessionId}/import`,
                                      JSON.stringify(list));
            check(`${sessionId} takes ${first + 499} events`, answer.status === 200, answer);
        }
    }
}

async function flushes(port) {
    const { body } = await request(port, 'GET', '/metrics');
    return [...body.matchAll(/^sessionstream_flushes_total.* (\d+)$/gm)]
        .reduce((sum, match) => sum + Number(match[1]), 0);
}

// Until the daemon's status says so; its answer.
async function untilState(port, wanted) {
    for (;;) {
        const state = await json(port, 'GET', '/v1/backup');
        if (wanted(state)) {
            return state;
        }
        await new Promise((resolve) => setImmediate(resolve));
    }
}

async function eventsOf(port, sessionId, upTo) {
    const all = [];
    for (let after = 0n; after < upTo;) {
        const page = await json(port, 'GET', `/v1/sessions/${sessionId}/events?after=${after}`);
        for (const event of page.events) {
            if (BigInt(event.ordinal) <= upTo) {
                all.push(event);
            }
            after = BigInt(event.ordinal);
        }
        if (!page.more) {
            break;
        }
    }
    return all;
}

function snapshot(port, sessionId) {
    return json(port, 'GET', `/v1/sessions/${sessionId}/snapshot`);
}

// Publishes to each session, one after the other, until stopped; knows what was acknowledged.
class Writers {
    constructor(port) {
        this.acked = new Map(sessions.map((sessionId) => [sessionId, 0n]));
        this.going = true;
        this.ended = Promise.all([...sessions.map((sessionId) => this.write(port, sessionId)),
                                  this.churn(port)]);
    }

    // Sessions that come and go; some ids come again.
    async churn(port) {
        for (let i = 0; this.going; i++) {
            await publish(port, `churn-${i % 50}`);
            if (i % 3 !== 0) {
                await request(port, 'DELETE', `/v1/sessions/churn-${i % 50}`);
            }
        }
    }

    async write(port, sessionId) {
        while (this.going) {
            const ordinal = await publish(port, sessionId);
            if (ordinal === null) {
                return;
            }
            this.acked.set(sessionId, ordinal);
        }
    }

    stop() {
        this.going = false;
        return this.ended;
    }
}

async function resume(port, sessionId, cursor) {
    const client = await Client.connect(port, v2);
    client.send({ subscribe: { sessionId, resume: cursor } });
    let shown;
    for (;;) {
        const frame = await client.next('subscribed');
        shown = frame.snapshot ?? shown;
        if (frame.subscribed !== undefined) {
            await client.close();
            return { reason: frame.subscribed.reason, snapshot: shown };
        }
    }
}

async function compare(restored, original, before) {
    for (const sessionId of sessions) {
        const there = await snapshot(restored.port, sessionId);
        const ordinal = BigInt(there.snapshotOrdinal);
        check(`${sessionId}: what was acknowledged before is there`,
              ordinal >= before.get(sessionId), [ordinal.toString(),
                                                 before.get(sessionId).toString()]);
        const events = await eventsOf(restored.port, sessionId, ordinal);
        check(`${sessionId}: without gaps`, events.length === Number(ordinal) &&
              events.every((event, i) => event.ordinal === String(i + 1)), events.length);
        checkSame(`${sessionId}: the same events as in the original`, events,
                  await eventsOf(original.port, sessionId, ordinal));
        const made = await request(restored.port, 'POST', `/v1/sessions/${sessionId}/rebuild`);
        check(`${sessionId}: can be rebuilt`, made.status === 200, made.body);
        checkSame(`${sessionId}: the snapshot is the fold of the events`,
                  (await snapshot(restored.port, sessionId)).entities, there.entities);
    }
}

function storeCheck(name, dir) {
    const { status, output } = runProgram(ssctlFile, ['store', 'check', dir]);
    check(name, status === 0 && /^0 findings/m.test(output), output);
}

// The second time the log is so short that the store is written to all the while.
async function writing() {
    await written();
}

async function writingAtOnce() {
    await written(['--log-window', '1MiB']);
}

async function written(flags = []) {
    const daemon = await start({ flags });
    await fill(daemon.port, 1500);
    const writers = new Writers(daemon.port);
    const cursor = (await snapshot(daemon.port, 's0')).cursor;
    const before = new Map(writers.acked);
    for (const sessionId of sessions) {
        before.set(sessionId, before.get(sessionId) || 1500n);
    }
    const backup = ssctl(daemon, 'backup', 'first', '--rate', '4');
    await untilState(daemon.port, ({ state }) => state === 'running');
    const begun = new Map([...writers.acked].map(([id, ordinal]) => [id, ordinal || 1500n]));
    const second = await ssctl(daemon, 'backup', 'second').ended;
    check('a second backup meanwhile is refused', second.status === 1 &&
          /overloaded: a backup is running: "first"/.test(second.output), second.output);
    const close = await json(daemon.port, 'POST', '/v1/sessions/nobody/close');
    check('other requests are answered meanwhile', close.status === 404, close);
    const flushed = await flushes(daemon.port);
    const done = await backup.ended;
    check('the store was written to meanwhile, or not at all',
          flags.length === 0 || await flushes(daemon.port) > flushed);
    check('the backup ends', done.status === 0 && /^backup first: /m.test(done.output),
          done.output);
    const taken = sessions.map((sessionId) => Number(writers.acked.get(sessionId) -
                                                     begun.get(sessionId)));
    await writers.stop();
    check('publishes went on meanwhile, and none waited for it', Math.min(...taken) > 2, taken);
    const again = await ssctl(daemon, 'backup', 'first').ended;
    check('a name is taken once', again.status === 1 && /already_exists/.test(again.output),
          again.output);
    await daemon.kill();
    checkSame('nothing else is left', fs.readdirSync(daemon.backups), ['first']);

    const dir = path.join(makeDirectory(), 'restored');
    const made = runProgram(ssctlFile, ['restore', path.join(daemon.backups, 'first'), dir]);
    check('it is restored', made.status === 0 && /0 findings, 2 shards, \d+ sessions/
        .test(made.output), made.output);
    storeCheck('the restored store is clean', dir);
    const restored = await start({ dir });
    const original = await start({ dir: daemon.dir });
    await compare(restored, original, before);
    const back = await resume(restored.port, 's0', cursor);
    checkSame('a client that comes back begins again', [back.reason,
                                                        back.snapshot !== undefined],
              ['stale_epoch', true]);
    check('and new events follow', await publish(restored.port, 's0') ===
          BigInt(back.snapshot.snapshotOrdinal) + 1n);
    await restored.stop();
    await original.stop();
    storeCheck('the restored store is clean after use', dir);
}

// Whoever has less than is needed is told at once, and nothing of it is left.
async function refusals() {
    const plain = await Daemon.start({ flags: ['--app', 'bench'] });
    const none = await ssctl(plain, 'backup', 'first').ended;
    check('without --backup-dir there is no backup', none.status === 1 &&
          /not_found: .*--backup-dir/.test(none.output), none.output);
    await plain.stop();
    const daemon = await start();
    for (const name of ['', '..', '../x', 'a/b', '.a', 'x.partial', 'ä']) {
        const answer = await ssctl(daemon, 'backup', name).ended;
        check(`the name "${name}" is refused`, answer.status === 1 &&
              /invalid_argument: .*name/.test(answer.output), answer.output);
    }
    const nothing = await json(daemon.port, 'DELETE', '/v1/backup');
    checkSame('there is nothing to cancel', nothing.status, 404);
    checkSame('nothing was made', fs.readdirSync(daemon.backups), []);
    fs.rmSync(daemon.backups, { recursive: true });
    const gone = await ssctl(daemon, 'backup', 'first').ended;
    check('a directory that is gone is named', gone.status === 1 &&
          gone.output.includes(daemon.backups), gone.output);
    await daemon.stop();
}

async function interrupted() {
    const daemon = await start();
    await fill(daemon.port, 1500);
    const backup = ssctl(daemon, 'backup', 'first', '--rate', '1');
    await untilState(daemon.port, ({ copied }) => copied !== '0' && copied !== undefined);
    backup.child.kill('SIGINT');
    const canceled = await backup.ended;
    check('an interrupted one is canceled', canceled.status === 1 &&
          /canceled/.test(canceled.output), canceled.output);
    checkSame('nothing is left of it', fs.readdirSync(daemon.backups), []);

    ssctl(daemon, 'backup', 'first', '--rate', '1').ended.catch(() => {});
    await untilState(daemon.port, ({ state, copied }) => state === 'running' && copied !== '0');
    await daemon.kill();
    checkSame('a killed daemon leaves what it had', fs.readdirSync(daemon.backups),
              ['first.partial']);
    const partial = runProgram(ssctlFile, ['restore',
                                           path.join(daemon.backups, 'first.partial'),
                                           path.join(makeDirectory(), 'x')]);
    check('which cannot be restored', partial.status === 1 &&
          /not a finished backup/.test(partial.output), partial.output);
    if (runProgram(daemonFile, ['--print-kill-points']).status === 0) {
        const late = await start({ dir: daemon.dir, root: path.dirname(daemon.dir),
                                   env: { SS_KILL_AT: 'backup.complete' } });
        const cut = ssctl(late, 'backup', 'first', '--rate', '0');
        const { signal } = await within(late.exited, 'death of the daemon');
        check('it is killed before a complete one gets its name', signal === 'SIGKILL' &&
              late.log.includes('backup.complete'), late.log);
        await cut.ended;
        checkSame('which is not there then', fs.readdirSync(late.backups), ['first.partial']);
    }
    const again = await start({ dir: daemon.dir, root: path.dirname(daemon.dir) });
    const done = await ssctl(again, 'backup', 'first', '--rate', '0').ended;
    check('and does not stand in the way', done.status === 0, done.output);
    checkSame('of the next one', fs.readdirSync(again.backups), ['first']);

    ssctl(again, 'backup', 'second', '--rate', '1').ended.catch(() => {});
    await untilState(again.port, ({ name, copied }) => name === 'second' && copied !== '0');
    await again.stop('a daemon that stops ends its backup');
    checkSame('and removes it', fs.readdirSync(again.backups), ['first']);
    return again;
}

function flip(file, at) {
    const bytes = fs.readFileSync(file);
    bytes[at] ^= 1;
    fs.writeFileSync(file, bytes);
}

async function damaged() {
    const daemon = await start();
    await fill(daemon.port, 1500);
    check('the backup ends', (await ssctl(daemon, 'backup', 'b').ended).status === 0);
    await daemon.stop();
    const backup = path.join(daemon.backups, 'b');
    const target = path.join(makeDirectory(), 'restored');
    const refused = (name, words) => {
        const { status, output } = runProgram(ssctlFile, ['restore', backup, target]);
        check(`${name} is refused`, status === 1 && words.test(output), output);
        check(`${name}: nothing is made of it`, !fs.existsSync(target) ||
              fs.readdirSync(target).length === 0);
    };
    const manifest = path.join(backup, 'backup.manifest');
    const text = fs.readFileSync(manifest);
    flip(manifest, 40);
    refused('a damaged manifest', /manifest .*damaged/);
    fs.writeFileSync(manifest, text.subarray(0, text.length - 30));
    refused('a manifest that was cut', /manifest .*damaged/);
    fs.writeFileSync(manifest, text.toString().replace('backup 1', 'backup 2'));
    refused('a backup of a newer program', /newer version/);
    fs.writeFileSync(manifest, text);
    const file = path.join(backup, 'shard-0001', 'data.mdb');
    const size = fs.statSync(file).size;
    flip(file, Math.floor(size / 2));
    refused('a flipped bit', /backup is damaged.*data\.mdb/);
    flip(file, Math.floor(size / 2));
    fs.renameSync(file, `${file}.aside`);
    refused('a missing file', /not whole.*data\.mdb/);
    fs.renameSync(`${file}.aside`, file);
    fs.mkdirSync(target, { recursive: true });
    fs.writeFileSync(path.join(target, 'mine'), 'x');
    const full = runProgram(ssctlFile, ['restore', backup, target]);
    check('a directory with something in it is refused', full.status === 1 &&
          /not empty.*mine/.test(full.output), full.output);
    checkSame('and left alone', fs.readdirSync(target), ['LOCK', 'mine'].filter(
        (name) => fs.existsSync(path.join(target, name))));
    const port = await freePort();
    const used = runProgram(daemonFile, ['--listen', `127.0.0.1:${port}`, '--data', backup]);
    check('a daemon does not run on a backup', used.status === 1 &&
          /is a backup.*ssctl restore/.test(used.output), used.output);

    const killed = path.join(makeDirectory(), 'killed');
    const child = spawn(ssctlFile, ['restore', backup, killed, '--rate', '1']);
    const ended = new Promise((resolve) => child.once('close', resolve));
    await within((async () => {
        while (!fs.existsSync(path.join(killed, 'shard-0000', 'data.mdb'))) {
            await new Promise((resolve) => setImmediate(resolve));
        }
    })(), 'begin of a restore');
    child.kill('SIGKILL');
    await ended;
    const half = runProgram(daemonFile, ['--listen', `127.0.0.1:${port}`, '--data', killed]);
    check('a daemon does not run on half of one', half.status === 1 &&
          /not filled to its end/.test(half.output), half.output);
    const again = runProgram(ssctlFile, ['restore', backup, killed]);
    check('it can be restored again', again.status === 0, again.output);
    storeCheck('and is whole then', killed);
}

// The daemon is killed at @point of a backup named b. Returns the ordinal of s0.
async function killInBackup(dir, root, point) {
    const daemon = await start({ dir, root, env: { SS_KILL_AT: point } });
    const ordinal = await publish(daemon.port, 's0');
    const backup = ssctl(daemon, 'backup', 'b', '--rate', '0');
    const { signal } = await within(daemon.exited, 'death of the daemon');
    check(`${point}: it is killed there`, signal === 'SIGKILL' &&
          daemon.log.includes(`killed at ${point}`), daemon.log);
    check(`${point}: nobody was told of a backup`, (await backup.ended).status === 1);
    return ordinal;
}

// At each point of a backup: the store is what it was, what there is of the backup is no backup,
// and another attempt makes it. Only builds for tests can be killed there.
async function killedAtEachPoint() {
    const listed = runProgram(daemonFile, ['--print-kill-points']);
    if (listed.status !== 0) {
        return;
    }
    const points = listed.output.match(/^(backup|copy)\.[a-z]+/gm);
    check('there are points', points.length >= 8, points);
    const first = await start();
    const { dir, backups } = first;
    const root = path.dirname(dir);
    await fill(first.port, 500);
    await first.stop();
    const target = path.join(makeDirectory(), 'restored');
    const restore = (name) => runProgram(ssctlFile, ['restore', path.join(backups, name), target]);
    for (const point of points) {
        const ordinal = await killInBackup(dir, root, point);
        const complete = point === 'backup.named';
        checkSame(`${point}: what is left`, fs.readdirSync(backups),
                  [complete ? 'b' : 'b.partial']);
        const half = complete ? null : restore('b.partial');
        check(`${point}: it is refused by its name`, complete || (half.status === 1 &&
              /b\.partial.* is not a finished backup/.test(half.output)), half?.output);
        storeCheck(`${point}: the store is clean`, dir);
        const daemon = await start({ dir, root });
        const again = await ssctl(daemon, 'backup', 'b', '--rate', '0').ended;
        check(`${point}: another attempt succeeds, or finds it there`, complete
            ? /already_exists/.test(again.output) : again.status === 0, again.output);
        checkSame(`${point}: nothing else is left`, fs.readdirSync(backups), ['b']);
        check(`${point}: the next event follows`,
              await publish(daemon.port, 's0') === ordinal + 1n);
        await daemon.stop();
        const whole = restore('b');
        check(`${point}: it can be restored`, whole.status === 0 &&
              /0 findings, 2 shards, 8 sessions/.test(whole.output), whole.output);
        fs.rmSync(target, { recursive: true });
        fs.rmSync(path.join(backups, 'b'), { recursive: true });
    }
}

await main({ writing, writingAtOnce, refusals, interrupted, damaged, killedAtEachPoint });
