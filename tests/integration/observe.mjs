// What an operator sees: error records after damage, over restarts, as JSON and as a table; a live
// session through /debug/sessions and ssctl trace.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { Client, Daemon, check, checkSame, main, request, runProgram, ssctlFile, startInference,
         within } from './harness.mjs';

async function get(daemon, urlPath) {
    const answer = await request(daemon.port, 'GET', urlPath);
    checkSame(`status of ${urlPath}`, answer.status, 200);
    return JSON.parse(answer.body);
}

function ctl(daemon, ...words) {
    return runProgram(ssctlFile, ['--url', `http://127.0.0.1:${daemon.port}`, ...words]);
}

// Changes stored events of the only session, as a broken disk would.
function spoil(dir) {
    const marker = Buffer.from('Answer: Explain ordi');
    let spoiled = 0;
    for (const shard of ['shard-0000', 'shard-0001']) {
        const names = fs.readdirSync(path.join(dir, shard)).filter((name) =>
            name === 'data.mdb' || name.startsWith('log-'));
        for (const file of names.map((name) => path.join(dir, shard, name))) {
            const bytes = fs.readFileSync(file);
            for (let at = bytes.indexOf(marker); at >= 0; at = bytes.indexOf(marker, at + 1)) {
                bytes[at] ^= 1;
                spoiled++;
            }
            fs.writeFileSync(file, bytes);
        }
    }
    return spoiled;
}

async function errors() {
    let daemon = await Daemon.start();
    const { dir, port } = daemon;
    checkSame('nothing went wrong yet', await get(daemon, '/v1/errors'), { errors: [] });
    checkSame('which the table says too', ctl(daemon, 'errors').output, 'no errors\n');
    const client = await Client.connect(port, { protocol: 'sessionstream.v2.json' });
    await client.subscribe('s');
    client.submit('s', 'ChatStartInference', startInference('Explain ordinals'));
    await client.nextOf('uiEvent', (event) => event.name === 'ChatMessageFinished');
    await daemon.kill();
    check('there was something to damage', spoil(dir) > 0);

    daemon = await Daemon.start({ dir, port });
    const snapshot = await request(port, 'GET', '/v1/sessions/s/snapshot');
    check('the damaged session is refused', snapshot.body.includes('store_corrupt'), snapshot.body);
    const { errors: found } = await get(daemon, '/v1/errors');
    check('the damage is a record', found.some(({ kind, code }) =>
        kind === 'decode' && code === 'store_corrupt'), found);
    check('so is the session that cannot be loaded', found.some(({ kind, sessionId }) =>
        kind === 'store' && sessionId === 's'), found);
    check('each has number, time and text', found.every(({ number, time, text, shard }) =>
        BigInt(number) > 0n && Date.parse(time) > 0 && text !== '' && shard < 2), found);
    const ofSession = await get(daemon, '/v1/sessions/s/errors?kind=store');
    checkSame('they are found by session and kind', ofSession.errors,
              found.filter(({ kind, sessionId }) => kind === 'store' && sessionId === 's'));
    checkSame('and by the query', await get(daemon, '/v1/errors?session=s&kind=store'), ofSession);
    checkSame('a limit keeps the newest', (await get(daemon, '/v1/errors?limit=1')).errors,
              found.slice(-1));
    checkSame('others have none', await get(daemon, '/v1/errors?session=other'), { errors: [] });

    const table = ctl(daemon, 'errors', 's', '--kind', 'store');
    check('ssctl prints a table', table.status === 0 &&
          /^TIME +KIND +SESSION .*\n\S+ +store +s +/.test(table.output), table);
    checkSame('and the JSON', JSON.parse(ctl(daemon, 'errors', '--json').output).errors, found);
    const wrong = ctl(daemon, 'errors', '--kind', 'none');
    check('a kind that is none is refused', wrong.status === 1 &&
          wrong.output.includes('invalid_argument'), wrong);
    await daemon.stop();

    daemon = await Daemon.start({ dir, port });
    const again = (await get(daemon, '/v1/errors')).errors;
    checkSame('they are there after a restart', again.slice(0, found.length), found);
    await daemon.stop();
}

// Lines of a program as they come; resolves when one matches.
class Lines {
    constructor(file, args) {
        this.text = '';
        this.waiting = [];
        this.child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
        this.child.stdout.on('data', (bytes) => {
            this.text += bytes;
            this.waiting = this.waiting.filter(({ pattern, resolve }) => {
                const found = pattern.exec(this.text);
                if (found !== null) {
                    resolve(found[0]);
                }
                return found === null;
            });
        });
        this.exited = new Promise((resolve) => this.child.once('close', resolve));
    }

