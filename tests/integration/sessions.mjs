// The list of sessions, over shards and pages, while they live, after kill -9 and after a stop.
import { Daemon, check, checkSame, main, request, runProgram, ssctlFile, startInference }
    from './harness.mjs';

const ids = ['b', 'a', 'list/ä', 'list/z', 'list/a b', 'c'];
const sorted = [...ids].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));

async function submit(daemon, id) {
    const path = `/v1/sessions/${encodeURIComponent(id)}/commands/ChatStartInference`;
    const { '@type': _, ...body } = startInference('list me');
    const answer = await request(daemon.port, 'POST', path, JSON.stringify(body));
    checkSame(`${id} is written`, answer.status, 200);
}

async function page(daemon, query) {
    const answer = await request(daemon.port, 'GET', `/v1/sessions${query}`);
    checkSame(`status of ${query}`, answer.status, 200);
    return JSON.parse(answer.body);
}

async function allPages(daemon, limit) {
    const found = [];
    for (let next = ''; next !== undefined;) {
        const got = await page(daemon, `?limit=${limit}&after=${encodeURIComponent(next)}`);
        check('no page is over its limit', got.sessions.length <= limit, got);
        found.push(...got.sessions.map((session) => session.id));
        next = got.next;
    }
    return found;
}

async function verify(daemon, name) {
    for (const limit of [1, 2, 5, 6, 100]) {
        checkSame(`${name}: pages of ${limit}`, await allPages(daemon, limit), sorted);
    }
    const part = await page(daemon, `?prefix=${encodeURIComponent('list/')}`);
    checkSame(`${name}: prefix`, part.sessions.map((session) => session.id),
              sorted.filter((id) => id.startsWith('list/')));
    for (const session of part.sessions) {
        check(`${name}: ${session.id} has an ordinal and times`,
              BigInt(session.ordinal) > 0n && Date.parse(session.created) > 0 &&
              session.updated >= session.created && typeof session.running === 'boolean', session);
    }
}

async function list() {
    let daemon = await Daemon.start();
    const { dir, port } = daemon;
    checkSame('nothing is there', await page(daemon, ''), { sessions: [] });
    for (const id of ids) {
        await submit(daemon, id);
    }
    await verify(daemon, 'fresh');
    await daemon.kill();
    daemon = await Daemon.start({ dir, port });
    await verify(daemon, 'after kill -9');
    await daemon.stop();
    daemon = await Daemon.start({ dir, port });
    await verify(daemon, 'after a stop');
    const printed = runProgram(ssctlFile, ['session', 'list', '--url', `http://127.0.0.1:${port}`,
                                           '--prefix', 'list/', '--after', 'list/a b',
                                           '--limit', '1']);
    checkSame('ssctl prints a page',
              JSON.parse(printed.output).sessions.map((session) => session.id), ['list/z']);
    const refused = await request(port, 'GET', '/v1/sessions?limit=0');
    checkSame('a limit of 0 is refused', refused.status, 400);
    await daemon.stop();
}

await main({ list });
