// A disk that gets full: a real one, a small tmpfs that only these processes see. And a full map.
import { spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Client, Daemon, check, checkSame, daemonFile, freePort, main, makeDirectory, request,
         ssctlFile, within } from './harness.mjs';

// Of no pattern, so that no compression makes it small.
const payload = crypto.randomBytes(150000).toString('base64');
const flags = ['--app', 'bench', '--log-window', '4MiB'];

// A file system of its own in a mount namespace that lasts as long as this process wants.
class Disk {
    static async make(megabytes) {
        const disk = new Disk();
        disk.place = makeDirectory();
        const script = `mount -t tmpfs -o size=${megabytes}m tmpfs "$0" && echo ready && exec cat`;
        disk.holder = spawn('unshare', ['-m', 'sh', '-c', script, disk.place],
                            { stdio: ['pipe', 'pipe', 'ignore'] });
        const ready = await new Promise((resolve) => {
            disk.holder.stdout.once('data', () => resolve(true));
            disk.holder.once('close', () => resolve(false));
            disk.holder.once('error', () => resolve(false));
        });
        disk.under = ['nsenter', '-t', String(disk.holder.pid), '-m', '--'];
        disk.outside = `/proc/${disk.holder.pid}/root${disk.place}`;
        disk.data = path.join(disk.place, 'data');
        return ready ? disk : null;
    }

    // Takes so many bytes of it, or all there are.
    fill(bytes = Infinity) {
        const file = fs.openSync(path.join(this.outside, 'ballast'), 'a');
        let block = Buffer.alloc(1 << 20);
        for (let left = bytes; left > 0 && block.length > 0; left -= block.length) {
            try {
                fs.writeSync(file, block);
            } catch {
                block = block.subarray(0, block.length >> 1);    // no room for so much
                left += block.length;
            }
        }
        fs.closeSync(file);
    }

    makeRoom() {
        fs.unlinkSync(path.join(this.outside, 'ballast'));
    }

    start(more = []) {
        return Daemon.start({ dir: this.data, under: this.under, bare: true,
                              flags: ['--shards', '2', '--store-map', '256MiB', '--min-free', '0',
                                      ...flags, ...more] });
    }

    run(...words) {
        const [program, ...rest] = [...this.under, ...words];
        const result = spawnSync(program, rest, { encoding: 'utf8', timeout: 60000 });
        return { status: result.status, output: `${result.stdout}${result.stderr}` };
    }

    async end() {
        const ended = new Promise((resolve) => this.holder.once('close', resolve));
        this.holder.stdin.end();
        await within(ended, 'end of the namespace');
    }
}

async function publish(daemon, sessionId) {
    const answer = await request(daemon.port, 'POST',
                                 `/v1/sessions/${sessionId}/commands/BenchPublish`,
                                 JSON.stringify({ payload }));
    const body = JSON.parse(answer.body);
    return { status: answer.status, code: body.code, ordinal: Number(body.ordinal ?? 0) };
}

// Publishes until it is refused; @acked: the newest ordinal of each session.
async function publishUntilRefused(daemon, acked) {
    for (let i = 0; i < 2000; i++) {
        const sessionId = `s${i % 4}`;
        const answer = await publish(daemon, sessionId);
        if (answer.status >= 300) {
            return answer;
        }
        acked.set(sessionId, answer.ordinal);
    }
    return { status: 0 };
}

async function position(daemon, sessionId) {
    const answer = await request(daemon.port, 'GET', `/v1/sessions/${sessionId}/snapshot`);
    return answer.status === 200 ? Number(JSON.parse(answer.body).snapshotOrdinal ?? 0) : -1;
}

async function nothingLost(what, daemon, acked) {
    for (const [sessionId, ordinal] of acked) {
        const now = await position(daemon, sessionId);
        check(`${what}: ${sessionId} has what was acknowledged`, now >= ordinal,
              `${now} of ${ordinal}`);
    }
}

// Resolves when every session takes events again.
async function healed(daemon, acked) {
    const all = (async () => {
        for (const sessionId of acked.keys()) {
            for (;;) {
                const answer = await publish(daemon, sessionId);
                if (answer.status < 300) {
                    acked.set(sessionId, answer.ordinal);
                    break;
                }
                if (answer.code !== 'store_full') {
                    throw new Error(`${sessionId}: ${JSON.stringify(answer)}`);
                }
                await request(daemon.port, 'GET', '/healthz');    // the server has its turns
            }
        }
    })();
    await within(all, 'acceptance after room was made');
}