    until(pattern) {
        const found = pattern.exec(this.text);
        return found !== null ? Promise.resolve(found[0])
            : within(new Promise((resolve) => this.waiting.push({ pattern, resolve })),
                     `a line with ${pattern}`);
    }
}

async function debug() {
    const daemon = await Daemon.start({ flags: ['--debug-ring', '1000'] });
    const client = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.json' });
    const old = await Client.connect(daemon.port);
    await client.subscribe('s');
    await old.subscribe('s');
    const url = `http://127.0.0.1:${daemon.port}`;
    const trace = new Lines(ssctlFile, ['--url', url, 'trace', 's', '--follow']);
    await trace.until(/ subscribed /);
    client.submit('s', 'ChatStartInference', startInference('Explain ordinals'));
    await client.nextOf('uiEvent', (event) => event.name === 'ChatMessageFinished');
    const seen = await get(daemon, '/debug/sessions/s');
    checkSame('the session is where it is',
              [seen.sessionId, seen.stored, seen.memory.whole, seen.parked, seen.loading],
              ['s', true, true, 0, false]);
    checkSame('its entities and timeline',
              [seen.ordinal, seen.memory.timeline, seen.memory.haltedAt, seen.memory.entities],
              ['6', '6', '0', 2]);
    checkSame('who follows', seen.followers,
              { gateway: 0, count: 2, asking: 0, 'v1.json': 1, 'v2.json': 1, 'v2.protobuf': 0 });
    checkSame('and in what', seen.gateways,
              [{ gateway: 0, encodings: ['v1.json', 'v2.json'] }]);
    check('recent frames are kept', seen.frames.count === 6 && seen.frames.newest === '6',
          seen.frames);
    const numbers = seen.records.map(({ number }) => Number(number));
    check('records rise in number', numbers.length > 20 &&
          numbers.every((number, i) => i === 0 || number > numbers[i - 1]), numbers);
    checkSame('each event went through the pipeline once',
              seen.records.filter(({ type }) => type === 'pipeline')
                  .map(({ what, ordinal, appended }) => [what, ordinal, appended]),
              ['1', '2', '3', '4', '5', '6'].map((ordinal) => ['live', ordinal, true]));
    checkSame('and to each follower', seen.records.filter(({ what }) => what === 'ui_event_sent')
        .map(({ ordinal }) => ordinal), ['1', '2', '3', '4', '5', '6'].flatMap((n) => [n, n]));
    const later = await get(daemon, `/debug/sessions/s?after=${numbers[10]}`);
    checkSame('after= leaves out what was seen', later.records[0].number, String(numbers[11]));
    checkSame('behind the last there is nothing',
              (await get(daemon, `/debug/sessions/s?after=${seen.next}`)).records, []);
    const other = await get(daemon, '/debug/sessions/nobody');
    checkSame('a session that is not there', [other.stored, other.memory, other.records],
              [false, null, []]);

    await trace.until(/ live .*ChatInferenceFinished/);
    client.submit('s', 'ChatStartInference', startInference('once more'));
    await client.nextOf('uiEvent', (event) => event.name === 'ChatMessageFinished');
    await trace.until(/ live [^]*ChatInferenceFinished[^]* live .*ChatInferenceFinished/);
    trace.child.kill('SIGINT');
    checkSame('SIGINT ends it well', await within(trace.exited, 'end of ssctl'), 0);
    check('a line for each record, without colours', trace.text.split('\n').slice(0, -1)
        .every((line) => /^\d+ +\S+Z +(pipeline|transport) /.test(line)), trace.text);
    const traced = trace.text.split('\n').slice(0, -1).map((line) => Number(line.split(' ')[0]));
    check('none twice', new Set(traced).size === traced.length, traced);
    const json = ctl(daemon, 'trace', 's', '--json').output.trim().split('\n').map(JSON.parse);
    checkSame('and all of them', traced.slice(0, json.length),
              json.map(({ number }) => Number(number)).slice(0, traced.length));
    await daemon.stop();
}

async function withoutRing() {
    const daemon = await Daemon.start();
    const client = await Client.connect(daemon.port);
    await client.subscribe('s');
    const seen = await get(daemon, '/debug/sessions/s');
    checkSame('without a ring there are no records', [seen.records, seen.followers.count],
              [null, 1]);
    const { status, output } = ctl(daemon, 'trace', 's');
    check('and ssctl says how to get them', status === 1 && output.includes('--debug-ring'),
          output);
    await daemon.stop();
}

await main({ errors, debug, withoutRing });
