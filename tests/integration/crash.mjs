// Invariant I4: what was accepted is there after kill -9 at any moment.
import { Client, Daemon, argument, check, checkSame, main, request, runProgram, ssctlFile,
         startInference } from './harness.mjs';
import { join } from './timeline.mjs';

const rounds = Number(argument('rounds', process.env.SS_TEST_ROUNDS ?? '10'));
const sessions = ['crash-a', 'crash-b', 'crash-c', 'crash-d'];
const writersPerSession = 2;
const inFlight = 4;
const submitsMax = 150;

// Submits without pause and journals the ordinals accepted, until the daemon is gone.
function write(client, sessionId, journal, onAccepted) {
    let unanswered = 0;
    const pump = () => {
        while (unanswered < inFlight && client.ended === undefined) {
            unanswered++;
            client.submit(sessionId, 'ChatStartInference', startInference('survive this, please'));
        }
    };
    client.onFrame = (frame) => {
        unanswered--;
        if (frame.accepted !== undefined) {
            const ordinal = BigInt(frame.accepted.ordinal);
            if (ordinal > (journal.get(sessionId) ?? 0n)) {
                journal.set(sessionId, ordinal);
            }
            onAccepted();
        } else {
            journal.set('refused', frame);
        }
        pump();
    };
    pump();
}

// Writes until a random number of submits was accepted, and a follower has seen what it has.
async function writeAndKill(daemon, journal, seen) {
    const target = 1 + Math.floor(Math.random() * submitsMax);
    let count = 0;
    const clients = [];
    for (const sessionId of sessions) {
        const follower = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.json' });
        follower.onFrame = ({ uiEvent }) => {
            if (uiEvent !== undefined) {
                seen.set(sessionId, uiEvent);
            }
        };
        follower.send({ subscribe: { sessionId } });
        clients.push(follower);
    }
    const killed = new Promise((resolve) => {
        const onAccepted = () => {
            if (++count === target) {
                daemon.signal('SIGKILL');
                resolve();
            }
        };
        (async () => {
            for (const sessionId of sessions) {
                for (let i = 0; i < writersPerSession; i++) {
                    const client = await Client.connect(daemon.port).catch(() => null);
                    if (client !== null) {
                        clients.push(client);
                        write(client, sessionId, journal, onAccepted);
                    }
                }
            }
        })();
    });
    await killed;
    await daemon.exited;
    await Promise.all(clients.map((client) => client.closed));
    return target;
}

function checkMessages(name, timeline) {
    const bad = [...timeline.entities.values()].filter(({ payload }) =>
        payload.role === 'assistant' && !['finished', 'stopped', 'interrupted']
            .includes(payload.status));
    check(`${name}: no answer is left streaming`, bad.length === 0, bad.slice(0, 2));
    const created = [...timeline.entities.values()].map((entity) => BigInt(entity.createdOrdinal));
    check(`${name}: every message has its own ordinal`, new Set(created).size === created.length);
}

async function verify(daemon, journal, seen, round) {
    for (const sessionId of sessions) {
        const name = `round ${round}, ${sessionId}`;
        const client = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.json' });
        const timeline = await join(client, sessionId);
        check(`${name}: readable, without gaps`, timeline.snapshots === 1 &&
              timeline.faults.length === 0, timeline.faults);
        const accepted = journal.get(sessionId) ?? 0n;
        check(`${name}: nothing accepted is lost`, timeline.ordinal >= accepted,
              `accepted ${accepted}, snapshot ${timeline.ordinal}`);
        const shown = seen.get(sessionId);
        if (shown !== undefined) {
            check(`${name}: nothing shown is lost`,
                  timeline.ordinal >= BigInt(shown.eventOrdinal),
                  `shown ${shown.eventOrdinal}, snapshot ${timeline.ordinal}`);
            const read = await request(daemon.port, 'GET', `/v1/sessions/${sessionId}/snapshot`);
            checkSame(`${name}: the epoch is the same`, JSON.parse(read.body).epoch, shown.epoch);
        }
        checkMessages(name, timeline);
        await client.close();
    }
}

async function crashes() {
    const journal = new Map();
    const seen = new Map();
    const flags = ['--app-option', 'chunk_ms=1', '--app-option', 'chunk_bytes=4'];
    let daemon = await Daemon.start({ flags });
    const { dir, port } = daemon;
    for (let round = 1; round <= rounds; round++) {
        const target = await writeAndKill(daemon, journal, seen);
        const checked = runProgram(ssctlFile, ['store', 'check', dir]);
        check(`round ${round}: killed after ${target} accepted submits, the store is clean`,
              checked.status === 0, checked.output);
        checkSame(`round ${round}: nothing was refused`, journal.get('refused') ?? null, null);
        daemon = await Daemon.start({ dir, port, flags });
        await verify(daemon, journal, seen, round);
    }
    await daemon.stop();
}

await main({ crashes });
