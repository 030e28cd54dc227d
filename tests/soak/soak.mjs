// Mixed load for as long as asked. Fails on memory or descriptors that grow, on a counter that does
// not balance, on a promise that is broken. Needs --daemon, --ssctl and --load; --seconds N, --rate N
// (messages a second of ss-load), --pace MS (between two things of a kind), --seed N.
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

import { Daemon, argument, check, checkSame, main, request, runProgram, ssctlFile,
         within } from '../integration/harness.mjs';
import { readMetrics } from '../integration/metrics.mjs';
import { descriptors, growth, ownBytes, secondHalf } from './process.mjs';
import { Work } from './work.mjs';

const seconds = Number(argument('seconds', '12'));
const rate = Number(argument('rate', process.env.SS_TEST_RATE ?? '200'));
const paceMs = Number(argument('pace', '50'));
const seed = Number(argument('seed', `${process.pid}`));
const loadFile = resolve(argument('load'));
const judgesMemory = argument('memory', seconds >= 120 ? 'yes' : 'no') === 'yes';
const sampleMs = 2000;
// Of its own memory, in the second half: caches, rings and pools have found their size by then, if the
// run is not short. 100 bytes of each message would be 9 MiB of a run of ten minutes with 300 a second.
const growthMax = (seconds >= 600 ? 1 : 4) << 20;
const filesMax = 12;          // log files and spares come and go
const sessions = 8;
const entities = 50;
const flags = ['--app', 'bench', '--app-option', `entities=${entities}`, '--log-window', '4MiB',
               '--session-cache', '1MiB', '--handshake-timeout', '2s'];

// A small generator, so that a seed repeats the choices.
let state = (seed * 2654435761) >>> 0 || 1;
function random(below) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
}