let disk;

async function fullAndHealed() {
    const acked = new Map();
    let daemon = await disk.start();
    const follower = await Client.connect(daemon.port);
    await follower.subscribe('s0');
    disk.fill(20 << 20);
    const refused = await publishUntilRefused(daemon, acked);
    checkSame('a full disk refuses with an error that may be retried',
              [refused.status, refused.code], [507, 'store_full']);
    await nothingLost('on the full disk', daemon, acked);
    check('the follower was sent the events', (await follower.take('uiEvent', 1)).length === 1);
    checkSame('it is ready: reads go on',
              (await request(daemon.port, 'GET', '/readyz')).status, 200);
    disk.makeRoom();
    await healed(daemon, acked);
    await daemon.says(/the store has room again/);
    await nothingLost('with room', daemon, acked);
    await follower.close();

    disk.fill(20 << 20);
    await publishUntilRefused(daemon, acked);
    await daemon.kill();
    disk.makeRoom();
    daemon = await disk.start();
    await nothingLost('after a kill on the full disk', daemon, acked);
    await healed(daemon, acked);
    disk.fill();
    await publishUntilRefused(daemon, acked);
    await daemon.stop('the daemon stops on a full disk');
    return acked;
}

// To the last byte: a start is refused in words that help, or serves what there is.
async function startOnFullDisk(acked) {
    disk.fill();
    const port = await freePort();
    const started = spawn(disk.under[0], [...disk.under.slice(1), daemonFile, '--listen',
                                          `127.0.0.1:${port}`, '--data', disk.data, '--min-free',
                                          '0', '--store-map', '256MiB', ...flags],
                          { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    const outcome = await within(new Promise((resolve) => {
        started.stderr.on('data', (bytes) => {
            log += bytes;
            if (log.includes('msg="started"')) {
                resolve('started');
            }
        });
        started.once('close', (code) => resolve(code));
    }), 'outcome of the start');
    check('a start on a full disk serves, or says what is wrong',
          outcome === 'started' || (outcome === 1 && /no space|No space/.test(log)),
          `${outcome} ${log}`);
    if (outcome === 'started') {
        await nothingLost('served from a full disk', { port }, acked);
        started.kill('SIGKILL');
        await new Promise((resolve) => started.once('close', resolve));
    }
    disk.makeRoom();
    const daemon = await disk.start();
    await nothingLost('after a start with room', daemon, acked);
    await healed(daemon, acked);
    await daemon.stop();
    const clean = disk.run(ssctlFile, 'store', 'check', disk.data);
    checkSame('the store is sound', clean.status, 0);
}

async function firstStartOnFullDisk() {
    const small = await Disk.make(24);
    small.fill();
    const flagsOfStart = ['--listen', `127.0.0.1:${await freePort()}`, '--data', small.data,
                          '--min-free', '0', '--store-map', '64MiB'];
    const refused = small.run(daemonFile, ...flagsOfStart);
    check('a first start on a full disk is refused in words that help',
          refused.status === 1 && /[Nn]o space/.test(refused.output), refused.output);
    small.makeRoom();
    const daemon = await small.start();
    checkSame('and works with room', (await publish(daemon, 's')).status, 200);
    await daemon.stop();
    await small.end();
}

async function fullMap() {
    const acked = new Map();
    const map = (size) => ['--store-map', size, '--log-window', '1MiB', '--app', 'bench',
                           '--shards', '1', '--min-free', '0'];
    let daemon = await Daemon.start({ bare: true, flags: map('16MiB') });
    const { dir } = daemon;
    const refused = await publishUntilRefused(daemon, acked);
    checkSame('a full map refuses', [refused.status, refused.code], [507, 'store_full']);
    await daemon.says(/raise --store-map/);
    await nothingLost('with a full map', daemon, acked);
    await daemon.stop('the daemon stops with a full map');
    daemon = await Daemon.start({ dir, bare: true, flags: map('128MiB') });
    await nothingLost('with a larger map', daemon, acked);
    await healed(daemon, acked);
    await daemon.stop();
}

async function fullDisk() {
    disk = await Disk.make(64);
    if (disk === null) {
        console.log('no file system can be mounted here: only the full map is tested');
        check('nothing is mounted', true);
        return;
    }
    await startOnFullDisk(await fullAndHealed());
    await firstStartOnFullDisk();
    await disk.end();
}

await main({ fullMap, fullDisk });
