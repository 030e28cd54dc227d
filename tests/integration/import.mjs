// Events that come with their ordinals: once, twice, and with kill -9 in between.
import fs from 'node:fs';
import path from 'node:path';
import { Client, Daemon, check, checkSame, main, makeDirectory, request, runProgram, ssctlFile,
         within } from './harness.mjs';

const flags = ['--app', 'bench'];

function event(ordinal, more = {}) {
    return { ordinal: String(ordinal), event: 'BenchPublished', time: '2026-01-02T03:04:05.678901Z',
             payload: { sentNs: String(ordinal) }, ...more };
}

function events(from, to) {
    return Array.from({ length: to - from + 1 }, (_, i) => event(from + i));
}

async function post(port, body, sessionId = 's') {
    const answer = await request(port, 'POST', `/v1/sessions/${sessionId}/import`,
                                 JSON.stringify(body));
    return { status: answer.status, ...JSON.parse(answer.body) };
}

async function snapshot(port, sessionId = 's') {
    return JSON.parse((await request(port, 'GET', `/v1/sessions/${sessionId}/snapshot`)).body);
}

function ssctl(daemon, sessionId, file) {
    return runProgram(ssctlFile, ['session', 'import', sessionId, file, '--url',
                                  `http://127.0.0.1:${daemon.port}`]);
}

async function http() {
    const daemon = await Daemon.start({ flags });
    const { port } = daemon;
    const client = await Client.connect(port, { protocol: 'sessionstream.v2.json' });
    await client.subscribe('s');
    checkSame('one event', (await post(port, event(1))).ordinal, '1');
    const [{ uiEvent }] = await client.take('uiEvent', 1);
    checkSame('followers see it with its time', [uiEvent.eventOrdinal, uiEvent.timeUs],
              ['1', '1767323045678901']);
    checkSame('a list', (await post(port, events(2, 500))).ordinal, '500');
    checkSame('again, and more', (await post(port, events(1, 600))).ordinal, '600');
    checkSame('all of it is there', (await snapshot(port)).snapshotOrdinal, '600');
    const other = await post(port, event(300, { payload: { sentNs: '7' } }));
    checkSame('another event', [other.status, other.code], [409, 'conflict']);
    check('the sentence names session, ordinal and both events',
          /session "s" has another event 300: stored is "BenchPublished" \(\d+ bytes, hash [0-9a-f]{16}\), given is "BenchPublished" \(\d+ bytes/
              .test(other.detail), other.detail);
    const gap = await post(port, event(602));
    check('a gap names what is next', gap.status === 400 && gap.detail.endsWith('is 601'), gap);
    checkSame('nothing came of them', (await snapshot(port)).snapshotOrdinal, '600');
    await client.close();
    await daemon.stop();
}

// The file is imported again and again while the daemon dies; in the end all is there once.
async function crashes() {
    const count = 20000;
    const file = path.join(makeDirectory(), 'events.jsonl');
    fs.writeFileSync(file, events(1, count).map((e) => JSON.stringify(e)).join('\n'));
    let daemon = await Daemon.start({ flags });
    const { dir, port } = daemon;
    let reached = 0;
    for (let round = 1; round <= 4; round++) {
        const from = reached + 1;
        let sent = Promise.resolve();
        const answered = (async () => {
            for (let at = from; at <= count; at += 500) {
                sent = post(port, events(Math.max(1, at - 100), Math.min(count, at + 499)));
                reached = Number((await sent).ordinal);
            }
        })().catch(() => {});    // the daemon is gone
        const before = reached;
        while (reached < Math.min(count, before + 2000 * round)) {
            await within(sent.catch(() => {}), 'an answer');
            await new Promise(setImmediate);
        }
        await daemon.kill();
        await answered;
        const checked = runProgram(ssctlFile, ['store', 'check', dir]);
        check(`round ${round}: killed at ${reached}, the store is clean`, checked.status === 0,
              checked.output);
        daemon = await Daemon.start({ dir, port, flags });
        const { snapshotOrdinal } = await snapshot(port);
        check(`round ${round}: what was answered is there`, Number(snapshotOrdinal) >= reached,
              `${snapshotOrdinal}, answered ${reached}`);
    }
    const printed = ssctl(daemon, 's', file);
    checkSame('ssctl imports the whole file', [printed.status, printed.output],
              [0, `${count} events, up to ordinal ${count}\n`]);
    checkSame('every event is there once', (await snapshot(port)).snapshotOrdinal, String(count));
    await daemon.stop();
}

async function conflictInAFile() {
    const daemon = await Daemon.start({ flags });
    const file = path.join(makeDirectory(), 'events.jsonl');
    await post(daemon.port, event(1200, { ordinal: '1' }));
    fs.writeFileSync(file, events(1, 3).map((e) => JSON.stringify(e)).join('\n'));
    const printed = ssctl(daemon, 's', file);
    check('ssctl names the conflict and the lines', printed.status === 1 &&
          /ssctl: conflict: session "s" has another event 1/.test(printed.output) &&
          /lines 1 to 3 were not imported; 0 events/.test(printed.output), printed.output);
    await daemon.stop();
}

await main({ http, crashes, conflictInAFile });
