// Invariants I1 and I4 under kill -9: what was accepted is there, without gaps, and a snapshot is
// the fold of the log. Needs --daemon and --ssctl; --kills N, --seed N, --durability MODE,
// --answers N (at most so many before a kill), --recoveries N (starts after each).
import fs from 'node:fs';
import path from 'node:path';

import { Client, Daemon, argument, check, main, request, runProgram, ssctlFile,
         within } from '../integration/harness.mjs';

const kills = Number(argument('kills', '20'));
const seed = Number(argument('seed', '1'));
const durability = argument('durability', 'fsync');
const recoveries = Number(argument('recoveries', '2'));
const hotSessions = 12;
const entities = 40;
const inFlight = 64;
const writers = 3;
const answersMax = Number(argument('answers', '6000'));
const type = 'type.googleapis.com/sessionstream.apps.bench.v1.BenchPublishCommand';
// Small enough that log files roll, tails straggle and states leave memory all the time.
const flags = ['--app', 'bench', '--app-option', `entities=${entities}`,
               '--log-window', '1MiB', '--session-cache', '1MiB', '--durability', durability];

// A small generator, so that a seed repeats the choices.
function randomFrom(start) {
    let state = start >>> 0 || 1;
    return (below) => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 0) % below;
    };
}

const random = randomFrom(seed * 2654435761);

// What the clients know of a session: submits by their number, accepted ordinals with what they
// hold, the epoch that was shown.
class Journal {
    constructor() {
        this.sessions = new Map();
    }

    of(sessionId) {
        if (!this.sessions.has(sessionId)) {
            this.sessions.set(sessionId, { sent: new Map(), accepted: new Map(), newest: 0,
                                           epoch: null });
        }
        return this.sessions.get(sessionId);
    }
}

function pickSession(round) {
    // Some live through all rounds, some are young, some come once.
    const kind = random(10);
    return kind < 7 ? `hot-${random(hotSessions)}`
         : kind < 9 ? `round-${round}-${random(30)}` : `once-${round}-${random(100000)}`;
}

let number = 1;    // names a submit; its sentNs and, as text, in its payload

function submitOne(client, journal, round, waiting) {
    const sessionId = pickSession(round);
    const id = number++;
    const entity = random(entities);
    const payload = Buffer.from(`${id}:`.padEnd(16 + random(random(8) === 0 ? 6000 : 400), 'x'));
    journal.of(sessionId).sent.set(id, entity);
    waiting.set(`r${id}`, { sessionId, id, entity });
    client.submit(sessionId, 'BenchPublish',
                  { '@type': type, payload: payload.toString('base64'), sentNs: `${id}`, entity },
                  `r${id}`);
}

function write(client, journal, round, onAnswer, refused) {
    const waiting = new Map();
    client.onFrame = (frame) => {
        const answer = frame.accepted ?? frame.error;
        const what = waiting.get(answer?.requestId);
        waiting.delete(answer?.requestId);
        if (frame.accepted !== undefined && what !== undefined) {
            const session = journal.of(what.sessionId);
            const ordinal = Number(frame.accepted.ordinal);
            session.accepted.set(ordinal, what);
            session.newest = Math.max(session.newest, ordinal);
        } else {
            refused.push(frame);
        }
        onAnswer();
        if (client.ended === undefined) {
            submitOne(client, journal, round, waiting);
        }
    };
    for (let i = 0; i < inFlight; i++) {
        submitOne(client, journal, round, waiting);
    }
}

async function writeAndKill(daemon, journal, round) {
    const target = 1 + random(answersMax);
    const stopped = random(8) === 0;    // frozen for a moment in the middle
    const refused = [];
    let count = 0;
    let reached;
    const killed = new Promise((resolve) => { reached = resolve; });
    const onAnswer = () => {
        count++;
        if (stopped && count === target >> 1) {
            daemon.signal('SIGSTOP');
            setTimeout(() => daemon.signal('SIGCONT'), 30);
        }
        if (count === target) {
            daemon.signal('SIGKILL');
            reached();
        }
    };
    const clients = [];
    for (let i = 0; i < writers; i++) {
        clients.push(await Client.connect(daemon.port, { protocol: 'sessionstream.v2.json' }));
    }
    clients.forEach((client) => write(client, journal, round, onAnswer, refused));
    await within(killed, `${target} answers`);
    await within(daemon.exited, 'death of the daemon');
    await Promise.all(clients.map((client) => client.closed));
    return { target, refused };
}

