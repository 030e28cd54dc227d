// Damage to a whole data directory, seen through the daemon: it refuses with a sentence that tells
// what to do, or serves what was there, session by session, or says that it cannot.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Daemon, argument, check, main, makeDirectory, request } from '../integration/harness.mjs';

const flips = Number(argument('flips', process.env.SS_TEST_FLIPS ?? '12'));
const seed = BigInt(argument('seed', '1'));
const first = Number(argument('trial', '0'));    // and --flips 1: that one alone
const keep = argument('keep', '');               // copies stay in this folder
const flags = ['--app', 'bench', '--app-option', 'entities=15', '--shards', '2',
               '--store-map', '64MiB', '--min-free', '0'];
const sessions = Array.from({ length: 30 }, (_, i) => `damage-${i}`);
const gone = sessions.slice(-4);
const events = 60;

// ---- numbers drawn from the seed ----

const mask = (1n << 64n) - 1n;

class Draw {
    constructor(from) {
        this.state = from & mask;
    }

    next(below) {
        this.state = (this.state + 0x9e3779b97f4a7c15n) & mask;
        let z = this.state;
        z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
        z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
        return Number((z ^ (z >> 31n)) % BigInt(below));
    }
}

// ---- the reference ----

function event(session, ordinal) {
    return JSON.stringify({ ordinal: String(ordinal), time: '2026-01-02T03:04:05.100Z',
                            event: 'BenchPublished',
                            payload: { sentNs: `${ordinal * 1000 + sessions.indexOf(session)}` } });
}

async function publish(daemon, to, from, last) {
    for (const session of to) {
        const lines = [];
        for (let ordinal = from; ordinal <= last; ordinal++) {
            lines.push(event(session, ordinal));
        }
        const answer = await request(daemon.port, 'POST', `/v1/sessions/${session}/import`,
                                     `[${lines.join(',')}]`);
        if (answer.status !== 200) {
            throw new Error(`import to ${session}: ${answer.body}`);
        }
    }
}

// What one session answers: {ordinal, epoch, text} or {error}.
async function readSession(daemon, session) {
    const snapshot = await request(daemon.port, 'GET', `/v1/sessions/${session}/snapshot`);
    const list = await request(daemon.port, 'GET', `/v1/sessions/${session}/events?limit=1000`);
    if (snapshot.status !== 200 || list.status !== 200) {
        const bad = snapshot.status !== 200 ? snapshot : list;
        return { status: bad.status, error: JSON.parse(bad.body).code ?? bad.body };
    }
    const { epoch, cursor, ...rest } = JSON.parse(snapshot.body);
    const page = JSON.parse(list.body);
    return { epoch: epoch ?? cursor, ordinal: page.ordinal, entities: JSON.stringify(rest),
             events: page.events.map((one) => JSON.stringify(one)) };
}

async function readAll(daemon) {
    const all = {};
    for (const session of sessions) {
        all[session] = await readSession(daemon, session);
    }
    const listed = await request(daemon.port, 'GET', '/v1/sessions?limit=1000');
    all.list = listed.status === 200
        ? JSON.parse(listed.body).sessions.map((one) => one.sessionId ?? one.id).sort().join()
        : { error: listed.body };
    return all;
}

async function makeReference() {
    const dir = path.join(makeDirectory(), 'data');
    let daemon = await Daemon.start({ dir, flags, bare: true });
    await publish(daemon, sessions, 1, events);
    await daemon.stop();
    daemon = await Daemon.start({ dir, flags, bare: true });
    for (const session of gone) {
        const answer = await request(daemon.port, 'DELETE', `/v1/sessions/${session}`);
        check(`deletion of ${session}`, answer.status === 200, answer.body);
    }
    await publish(daemon, sessions.slice(0, -gone.length), events + 1, events + 5);
    await daemon.kill();
    const copy = path.join(makeDirectory(), 'data');
    fs.cpSync(dir, copy, { recursive: true });
    daemon = await Daemon.start({ dir: copy, flags, bare: true });
    const contents = await readAll(daemon);
    await daemon.kill();
    return { dir, contents };
}

// ---- damage ----

function pickFile(dir, draw) {
    const shard = path.join(dir, `shard-000${draw.next(2)}`);
    const point = draw.next(100);
    if (point < 5) {
        return path.join(dir, 'sessionstream');
    }
    const logs = fs.readdirSync(shard).filter((name) => name.startsWith('log-'));
    return point < 20 ? path.join(shard, logs[draw.next(logs.length)])
                      : path.join(shard, 'data.mdb');
}

