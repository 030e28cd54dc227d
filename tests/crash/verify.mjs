// Compares what a daemon has with what the journal says it must have.
import crypto from 'node:crypto';
import { Fold, payloadOf, shownIn, textOf } from './fold.mjs';

const atOnce = 8;    // sessions that are read at the same time

// The sessions to look at: those with something new, and @extra others.
export function choose(journal, random, extra) {
    const sessions = [...journal.sessions.values()];
    const rest = sessions.filter((session) => !session.touched);
    return sessions.filter((session) => session.touched)
        .concat(random.shuffled(rest).slice(0, extra));
}

// Events that retention has dropped unread are those that were imported: each has its ordinal.
function dropped(session, after, first) {
    const puts = session.puts.slice(after, first - 1);
    return puts.map((put, i) => ({ ordinal: String(after + 1 + i), payload: payloadOf(put) }));
}

// Snapshot and events of a session behind what has been judged: { status, snapshot, events }.
// @whole: as many as there are.
async function readOne(http, session, from, whole = false) {
    const path = `/v1/sessions/${session.id}`;
    const answer = await http.ask('GET', `${path}/snapshot`);
    if (answer.status !== 200) {
        return { session, status: answer.status, text: answer.text, events: [] };
    }
    const snapshot = JSON.parse(answer.text);
    const events = [];
    let after = from;
    for (let more = Number(snapshot.snapshotOrdinal ?? 0) > from; more;) {
        const page = await http.ask('GET', `${path}/events?after=${after}`);
        const { events: some, more: others, firstRetained } = JSON.parse(page.text);
        const first = Number(firstRetained ?? 0);
        if (page.status === 410 && first > after + 1 &&
            (whole || (session.puts?.length ?? 0) >= first - 1)) {
            events.push(...(whole ? [] : dropped(session, after, first)));
            after = first - 1;
            more = after < Number(snapshot.snapshotOrdinal);
            continue;
        }
        if (page.status !== 200 || some.length === 0) {
            return { session, status: page.status, text: page.text, events };
        }
        events.push(...some);
        after = Number(some.at(-1).ordinal);
        more = others ?? false;
    }
    return { session, status: 200, text: answer.text, snapshot, events };
}

export async function read(http, sessions) {
    const left = [...sessions];
    const found = [];
    await Promise.all(Array.from({ length: atOnce }, async () => {
        for (let session; (session = left.pop()) !== undefined;) {
            found.push(await readOne(http, session, session.fold.ordinal));
        }
    }));
    return found.sort((a, b) => (a.session.id < b.session.id ? -1 : 1));
}

// One text for equal contents. Epochs count only @withEpochs.
export function digest(found, withEpochs) {
    const hash = crypto.createHash('sha1');
    for (const { session, status, text, snapshot, events } of found) {
        const { epoch, cursor, ...rest } = snapshot ?? {};
        const contents = session.kind !== 'import' ? events
            : events.map(({ ordinal, payload }) => [ordinal, textOf(payload)]);
        hash.update(JSON.stringify([session.id, status, snapshot === undefined ? text : rest,
                                    withEpochs ? [epoch, cursor] : [], contents]));
    }
    return hash.digest('hex');
}

function judgeAbsent(session, faults) {
    session.puts = session.answered = session.asked = undefined;    // an import begins anew
    if (session.deleting) {
        session.begin();
        session.deleting = false;
    } else if (session.accepted.size > 0 || session.fold.ordinal > 0) {
        faults.push(`${session.id}: it had ${session.fold.ordinal} events and ` +
                    `${session.accepted.size} more were acknowledged; it is gone`);
    }
    session.sent.clear();    // nobody waits, so they never come
}

function judgeEpoch(session, epoch, changes, faults) {
    const before = session.changes;
    if (session.epoch !== null && session.lifeSeen) {
        if (epoch !== session.epoch && changes.certain === before.certain &&
            changes.perhaps === before.perhaps && !session.remade) {
            faults.push(`${session.id}: the epoch ${session.epoch} became ${epoch}`);
        } else if (epoch === session.epoch && changes.certain > before.certain) {
            faults.push(`${session.id}: the epoch is ${epoch} as before an unclean end`);
        }
    } else if (epoch === session.epoch) {
        faults.push(`${session.id}: the epoch ${epoch} is that of a former life`);
    }
    session.epoch = epoch;
    session.changes = changes;
    session.remade = false;
    session.lifeSeen = true;
}

