// Invariant I4: what was accepted is there after kill -9 at any moment.
import { Client, Daemon, argument, check, checkSame, main, request, runProgram, ssctlFile,
         startInference, within } from './harness.mjs';
import { join } from './timeline.mjs';

const rounds = Number(argument('rounds', process.env.SS_TEST_ROUNDS ?? '10'));
const sessions = ['crash-a', 'crash-b', 'crash-c', 'crash-d'];
const writersPerSession = 2;
const inFlight = 4;
const framesMax = 600;

// Submits without pause and journals the ordinals accepted, until the daemon is gone.
function write(client, sessionId, journal, onFrame) {
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
        } else {
            journal.set('refused', frame);
        }
        onFrame();
        pump();
    };
    pump();
}

// Kills the daemon when a random number of answers and frames has come.
async function writeAndKill(daemon, journal, seen) {
    const target = 1 + Math.floor(Math.random() * framesMax);
    let count = 0;
    let kill;
    const killed = new Promise((resolve) => { kill = resolve; });
    const onFrame = () => {
        if (++count === target) {
            daemon.signal('SIGKILL');
            kill();
        }
    };
    const clients = [];
    const follow = async (sessionId) => {
        const follower = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.json' });
        clients.push(follower);
        follower.onFrame = ({ uiEvent }) => {
            if (uiEvent !== undefined) {
                seen.set(sessionId, uiEvent);
                onFrame();
            }
        };
        follower.send({ subscribe: { sessionId } });
    };
    for (const sessionId of sessions) {
        await follow(sessionId);
    }
    const writers = [];
    while (writers.length < sessions.length * writersPerSession) {
        writers.push(await Client.connect(daemon.port));
    }
    clients.push(...writers);
    writers.forEach((client, i) => write(client, sessions[i % sessions.length], journal, onFrame));
    await within(killed, `${target} frames`);
    await within(daemon.exited, 'death of the daemon');
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
        check(`round ${round}: killed after ${target} frames, the store is clean`,
              checked.status === 0, checked.output);
        checkSame(`round ${round}: nothing was refused`, journal.get('refused') ?? null, null);
        daemon = await Daemon.start({ dir, port, flags });
        await verify(daemon, journal, seen, round);
    }
    await daemon.stop();
}

await main({ crashes });
