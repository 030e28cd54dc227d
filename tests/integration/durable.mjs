// I2, durable before visible: a trace of system calls shows, for every event that leaves by a socket,
// first the write of its record to the log, then the fdatasync of that file, and only then the
// socket; nor does a page of LMDB get ahead of the log.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Client, Daemon, check, main, makeDirectory, request, startInference } from './harness.mjs';

const EXIT_SKIPPED = 77;
const clients = 8;
const rounds = 12;

function straceWorks() {
    const tried = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']);
    return tried.error === undefined && tried.status === 0;
}

// The calls of a trace in the order of their ends: {name, file, begin, end, text}. A call that
// another thread interrupted stands on two lines.
function parseTrace(text) {
    const open = new Map();
    const calls = [];
    text.split('\n').forEach((line, at) => {
        const [, pid, rest] = /^(\d+) +(.*)$/s.exec(line) ?? [];
        const resumed = /^<\.\.\. (\w+) resumed>(.*)$/s.exec(rest ?? '');
        const begun = /^(\w+)\((.*)$/s.exec(rest ?? '');
        if (resumed) {
            const call = open.get(pid);
            open.delete(pid);
            if (call !== undefined) {
                calls.push({ ...call, end: at, text: call.text + resumed[2] });
            }
        } else if (begun) {
            const file = /^\d+<([^>]*)>/.exec(begun[2])?.[1] ?? '';
            const call = { name: begun[1], file, begin: at, end: at, text: begun[2] };
            if (/<unfinished \.\.\.>$/.test(begun[2])) {
                open.set(pid, call);
            } else {
                calls.push(call);
            }
        }
    });
    return calls;
}

function roles(calls) {
    const isWrite = (call) => /^p?writev?(64)?$/.test(call.name);
    const log = calls.filter((call) => /\/log-[0-9a-f]{8}$/.test(call.file));
    return {
        records: log.filter(isWrite),
        syncs: log.filter((call) => call.name === 'fdatasync'),
        pages: calls.filter((call) => isWrite(call) && call.file.endsWith('/data.mdb')),
        shown: calls.filter((call) => /^(writev?|sendmsg|sendto)$/.test(call.name) &&
                                      call.file.startsWith('socket')),
    };
}

// What is wrong with the first time @mark left by a socket, or got into LMDB; '' if all is in order.
function judge({ records, syncs, pages, shown }, mark) {
    const holds = (call) => call.text.includes(mark);
    const record = records.find(holds);
    const left = shown.find(holds);
    const page = pages.find(holds);
    if (record === undefined || left === undefined) {
        return `${mark} was ${record === undefined ? 'not written' : 'not shown'}`;
    }
    const sync = syncs.find((call) => call.begin > record.end && call.file === record.file);
    if (sync === undefined || sync.end >= left.begin ||
        (page !== undefined && sync.end >= page.begin)) {
        return `${mark}: record ${record.end}, sync ${sync?.end}, socket ${left.begin}, ` +
               `page ${page?.begin}`;
    }
    return '';
}

async function work(daemon) {
    const marks = [];
    const all = await Promise.all(Array.from({ length: clients },
                                             () => Client.connect(daemon.port)));
    await Promise.all(all.map((client, i) => client.subscribe(`traced-${i % 3}`)));
    for (let round = 0; round < rounds; round++) {
        await Promise.all(all.map(async (client, i) => {
            const mark = `mark-${round}-${i}-end`;
            marks.push(mark);
            client.submit(`traced-${i % 3}`, 'ChatStartInference', startInference(mark), mark);
            await client.nextOf('accepted');
        }));
    }
    const answer = await request(daemon.port, 'POST',
        '/v1/sessions/traced-http/commands/ChatStartInference', '{"prompt":"mark-http"}');
    check('the command over HTTP is taken', answer.status === 200, answer.body);
    await Promise.all(all.map((client) => client.close()));
    return marks;
}

async function trace() {
    const file = path.join(makeDirectory(), 'trace');
    const daemon = await Daemon.start({ under: ['strace', '-D', '-f', '-y', '-s', '1000000', '-o', file,
        '-e', 'trace=write,writev,pwrite64,pwritev,sendmsg,sendto,fdatasync'] });
    const marks = await work(daemon);
    await daemon.stop();
    const all = parseTrace(fs.readFileSync(file, 'latin1'));
    const calls = roles(all);
    check('the trace holds commits and answers',
          calls.syncs.length > rounds && calls.records.length > rounds &&
              calls.pages.length > 0 && calls.shown.length > rounds,
          Object.entries(calls).map(([name, list]) => `${name} ${list.length}`).join());
    const wrong = marks.map((mark) => judge(calls, mark)).filter((text) => text !== '');
    check(`${marks.length} answers left after the sync that covers them`, wrong.length === 0,
          wrong.join('\n'));
}

if (!straceWorks()) {
    console.log('skipped: strace is not installed or may not trace here');
    process.exit(EXIT_SKIPPED);
}
await main({ trace });