function plant(dir, draw) {
    const file = pickFile(dir, draw);
    let bytes = fs.readFileSync(file);
    const kind = draw.next(10);
    if (kind === 0) {
        bytes = bytes.subarray(0, draw.next(bytes.length));
    } else if (kind === 1 && bytes.length >= 8192) {
        const pages = Math.floor(bytes.length / 4096);
        const from = draw.next(pages) * 4096;
        bytes.copy(bytes, draw.next(pages) * 4096, from, from + 4096);
    } else if (kind === 2 && bytes.length >= 512) {
        const at = draw.next(Math.floor(bytes.length / 512)) * 512;
        bytes.fill(0, at, at + 512);
    } else {
        const used = file.includes('log-') ? Math.min(bytes.length, 60000) : bytes.length;
        for (let bits = 1 + draw.next(8); bits > 0; bits--) {
            let at = draw.next(used);
            if (kind < 7 && file.endsWith('.mdb')) {
                at = Math.min(used - 1, at - at % 4096 + draw.next(160));
            }
            bytes[at] ^= 1 << draw.next(8);
        }
    }
    fs.writeFileSync(file, bytes);
    return `${path.relative(dir, file)} kind ${kind}`;
}

// ---- a trial ----

const saysWhat = /ssctl store|put the directory back|store check|backup/;
const tells = new Set(['store_corrupt', 'store_failed', 'internal']);

function compareSession(session, got, want, counts) {
    if (want.error !== undefined) {    // it comes back when the record of its deletion is damaged
        return got.error !== undefined || counts.logDamaged ? undefined
                                                            : `${session} is there again`;
    }
    if (got.error !== undefined) {
        counts.refused++;
        return tells.has(got.error) ? undefined : `${session} answers ${got.status} ${got.error}`;
    }
    if (got.ordinal !== want.ordinal && got.epoch === want.epoch) {
        return `${session} has ${got.ordinal} events, not ${want.ordinal}`;
    }
    counts.served++;
    const same = got.events.every((one, i) => one === want.events[i]);
    if (!same || (got.ordinal === want.ordinal && got.entities !== want.entities)) {
        return `${session} is another: ${got.entities} ${want.entities}`;
    }
    return undefined;
}

async function serve(daemon, contents, counts) {
    const got = await readAll(daemon);
    counts.logDamaged = daemon.log.includes('msg="damage in the log"');
    const wrong = sessions.map((session) => compareSession(session, got[session],
                                                           contents[session], counts))
        .filter((text) => text !== undefined);
    if (typeof got.list === 'string' && got.list !== contents.list && !counts.logDamaged) {
        wrong.push(`listed are ${got.list}`);
    }
    return wrong;
}

// undefined: as promised.
async function trial(dir, verify, contents, counts) {
    let daemon;
    try {
        daemon = await Daemon.start({ dir, bare: true,
                                      flags: [...flags, ...(verify ? ['--verify', 'structure']
                                                                   : [])] });
    } catch (error) {
        const died = /ended by SIG|AddressSanitizer|ended with null/.test(error.message);
        counts[died ? 'died' : 'notStarted']++;
        return (died && verify) || !saysWhat.test(error.message) ? error.message : undefined;
    }
    let wrong;
    try {
        wrong = await serve(daemon, contents, counts);
    } catch (error) {
        await daemon.kill();
        counts.died++;
        return verify || !saysWhat.test(daemon.log) ? `${error.message} ${daemon.log}` : undefined;
    }
    await daemon.kill();
    return wrong.length > 0 ? `${wrong.join('; ')} ${daemon.log.slice(0, 1500)}` : undefined;
}

async function run() {
    const { dir, contents } = await makeReference();
    const counts = { notStarted: 0, died: 0, served: 0, refused: 0, logDamaged: false };
    let bad = 0;
    for (let i = first; i < first + flips; i++) {
        const draw = new Draw(seed * 1000003n + BigInt(i));
        const place = fs.mkdtempSync(path.join(os.tmpdir(), 'ss-damage-'));
        const copy = path.join(place, 'data');
        fs.cpSync(dir, copy, { recursive: true });
        const what = plant(copy, draw);
        if (keep !== '') {
            fs.cpSync(copy, path.join(keep, `trial-${i}`), { recursive: true });
        }
        const wrong = await trial(copy, i % 2 === 1, contents, counts);
        bad += wrong === undefined ? 0 : 1;
        if (wrong !== undefined) {
            const how = i % 2 === 1 ? ', verified' : '';
            check(`seed ${seed} trial ${i}: ${what}${how}`, false, wrong);
        }
        fs.rmSync(place, { recursive: true });
    }
    delete counts.logDamaged;    // of the last one
    check(`${flips} directories, seed ${seed}: ${JSON.stringify(counts)}`, bad === 0);
}

await main({ damage: run });