// Takes the events into the fold; each must be the next and one that was sent.
function takeEvents(session, events, faults) {
    let next = null;    // what has to follow within a command
    for (const { ordinal, payload } of events) {
        const number = Number(payload?.number ?? 0);
        const part = payload?.part ?? 0;
        const put = session.sent.get(number);
        if (Number(ordinal) !== session.fold.ordinal + 1) {
            faults.push(`${session.id}: event ${ordinal} after ${session.fold.ordinal}`);
            return;
        }
        if (put === undefined || textOf(payloadOf(put), part) !== textOf(payload)) {
            faults.push(`${session.id}: event ${ordinal} is ` +
                        `${JSON.stringify(payload).slice(0, 200)}, sent was ` +
                        JSON.stringify(put));
            return;
        }
        if (session.stored.has(number) || part !== (next?.part ?? 0) ||
            (next !== null && number !== next.number)) {
            faults.push(`${session.id}: event ${ordinal} is part ${part} of ${number} (stored at ` +
                        `${session.stored.get(number)}), due is ${JSON.stringify(next)}`);
            return;
        }
        session.fold.take(Number(ordinal), payload, put.refused ?? false);
        next = part + 1 < put.parts ? { number, part: part + 1 } : null;
        if (next === null) {
            session.stored.set(number, Number(ordinal));
        }
    }
    if (next !== null) {
        faults.push(`${session.id}: it ends within ${JSON.stringify(next)}`);
    }
}

function judgeAccepted(session, faults) {
    for (const [number, ordinal] of session.accepted) {
        const stored = session.stored.get(number);
        if (stored === undefined || (ordinal !== 0 && stored !== ordinal)) {
            faults.push(`${session.id}: ${number} was acknowledged at ${ordinal}, stored is ` +
                        `${stored}`);
        }
    }
    if (session.kind === 'import' && session.asked !== undefined) {
        const stored = session.fold.ordinal;
        if (stored !== session.answered && stored !== session.asked) {
            faults.push(`${session.id}: an import up to ${session.asked} behind ` +
                        `${session.answered} is stored up to ${stored}`);
        }
        session.answered = session.asked = stored;
        session.puts.length = Math.min(session.puts.length, stored);
    }
    session.accepted.clear();
    session.sent.clear();
}

// A rebuild that was not answered has happened as a whole, or not at all.
function judgeTally(session, shown, faults) {
    const { fold } = session;
    fold.mend(session.mended);
    if (shown.tallyText() !== fold.tallyText() && session.mending) {
        fold.mend(fold.ordinal);
    }
    if (shown.tallyText() !== fold.tallyText()) {
        faults.push(`${session.id}: the tally shows ${shown.tallyText()}, not ${fold.tallyText()}`);
    }
    session.mending = false;
}

// @changes: how often every epoch has changed so far, and may have. Returns faults as texts.
export function judge(found, changes) {
    const faults = [];
    for (const { session, status, text, snapshot, events } of found) {
        const ordinal = Number(snapshot?.snapshotOrdinal ?? 0);
        session.touched = false;
        if (status === 404 || (status === 200 && ordinal === 0)) {
            judgeAbsent(session, faults);
            continue;
        }
        if (status !== 200) {
            faults.push(`${session.id}: ${status} ${text}`);
            continue;
        }
        session.deleting = false;    // it did not happen
        judgeEpoch(session, snapshot.epoch, changes, faults);
        takeEvents(session, events, faults);
        judgeAccepted(session, faults);
        const shown = shownIn(snapshot);
        if (shown.ordinal !== session.fold.ordinal) {
            faults.push(`${session.id}: a snapshot of ${shown.ordinal}, ` +
                        `${session.fold.ordinal} events`);
        } else if (shown.boardText() !== session.fold.boardText()) {
            faults.push(`${session.id}: the snapshot is not the fold of the log: ` +
                        `${shown.boardText().slice(0, 300)} / ` +
                        session.fold.boardText().slice(0, 300));
        }
        judgeTally(session, shown, faults);
    }
    return faults;
}

