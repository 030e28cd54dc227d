// Two timeline projections in one session: each with a cursor, failures, a halt, a retry and a
// version of its own, over restarts and while one of them is not there.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Daemon, check, checkSame, main, request, runProgram, ssctlFile } from './harness.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const moduleFile = process.env.SS_LEDGER ??
    path.join(here, '..', '..', 'build', 'tests', 'modules', 'ledger.so');

const baseFlags = ['--shards', '1', '--store-map', '64MiB', '--min-free', '0'];

function start({ refused = 0, entries = 1, policy = 'fail', ...more }) {
    return Daemon.start({ ...more, bare: true,
        flags: [...baseFlags, '--app', moduleFile, '--timeline-policy', policy,
                '--app-option', `refused=${refused}`, '--app-option', `entries=${entries}`] });
}

async function book(daemon, value) {
    const answer = await request(daemon.port, 'POST', '/v1/sessions/s/commands/Book',
                                 JSON.stringify({ value }));
    return { status: answer.status, ...JSON.parse(answer.body) };
}

async function get(daemon, what) {
    const answer = await request(daemon.port, 'GET', `/v1/sessions/s/${what}`);
    return JSON.parse(answer.body);
}

async function retry(daemon, projection) {
    const query = projection === undefined ? '' : `?projection=${projection}`;
    const answer = await request(daemon.port, 'POST', `/v1/sessions/s/retry${query}`, '');
    return answer.status;
}

// Total, entries in order, position.
async function shown(daemon) {
    const snapshot = await get(daemon, 'snapshot');
    const entities = snapshot.entities ?? [];
    const values = (kind) => entities.filter((entity) => entity.kind === kind)
        .map((entity) => entity.payload.value);
    return { at: snapshot.snapshotOrdinal, total: values('Total')[0], entries: values('Entry') };
}

async function cursor(daemon, name) {
    const { projections } = await get(daemon, 'cursors');
    const { timeline, haltedAt, failed } = projections.find((one) => one.name === name);
    return { timeline, haltedAt, failed };
}

async function failsAlone() {
    let daemon = await start({ refused: 3 });
    for (const value of [1, 2, 3, 4, 5]) {
        const answer = await book(daemon, value);
        checkSame(`status of ${value}`, answer.status, value === 3 ? 422 : 200);
        check('the error names the projection', value !== 3 ||
              answer.detail.includes('timeline projection "entries" failed'), answer);
    }
    const { port, dir } = daemon;
    for (const how of ['live', 'killed', 'stopped']) {
        checkSame(`${how}: what is shown`, await shown(daemon),
                  { at: '5', total: 15, entries: [1, 2, 4, 5] });
        checkSame(`${how}: total`, await cursor(daemon, 'total'),
                  { timeline: '5', haltedAt: '0', failed: [] });
        checkSame(`${how}: entries`, await cursor(daemon, 'entries'),
                  { timeline: '2', haltedAt: '0', failed: ['3'] });
        await (how === 'live' ? daemon.kill() : daemon.stop());
        daemon = await start({ refused: 3, port, dir });
    }
    await daemon.stop();

    daemon = await start({ entries: 0, port, dir });
    checkSame('without the list', await shown(daemon), { at: '5', total: 15, entries: [] });
    checkSame('and an event meanwhile', (await book(daemon, 6)).status, 200);
    await daemon.stop();

    daemon = await start({ port, dir });
    checkSame('the list comes back', await shown(daemon),
              { at: '6', total: 21, entries: [1, 2, 4, 5, 6] });
    checkSame('nobody of this name', await retry(daemon, 'nothing'), 404);
    checkSame('nothing to try', await retry(daemon, 'total'), 200);
    checkSame('its failure is remembered', (await cursor(daemon, 'entries')).failed, ['3']);
    const ctl = runProgram(ssctlFile, ['--url', `http://127.0.0.1:${port}`, 'session', 'retry',
                                       's', '--projection', 'entries']);
    checkSame('ssctl tries it again', ctl.status, 0);
    checkSame('and it is there', await shown(daemon),
              { at: '6', total: 21, entries: [1, 2, 3, 4, 5, 6] });
    await daemon.stop();

    daemon = await start({ entries: 2, refused: 4, port, dir });
    checkSame('another version of one', await shown(daemon),
              { at: '6', total: 21, entries: [1, 2, 3, 5, 6] });
    checkSame('fails on its own', (await cursor(daemon, 'entries')).failed, ['4']);
    await daemon.stop();
}

async function haltsAlone() {
    let daemon = await start({ refused: 2, policy: 'halt' });
    for (const value of [1, 2, 3]) {
        checkSame(`status of ${value}`, (await book(daemon, value)).status,
                  value === 2 ? 422 : 200);
    }
    const { port, dir } = daemon;
    for (const how of ['live', 'killed', 'stopped']) {
        checkSame(`${how}: what is shown`, await shown(daemon),
                  { at: '3', total: 6, entries: [1] });
        checkSame(`${how}: entries`, await cursor(daemon, 'entries'),
                  { timeline: '1', haltedAt: '2', failed: [] });
        await (how === 'live' ? daemon.kill() : daemon.stop());
        daemon = await start({ refused: 2, policy: 'halt', port, dir });
    }
    checkSame('still refused', await retry(daemon, 'entries'), 422);
    await daemon.stop();
    daemon = await start({ policy: 'halt', port, dir });
    checkSame('a retry ends it', await retry(daemon, 'entries'), 200);
    checkSame('in order', await shown(daemon), { at: '3', total: 6, entries: [1, 2, 3] });
    await daemon.stop();
}

await main({ failsAlone, haltsAlone });