// ---- work ----

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function startLoad(daemon) {
    const args = ['--url', `ws://127.0.0.1:${daemon.port}`, '--sessions', `${sessions}`,
                  '--followers', '4', '--rate', `${rate}`, '--duration', `${seconds}`,
                  '--entities', `${entities}`, '--churn', '2', '--prefix', 'soak-hot', '--fold',
                  '--drain', '60', '--quiet', '--json', '-'];
    const child = spawn(loadFile, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const result = { out: '', err: '' };
    child.stdout.on('data', (bytes) => { result.out += bytes; });
    child.stderr.on('data', (bytes) => { result.err += bytes; });
    const ended = new Promise((resolve) => {
        child.once('close', (status) => resolve({ ...result, status }));
    });
    return within(ended, 'end of ss-load', (seconds + 300) * 1000)
        .finally(() => child.kill('SIGKILL'));
}

// Each kind goes on at its pace until ss-load has ended.
async function workUntil(work, isOver) {
    await Promise.all(work.kinds().map(async (kind) => {
        while (!isOver()) {
            await work.once(kind);
            await pause(paceMs);
        }
    }));
}

function watch(daemon, samples) {
    const begin = Date.now();
    const sample = () => {
        const at = (Date.now() - begin) / 1000;
        samples.push({ at, value: ownBytes(daemon.child.pid), ...descriptors(daemon.child.pid) });
        const { value, sockets, files } = samples.at(-1);
        if (samples.length % 15 === 0) {
            console.log(`${at.toFixed(0)} s: ${(value / 1048576).toFixed(1)} MiB, ` +
                        `${sockets} sockets, ${files} files`);
        }
    };
    sample();
    return setInterval(sample, sampleMs);
}

// ---- judgement ----

// The counters, once everything that clients held is gone: one connection is that which asks.
async function settled({ port, child }, before) {
    const gauges = ['connections', 'websockets', 'followers', 'gateway_sessions', 'tasks', 'works',
                    'inbox_messages', 'snapshot_pages_bytes'];
    let left;
    const wait = (async () => {
        for (;;) {
            const metrics = await readMetrics(port);
            left = Object.fromEntries(gauges.map((name) => [name, metrics[name]['']])
                .filter(([name, value]) => value !== (name === 'connections' ? 1 : 0)));
            await pause(50);
            left.sockets = descriptors(child.pid).sockets - before.sockets;
            if (Object.keys(left).length === 1 && left.sockets === 0) {
                return metrics;
            }
        }
    })();
    return within(wait, 'end of everything that clients held', 90000)
        .catch((error) => { throw new Error(`${error.message}: ${JSON.stringify(left)}`); });
}

// Every event that was accepted is there once, and counted once.
async function balance(daemon, metrics, work, totals) {
    const accepted = totals.acked + work.events;
    checkSame('accepted events are those that were committed', metrics.events_total[''], accepted);
    checkSame('repeated commands are those that were replayed',
              metrics.idempotent_replays_total[''], work.replays);
    checkSame('nothing failed', ['commit_errors_total', 'flush_errors_total', 'store_failed',
                                 'projection_errors_total', 'unreadable_payloads_total']
        .map((name) => metrics[name]['']), [0, 0, 0, 0, 0]);
    let stored = 0;
    for (let i = 0; i < sessions; i++) {
        const path = `/v1/sessions/soak-hot-${i}/events?limit=1`;
        const { body } = await request(daemon.port, 'GET', path);
        stored += Number(JSON.parse(body).ordinal);
    }
    checkSame('the sessions under load have what was acknowledged', stored, totals.acked);
}

function judgeGrowth(samples) {
    const late = secondHalf(samples);
    const early = samples.slice(0, samples.length - late.length + 1);
    const mib = (bytes) => (bytes / 1048576).toFixed(2);
    const grown = growth(late);
    console.log(`own memory ${mib(samples[0].value)}, ${mib(late[0].value)}, ` +
                `${mib(late.at(-1).value)} MiB at the begin, in the middle and at the end; trend ` +
                `${mib(growth(early))} MiB in the first half, ${mib(grown)} MiB in the second, ` +
                `${late.at(-1).at - late[0].at | 0} s with ${late.length} readings`);
    if (judgesMemory) {
        check('memory does not grow when it has settled in', grown < growthMax,
              `${mib(grown)} MiB in the second half`);
    }
}

// Readings of ten minutes of a daemon that settles in, with steps that get fewer, and loses @leak
// bytes a second.
function readings(leak) {
    return Array.from({ length: 300 }, (_, i) => {
        const settling = Math.floor(8 * Math.log2(1 + i / 4)) << 16;
        return { at: 2 * i, value: (8 << 20) + settling + (i % 7 << 12) + leak * 2 * i };
    });
}

async function judgement() {
    const grown = (leak) => growth(secondHalf(readings(leak)));
    check('a daemon that settles in does not grow', grown(0) < 1 << 20, grown(0));
    check('one that loses 4 KiB a second does', grown(4096) > 1 << 20, grown(4096));
}

async function soak() {
    console.log(`seed ${seed}, ${seconds} s, ${rate} messages a second and one of each kind every ` +
                `${paceMs} ms`);
    const daemon = await Daemon.start({ flags });
    const before = descriptors(daemon.child.pid);
    const faults = [];
    const hot = Array.from({ length: sessions }, (_, i) => `soak-hot-${i}`);
    const work = new Work({ port: daemon.port, entities, hot, random,
                            fault: (text) => faults.push(text) });
    const samples = [];
    const timer = watch(daemon, samples);
    let over = false;
    const loaded = startLoad(daemon).finally(() => { over = true; });
    const [load] = await Promise.all([loaded, workUntil(work, () => over)]);
    clearInterval(timer);
    console.log(JSON.stringify(work.done));
    checkSame('the mixed work went as it should', faults.slice(0, 10), []);
    check('ss-load found every promise kept', load.status === 0, load.err);
    const { totals } = JSON.parse(load.out);
    console.log(`${totals.acked} messages of ss-load acknowledged, ${totals.delivered} delivered, ` +
                `${work.events} events beside`);
    const metrics = await settled(daemon, before);
    await balance(daemon, metrics, work, totals);
    const after = descriptors(daemon.child.pid);
    checkSame('descriptors other than files and sockets are closed', after.others, before.others);
    check('log files do not add up', after.files <= before.files + filesMax, { before, after });
    judgeGrowth(samples);
    await daemon.stop();
    const checked = runProgram(ssctlFile, ['store', 'check', daemon.dir]);
    check('the store is clean', checked.status === 0, checked.output);
}

await main({ judgement, soak });