// Sends commands again that were not answered, and some that were: one result each.
export async function sendAgain(http, journal, random, some) {
    const faults = [];
    const open = [...journal.keys].filter(([, known]) => known.ordinal === 0);
    const answered = random.shuffled([...journal.keys].filter(([, { ordinal }]) => ordinal !== 0));
    for (const [key, known] of [...open, ...answered.slice(0, some)]) {
        const { status, headers, text } = await http.command(known.session.id,
                                                             payloadOf(known.put), key);
        const ordinal = status === 200 ? Number(JSON.parse(text).ordinal) : 0;
        const replayed = headers['idempotency-replayed'] === 'true';
        if (status !== 200 || (known.ordinal !== 0 && (ordinal !== known.ordinal || !replayed))) {
            faults.push(`${key}: answered with ${known.ordinal}, sent again ${status} ${text} ` +
                        `replayed ${replayed}`);
        }
        if (known.ordinal === 0) {
            known.session.sent.set(known.put.number, known.put);
            journal.ackKey(key, ordinal);
        }
    }
    return faults;
}

// Whether an imported session is shown as it was after event @at. Returns faults as texts.
export async function lookBack(http, session, at) {
    const answer = await http.ask('GET', `/v1/sessions/${session.id}/snapshot?at=${at}`);
    const fold = new Fold();
    session.puts.slice(0, at).forEach((put, i) => fold.take(i + 1, payloadOf(put)));
    const shown = answer.status === 200 ? shownIn(JSON.parse(answer.text)) : null;
    return shown?.boardText() === fold.boardText() && shown.tallyText() === fold.tallyText()
        ? [] : [`${session.id} as of ${at}: ${answer.status} ${answer.text.slice(0, 300)}`];
}

// Imported sessions that have lost events are shown as of the last of them, as of another one, and
// are rebuilt from what is left.
export async function verifyRetained(http, journal, random) {
    const faults = [];
    let count = 0;
    for (const session of journal.sessions.values()) {
        const path = `/v1/sessions/${session.id}`;
        const page = session.puts === undefined || session.fold.ordinal === 0
            ? { status: 0 } : await http.ask('GET', `${path}/events`);
        if (page.status !== 410) {
            continue;
        }
        const base = Number(JSON.parse(page.text).firstRetained) - 1;
        const later = base + random.below(session.fold.ordinal - base + 1);
        faults.push(...await lookBack(http, session, base),
                    ...await lookBack(http, session, later));
        const { status, text } = await http.ask('POST', `${path}/rebuild`);
        if (status !== 200) {
            faults.push(`${session.id}: a rebuild after event ${base}: ${status} ${text}`);
        }
        faults.push(...await lookBack(http, session, session.fold.ordinal));
        count++;
    }
    return { faults, count };
}

// Reads a session from its first event and compares with all that was read of it piece by piece.
export async function readWhole(http, session) {
    const { events, status } = await readOne(http, session, 0, true);
    const faults = [];
    const first = Number(events[0]?.ordinal ?? 1);
    let last = first - 1;
    let end = new Map();
    for (const { ordinal, payload } of events) {
        if (Number(ordinal) !== ++last) {
            faults.push(`${session.id}: event ${ordinal} at ${last}`);
        }
        end.set(Number(payload.number), last);
    }
    const same = [...end].every(([number, ordinal]) => session.stored.get(number) === ordinal);
    const kept = [...session.stored.values()].filter((ordinal) => ordinal >= first);
    if (session.fold.ordinal > 0 && (status !== 200 || last !== session.fold.ordinal || !same ||
                                     end.size !== kept.length)) {
        faults.push(`${session.id}: ${status}, ${last} events of ${end.size} commands; known are ` +
                    `${session.fold.ordinal} of ${session.stored.size}`);
    }
    return faults;
}
