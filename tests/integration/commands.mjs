// Idempotency keys: a command runs once, however often it is sent and whenever the daemon dies.
import { Client, Daemon, argument, check, checkSame, main, request, runProgram, ssctlFile, within }
    from './harness.mjs';

const rounds = Number(argument('rounds', process.env.SS_TEST_ROUNDS ?? '10'));
const flags = ['--app', 'bench'];
const type = 'type.googleapis.com/sessionstream.apps.bench.v1.BenchPublishCommand';

function post(port, sessionId, key, body, command = 'BenchPublish') {
    return request(port, 'POST', `/v1/sessions/${sessionId}/commands/${command}`,
                   JSON.stringify(body), key === undefined ? {} : { 'Idempotency-Key': key });
}

async function ordinalOf(port, sessionId) {
    const { body } = await request(port, 'GET', `/v1/sessions/${sessionId}/snapshot`);
    return JSON.parse(body).snapshotOrdinal ?? '0';
}

async function http() {
    let daemon = await Daemon.start({ flags });
    const { dir, port } = daemon;
    const first = await post(port, 's', 'k', { sentNs: '1' });
    checkSame('the first runs', [first.status, first.headers['idempotency-replayed']],
              [200, undefined]);
    const again = await post(port, 's', 'k', { sentNs: '1' });
    checkSame('a retry gets the same answer, marked',
              [again.status, again.body, again.headers['idempotency-replayed']],
              [200, first.body, 'true']);
    const other = await post(port, 's', 'k', { sentNs: '2' });
    const problem = JSON.parse(other.body);
    checkSame('another payload is a conflict', [other.status, problem.code], [409, 'conflict']);
    check('it names the key', problem.detail.includes('"k"'), problem);
    checkSame('an empty key is refused', (await post(port, 's', '', {})).status, 400);
    checkSame('255 bytes are taken', (await post(port, 's', 'k'.repeat(255), {})).status, 200);
    checkSame('256 are not', (await post(port, 's', 'k'.repeat(256), {})).status, 400);
    checkSame('two events are there', await ordinalOf(port, 's'), '2');
    const metrics = (await request(port, 'GET', '/metrics')).body;
    check('metrics count the keys', /sessionstream_idempotency_keys\{shard="\d"\} 2\n/.test(metrics) &&
          /sessionstream_idempotent_replays_total\{shard="\d"\} 1\n/.test(metrics));
    await daemon.stop();
    daemon = await Daemon.start({ dir, port, flags });
    const later = await post(port, 's', 'k', { sentNs: '1' });
    checkSame('after a stop', [later.body, later.headers['idempotency-replayed']],
              [first.body, 'true']);
    await daemon.stop();
}

async function websocket() {
    const daemon = await Daemon.start({ flags });
    const submit = { requestId: 'r', sessionId: 's', name: 'BenchPublish', idempotencyKey: 'k',
                     payload: { '@type': type, sentNs: '1' } };
    for (const protocol of ['sessionstream.v2.json', undefined]) {
        const client = await Client.connect(daemon.port, { protocol });
        client.send({ submit });
        client.send({ submit });
        const answers = await client.take('accepted', 2);
        const replayed = { requestId: 'r', sessionId: 's', ordinal: '1', replayed: true };
        checkSame(`${protocol}: the second is the first again`, answers[1].accepted, replayed);
        client.send({ submit: { ...submit, payload: { '@type': type, sentNs: '2' } } });
        const [{ error }] = await client.take('error', 1);
        checkSame(`${protocol}: another payload`, [error.code, error.requestId, error.replayed],
                  ['conflict', 'r', undefined]);
        await client.close();
    }
    checkSame('one event is there', await ordinalOf(daemon.port, 's'), '1');
    await daemon.stop();
}

async function ssctl() {
    const daemon = await Daemon.start({ flags });
    const args = ['submit', 's', 'BenchPublish', '{}', '--idempotency-key', 'k',
                  '--url', `http://127.0.0.1:${daemon.port}`];
    const first = runProgram(ssctlFile, args);
    const again = runProgram(ssctlFile, args);
    checkSame('ssctl prints the same twice', [again.status, again.output], [0, first.output]);
    checkSame('one event is there', await ordinalOf(daemon.port, 's'), '1');
    await daemon.stop();
}

async function expiry() {
    const daemon = await Daemon.start({ flags: [...flags, '--idempotency-ttl', '1s'] });
    await post(daemon.port, 's', 'k', {});
    let answer;
    do {    // until the time is over
        answer = await post(daemon.port, 's', 'k', {});
    } while (answer.headers['idempotency-replayed'] === 'true');
    checkSame('it runs again', JSON.parse(answer.body).ordinal, '2');
    await daemon.stop();
}

// Sends keyed commands without pause and kills the daemon when a random number of answers has come.
async function sendAndKill(daemon, sent, answered, next) {
    const target = 1 + Math.floor(Math.random() * 200);
    let count = 0;
    let kill;
    const killed = new Promise((resolve) => { kill = resolve; });
    const writer = async (session) => {
        for (;;) {
            const key = `key-${next()}`;
            sent.set(key, session);
            try {
                const answer = await post(daemon.port, session, key, { sentNs: key.slice(4) });
                if (answer.status !== 200) {
                    answered.set('refused', answer.body);
                }
                answered.set(key, JSON.parse(answer.body).ordinal);
            } catch {
                return;    // the daemon is gone, and nobody knows what became of this one
            }
            if (++count === target) {
                daemon.signal('SIGKILL');
                kill();
            }
        }
    };
    const writers = ['a', 'b', 'c'].flatMap((session) => [writer(session), writer(session)]);
    await within(killed, `${target} answers`);
    await within(daemon.exited, 'death of the daemon');
    await Promise.all(writers);
    return target;
}

async function crashes() {
    const sent = new Map();
    const answered = new Map();
    let number = 0;
    let daemon = await Daemon.start({ flags });
    const { dir, port } = daemon;
    for (let round = 1; round <= rounds; round++) {
        const target = await sendAndKill(daemon, sent, answered, () => ++number);
        const checked = runProgram(ssctlFile, ['store', 'check', dir]);
        check(`round ${round}: killed after ${target} answers, the store is clean`,
              checked.status === 0, checked.output);
        checkSame(`round ${round}: nothing was refused`, answered.get('refused'), undefined);
        daemon = await Daemon.start({ dir, port, flags });
        const wrong = [];
        for (const [key, session] of sent) {    // each is sent again
            const answer = await post(port, session, key, { sentNs: key.slice(4) });
            const { ordinal } = JSON.parse(answer.body);
            const was = answered.get(key);
            const replayed = answer.headers['idempotency-replayed'] === 'true';
            if (answer.status !== 200 || (was !== undefined && (was !== ordinal || !replayed))) {
                wrong.push([key, was, answer.status, ordinal, replayed]);
            }
            answered.set(key, ordinal);
        }
        checkSame(`round ${round}: what was answered is answered again`, wrong, []);
        for (const session of ['a', 'b', 'c']) {
            const keys = [...sent].filter(([, of]) => of === session);
            const ordinals = new Set(keys.map(([key]) => answered.get(key)));
            check(`round ${round}, ${session}: every command has run once`,
                  ordinals.size === keys.length &&
                  await ordinalOf(port, session) === String(keys.length),
                  `${keys.length} commands, ${await ordinalOf(port, session)} events`);
        }
    }
    await daemon.stop();
}

await main({ http, websocket, ssctl, expiry, crashes });
