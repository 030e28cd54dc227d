// Stored events by pages: against what was published, wherever they are, and copied elsewhere.
import fs from 'node:fs';
import path from 'node:path';
import { Daemon, check, checkSame, main, makeDirectory, request, runProgram, ssctlFile }
    from './harness.mjs';

const flags = ['--app', 'bench'];
const count = 2500;

function event(ordinal) {
    return { ordinal: String(ordinal), time: `2026-01-02T03:04:05.${100 + (ordinal % 800)}123Z`,
             event: 'BenchPublished', payload: { sentNs: String(ordinal) } };
}

const published = Array.from({ length: count }, (_, i) => event(i + 1));

async function publish(daemon, from, to) {
    const answer = await request(daemon.port, 'POST', '/v1/sessions/s/import',
                                 JSON.stringify(published.slice(from - 1, to)));
    checkSame(`events ${from} to ${to}`, answer.status, 200);
}

async function get(daemon, query, session = 's') {
    const answer = await request(daemon.port, 'GET', `/v1/sessions/${session}/events${query}`);
    return { status: answer.status, ...JSON.parse(answer.body) };
}

async function verify(daemon, name) {
    const seen = [];
    const sizes = [];
    for (let more = true; more;) {
        const page = await get(daemon, `?after=${seen.length}&limit=1000`);
        checkSame(`${name}: page`, [page.status, page.sessionId, page.firstRetained, page.ordinal],
                  [200, 's', '1', String(count)]);
        seen.push(...page.events);
        sizes.push(page.events.length);
        more = page.more;
    }
    checkSame(`${name}: sizes`, sizes, [1000, 1000, 500]);
    check(`${name}: payloads say their type`,
          seen.every((e) => e.payload['@type'].startsWith('type.googleapis.com/')), seen[0]);
    for (const one of seen) {
        delete one.payload['@type'];
    }
    checkSame(`${name}: all that was published`, seen, published);
}

function ssctl(daemon, ...args) {
    return runProgram(ssctlFile, ['session', ...args, '--url',
                                  `http://127.0.0.1:${daemon.port}`]);
}

async function snapshot(daemon) {
    const { body } = await request(daemon.port, 'GET', '/v1/sessions/s/snapshot');
    const { cursor, epoch, ...rest } = JSON.parse(body);
    check('a copy has an epoch and a cursor of its own',
          cursor !== undefined && epoch !== undefined, body);
    return rest;
}

async function copy(daemon) {
    const printed = ssctl(daemon, 'events', 's');
    const lines = printed.output.trimEnd().split('\n');
    checkSame('a line each', lines.length, count);
    const few = ssctl(daemon, 'events', 's', '--after', '2', '--limit', '2');
    checkSame('some of them', few.output, `${lines[2]}\n${lines[3]}\n`);
    const file = path.join(makeDirectory(), 'events.jsonl');
    fs.writeFileSync(file, printed.output);
    const other = await Daemon.start({ flags });
    const imported = ssctl(other, 'import', 's', file);
    checkSame('the copy is taken', imported.status, 0);
    checkSame('it shows the same', await snapshot(other), await snapshot(daemon));
    await verify(other, 'copy');
    await other.stop();
}

async function refusals(daemon) {
    checkSame('behind the newest', await get(daemon, `?after=${count}`),
              { status: 200, sessionId: 's', firstRetained: '1', ordinal: String(count),
                events: [], more: false });
    checkSame('a session without events', (await get(daemon, '', 'nobody')).code, 'not_found');
    for (const query of ['?after=x', '?limit=1001', '?limit=-1']) {
        checkSame(query, (await get(daemon, query)).status, 400);
    }
    const missing = ssctl(daemon, 'events', 'nobody');
    checkSame('ssctl tells of it', missing.status, 1);
}

async function events() {
    let daemon = await Daemon.start({ flags });
    const { dir, port } = daemon;
    await publish(daemon, 1, 1000);
    await daemon.stop();    // to segments
    daemon = await Daemon.start({ dir, port, flags });
    await publish(daemon, 1001, 2000);
    await publish(daemon, 2001, count);
    await verify(daemon, 'in segments and in the log');
    await daemon.kill();
    daemon = await Daemon.start({ dir, port, flags });
    await verify(daemon, 'after kill -9');
    await refusals(daemon);
    await copy(daemon);
    await daemon.stop();
    daemon = await Daemon.start({ dir, port, flags });
    await verify(daemon, 'after a stop');
    await daemon.stop();
}

await main({ events });