const numberOf = (entity) => Number(Buffer.from(entity.payload.payload ?? '', 'base64').toString()
    .split(':')[0] || entity.payload.sentNs);

// What is wrong with a session, as texts.
function judge(sessionId, known, snapshot) {
    const faults = [];
    const ordinal = Number(snapshot.snapshotOrdinal ?? snapshot.ordinal ?? 0);
    if (ordinal < known.newest) {
        faults.push(`${sessionId}: accepted ${known.newest}, stored ${ordinal}`);
    }
    // Without a sync before each ack, clients are to notice an unclean end.
    if (durability === 'fsync' && known.epoch !== null && snapshot.epoch !== known.epoch) {
        faults.push(`${sessionId}: epoch ${known.epoch} became ${snapshot.epoch}`);
    }
    known.epoch = snapshot.epoch;
    if (ordinal > known.sent.size) {
        faults.push(`${sessionId}: ${ordinal} events of ${known.sent.size} submits`);
    }
    const last = new Map();    // the fold of what is known to be in the log
    for (const [at, what] of known.accepted) {
        if (at > (last.get(what.entity)?.at ?? 0)) {
            last.set(what.entity, { at, id: what.id });
        }
    }
    const shown = new Map((snapshot.entities ?? []).map((entity) =>
        [Number(String(entity.id).replace(/\D/g, '')), entity]));
    for (const [entity, { at, id }] of last) {
        const stored = shown.get(entity);
        const storedAt = Number(stored?.lastEventOrdinal ?? 0);
        if (stored === undefined || storedAt < at || (storedAt === at && numberOf(stored) !== id)) {
            faults.push(`${sessionId}/${entity}: event ${at} (${id}) is not in ` +
                        `${JSON.stringify(stored)?.slice(0, 200)}`);
        } else if (storedAt > at && (known.accepted.has(storedAt) ||
                                     known.sent.get(numberOf(stored)) !== entity)) {
            faults.push(`${sessionId}/${entity}: shows ${storedAt}, which is another's`);
        }
    }
    return faults;
}

async function verify(daemon, journal, all) {
    const faults = [];
    for (const [sessionId, known] of journal.sessions) {
        if (!all && !sessionId.startsWith('hot-') && random(10) !== 0) {
            continue;
        }
        const read = await request(daemon.port, 'GET', `/v1/sessions/${sessionId}/snapshot`);
        if (read.status === 200) {
            faults.push(...judge(sessionId, known, JSON.parse(read.body)));
        } else if (read.status !== 404 || known.newest > 0) {
            faults.push(`${sessionId}: ${read.status} ${read.body}`);
        }
    }
    return faults;
}

function checkStore(dir) {
    const checked = runProgram(ssctlFile, ['store', 'check', dir]);
    return checked.status === 0 ? '' : checked.output;
}

async function torture() {
    const journal = new Journal();
    let daemon = await Daemon.start({ flags });
    const { dir, port } = daemon;
    let total = 0;
    for (let round = 1; round <= kills; round++) {
        const { target, refused } = await writeAndKill(daemon, journal, round);
        total += target;
        const copy = path.join(path.dirname(dir), 'killed');
        fs.rmSync(copy, { recursive: true, force: true });
        fs.cpSync(dir, copy, { recursive: true });    // kept if something is wrong with it
        let damage = checkStore(dir);
        // A start that is cut short, too, leaves what the next one needs.
        for (let i = 1; i < recoveries; i++) {
            daemon = await Daemon.start({ dir, port, flags });
            await daemon.kill();
            damage += checkStore(dir);
        }
        daemon = await Daemon.start({ dir, port, flags });
        const faults = await verify(daemon, journal, round % 5 === 0 || round === kills);
        const good = check(`kill ${round} (seed ${seed}, ${durability}, ${target} answers): ` +
                           'acked is kept, the store is clean',
                           damage === '' && faults.length === 0 && refused.length === 0,
                           { damage, faults: faults.slice(0, 5), refused: refused.slice(0, 2) });
        if (!good) {
            fs.cpSync(copy, `${path.dirname(dir)}-kept-${round}`, { recursive: true });
            console.log(`the directory as it was: ${path.dirname(dir)}-kept-${round}`);
            break;
        }
    }
    console.log(`${total} answers, ${journal.sessions.size} sessions`);
    await daemon.stop();
    check('after an orderly stop the store is clean', checkStore(dir) === '');
}

await main({ torture });
