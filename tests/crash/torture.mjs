// Invariants I1 to I4 under kill -9. Writers journal every answer outside the daemon; it is killed
// at random moments and at each kill point; after each restart what was acknowledged is there,
// once, in order, a snapshot is the fold of the log, and the store is clean. tools/torture runs it.
import fs from 'node:fs';
import path from 'node:path';

import { Daemon, argument, check, daemonFile, freePort, main, makeDirectory, runProgram, ssctlFile,
         within } from '../integration/harness.mjs';
import { Follower } from './follower.mjs';
import { payloadOf } from './fold.mjs';
import { Http } from './http.mjs';
import { Journal } from './journal.mjs';
import { Plan, listPoints } from './plan.mjs';
import { killedAt, startAndKill } from './processes.mjs';
import { Random } from './random.mjs';
import { choose, digest, judge, read, readWhole, sendAgain, verifyRetained } from './verify.mjs';
import { Load } from './workload.mjs';

const kills = Number(argument('kills', '20'));
const minutes = Number(argument('minutes', '0'));    // 0: until all kills are done
const seed = Number(argument('seed', '1'));
const durability = argument('durability', 'fsync');
const onlyPoint = argument('point', '');
const answersMax = Number(argument('answers', '1500'));    // before a kill at a random moment
const recoveries = Number(argument('recoveries', '5'));    // starts after each kill
const moduleFile = path.resolve(argument('module'));
// By then a point is reached, or the daemon is killed all the same. Retention looks at every session
// before it drops anything, and pauses meanwhile: the more there are, the longer that takes. Until
// then there is little load: of the sessions only those that are imported may get too long.
const answersForPoint = 4000;
const answersForCut = 12000;
const modes = ['fsync', 'interval:50ms', 'none'];
const wholeEvery = 10;           // rounds after which sessions are read from the first event on
const roundsMore = 12;           // for points that were chosen and not reached in time
const wholeExtra = 150;          // so many of those that did not change
const createEvery = onlyPoint === '' ? 4 : 1;
const retained = 1500;           // events of a session; more of one come only by import
const freezeMs = 30;
const stopMs = 150;              // an orderly stop that is killed has got so far at most

const random = new Random(seed);

// Small enough that log files roll, tails straggle and states leave memory all the time; now and
// then log files of other sizes come between.
function flagsFor(mode, broken) {
    return ['--app', moduleFile, '--app-option', `broken=${broken ? 1 : 0}`,
            '--store-map', '4GiB',    // 200 rounds fill it with much more than the tests' usual
            '--log-window', random.once(4) ? random.pick(['8MiB', '64MiB']) : '1MiB',
            '--session-cache', '1MiB', '--durability', mode,
            '--retain-events', String(retained), '--retain-sweep', '50ms',
            '--gateways', random.once(4) ? '2' : '1'];
}

function answersFor(point) {
    return point.startsWith('cut.') ? answersForCut : answersForPoint;
}

// @torn: a batch that was being written may be cut off, which the check cannot tell from damage.
function checkStore(dir, torn = false) {
    const { status, output } = runProgram(ssctlFile, ['store', 'check', dir]);
    const findings = output.split('\n').filter((line) => /^shard \d+: /.test(line));
    const harmless = torn && status === 1 && findings.length > 0 &&
        findings.every((line) => line.includes('the last batch was cut off'));
    return status === 0 || harmless ? [] : [`ssctl store check: ${status} ${output}`];
}

class Torture {
    constructor(points) {
        this.plan = new Plan(points, random, onlyPoint !== '');
        this.hasPoints = points.size > 0;
        this.base = makeDirectory();
        this.dir = path.join(this.base, 'data');
        this.journal = new Journal(path.join(this.base, 'journal'));
        this.followers = [];
        this.everFollowed = [];
        this.starts = 0;
        this.cuts = 0;
        this.creates = 0;
        this.cutSessions = 0;
        this.read = 0;
        this.mode = modes[0];
        this.epochs = { certain: 0, perhaps: 0 };    // changes so far
    }

    nextMode() {
        return durability === 'mixed' ? random.pick(modes) : durability;
    }

    // ---- the kill under load ----

    // Starts a daemon that ends at @choice; null when it did so before it served.
    async start(choice, flags) {
        this.starts++;
        try {
            this.latest = await Daemon.start({ dir: this.dir, port: this.port, flags,
                                               env: choice?.env ?? {} });
            return this.latest;
        } catch (error) {
            this.log = error.message;
            if (choice !== null && killedAt(error.message) === choice.name) {
                return null;
            }
            throw error;
        }
    }

    // Followers of a generation of hot sessions; old ones have seen enough.
    chooseFollowers(round) {
        const generation = Math.floor(round / 8);
        if (this.generation !== generation) {
            this.generation = generation;
            this.followers = [0, 1, 2, 3].map((i) => new Follower(`hot-${generation}-${i}`));
            this.everFollowed.push(...this.followers);
        }
    }

    // How the daemon of a round is to end.
    planKill(round) {
        const choice = this.plan.nextLoad(round % 2 === 1);
        const stops = choice === null ? random.once(4) : this.plan.stops.has(choice.name);
        return {
            choice,
            stops,                                  // after SIGTERM
            broken: round % 2 === 1,                // the tally is
            answers: choice !== null && !stops ? answersFor(choice.name)
                                               : 1 + random.below(answersMax),
            killAfter: choice === null && stops ? random.below(stopMs) : null,    // ms after that
            frozen: random.once(8),                 // for a moment in the middle
        };
    }

    // Ends @daemon when as many answers have come as were planned. Returns what counts them.
    killer(daemon, plan) {
        let answers = 0;
        return () => {
            answers++;
            if (plan.frozen && answers === plan.answers >> 1) {
                daemon.signal('SIGSTOP');
                setTimeout(() => daemon.signal('SIGCONT'), freezeMs);
            }
            if (answers === plan.answers) {
                daemon.signal(plan.stops ? 'SIGTERM' : 'SIGKILL');
                if (plan.killAfter !== null) {
                    setTimeout(() => daemon.signal('SIGKILL'), plan.killAfter);
                }
            }
            return answers;
        };
    }

    // Resolves with how it was killed, and faults.
    async killUnderLoad(round) {
        const plan = this.planKill(round);
        const { choice, stops, broken } = plan;
        this.modeBefore = this.mode;
        this.mode = this.nextMode();
        this.chooseFollowers(round);
        const daemon = await this.start(choice, flagsFor(this.mode, broken));
        if (daemon === null) {
            this.plan.settle(choice, true);
            return { how: `${choice.name}, pass ${choice.passes}, at the start`, faults: [],
                     stops: false };
        }
        let answers = 0;
        const count = this.killer(daemon, plan);
        const load = new Load({ port: this.port, journal: this.journal, random, round, broken,
                                followers: this.followers, stopping: stops,
                                past: choice?.name === 'past.part',
                                calmAfter: answersForPoint,
                                onAnswer: () => { answers = count(); } });
        const loaded = load.run();
        // A writer that was refused stops, so the number may never be reached.
        const stuck = setInterval(() => load.refused.length > 0 && daemon.signal('SIGKILL'), 1000);
        const { code, signal } = await within(daemon.exited, 'death of the daemon', 120000);
        clearInterval(stuck);
        await within(loaded, 'end of the clients');
        this.log = daemon.log;
        const faults = load.refused.map((answer) => JSON.stringify(answer));
        if (signal !== 'SIGKILL' && !(stops && code === 0)) {
            faults.push(`the daemon ended with ${code} ${signal}: ${daemon.log.slice(-1500)}`);
        }
        return { how: `${this.settle(plan)} after ${answers} answers${broken ? ', broken' : ''}`,
                 faults, stops };
    }

    // Tells the plan what became of its choice. Returns where the daemon was killed.
    settle({ choice, killAfter }) {
        if (choice === null) {
            return killAfter !== null ? `${killAfter} ms into a stop` : 'a random moment';
        }
        const reached = killedAt(this.log) === choice.name;
        this.plan.settle(choice, reached);
        return reached ? `${choice.name}, pass ${choice.passes},`
                       : `a random moment (not ${choice.passes} passes of ${choice.name})`;
    }

    // ---- recovery, again and again ----

    // A start that does not come to its end: at a point, or after some milliseconds. It may be of
    // another mode than the daemon that was killed, and change what that says of its log.
    async cutStart(broken, mode = this.nextMode()) {
        const flags = flagsFor(mode, broken);
        this.lateStarts += mode !== 'fsync';
        const choice = onlyPoint === '' && random.once(4) ? null : this.plan.nextStart();
        const how = choice === null ? { ms: random.below(150) } : { env: choice.env };
        this.cuts++;
        const { log, code, signal } = await startAndKill({ dir: this.dir, port: this.port, flags,
                                                           ...how });
        if (choice !== null) {
            this.plan.settle(choice, killedAt(log) === choice.name);
        }
        this.log += log;
        return signal === 'SIGKILL' ? [] : [`a start ended with ${code} ${signal}: ${log}`];
    }

    // What the contents are, as a fresh start shows them.
    async startAndRead(flags, sessions, faults) {
        const daemon = await this.start(null, flags);
        const http = new Http(this.port);
        const found = await read(http, sessions);
        this.read += sessions.length;
        this.digests.push(digest(found, durability === 'fsync'));
        this.log += daemon.log;
        if (new Set(this.digests).size > 1) {
            faults.push(`the ${this.digests.length}th start shows other contents`);
        }
        return { daemon, http, found };
    }

    // Each start finds what the one before it found. Leaves the last one running.
    async recover(broken, sessions, faults) {
        const flags = flagsFor(this.mode, broken);
        this.digests = [];
        this.lateStarts = 0;
        // A whole start may leave nothing in the log for the next one to pass.
        if (this.plan.ending && this.plan.missing().length > 0) {
            faults.push(...await this.cutStart(broken, this.mode));
        }
        for (let i = 1; i < recoveries; i++) {
            if (i % 2 === 0) {
                faults.push(...await this.cutStart(broken));
            } else {
                const { daemon, http } = await this.startAndRead(flags, sessions, faults);
                http.close();
                await daemon.kill();
            }
        }
        return this.startAndRead(flags, sessions, faults);
    }

    // Every epoch changes when a process is killed that synced later or never, as that of the round
    // before was after it had been read; with an orderly stop, unless that had come to its end. It
    // may change when a batch was cut off: that could as well be damage to an acknowledged one.
    countEpochs(stopping) {
        const late = this.mode !== 'fsync';
        this.epochs.certain += (this.modeBefore !== 'fsync') + (late && !stopping);
        this.epochs.perhaps += (late && stopping) + this.lateStarts +
                               this.log.includes('every epoch changes');
        return { ...this.epochs };
    }

    // Those who were cut off come back with their cursors, and know what the session is.
    async verifyFollowers() {
        const faults = [];
        for (const follower of this.followers) {
            await follower.connect(this.port);
            const { fold } = this.journal.session(follower.sessionId, 'open');
            await follower.reach(fold.ordinal);
            if (follower.fold.boardText() !== fold.boardText() ||
                follower.fold.tallyText() !== fold.tallyText()) {
                follower.fault(`it has ${follower.fold.boardText().slice(0, 300)}, stored is ` +
                               fold.boardText().slice(0, 300));
            }
            faults.push(...follower.faults.splice(0));
        }
        return faults;
    }

    // Commands with a key have one result, and are stored once.
    async verifyKeys(http) {
        const faults = await sendAgain(http, this.journal, random, 10);
        const keyed = [...this.journal.sessions.values()].filter((session) =>
            session.kind === 'keyed' && (session.touched || session.accepted.size > 0));
        return faults.concat(judge(await read(http, keyed), { ...this.epochs }));
    }

    // Everything after a kill. Returns how many sessions were looked at.
    async verify(round, stopping, faults) {
        const whole = round % wholeEvery === 0 || round === kills;
        const sessions = choose(this.journal, random, whole ? wholeExtra : 4);
        const { daemon, http, found } = await this.recover(round % 2 === 1, sessions, faults);
        faults.push(...judge(found, this.countEpochs(stopping)));
        faults.push(...await this.verifyFollowers());
        faults.push(...await this.verifyKeys(http));
        const cut = await verifyRetained(http, this.journal, random);
        faults.push(...cut.faults);
        this.cutSessions += cut.count;
        for (const session of whole ? sessions : []) {
            faults.push(...await readWhole(http, session));
        }
        this.forget(round);
        http.close();
        await daemon.kill();
        await Promise.all(this.followers.map((follower) => follower.client.closed));
        return sessions.length;
    }

    // What nobody will use again need not be read for ever.
    forget(round) {
        for (const [key, { session, ordinal }] of this.journal.keys) {
            const inUse = session.id.startsWith(`keyed-${Math.floor(round / 4)}-`);
            if (ordinal !== 0 && !inUse && random.once(4)) {
                this.journal.keys.delete(key);
            }
        }
    }

    // ---- a new directory ----

    // The first start ends somewhere; the next one makes the directory complete.
    async create() {
        const choice = this.plan.nextCreate();
        const dir = path.join(this.base, 'new', 'data');
        const flags = flagsFor(this.nextMode(), false);
        if (choice === null) {
            return null;
        }
        this.creates++;
        const { log, code, signal } = await startAndKill({ dir, port: this.port, flags,
                                                           env: choice.env });
        this.plan.settle(choice, killedAt(log) === choice.name);
        const faults = signal === 'SIGKILL' ? [] : [`${choice.name}: ${code} ${signal} ${log}`];
        const payload = payloadOf({ number: 1, parts: 3, place: 1, removes: false, odd: false,
                                    fillBytes: 10 });
        for (const want of [3, 6]) {
            const daemon = await Daemon.start({ dir, port: this.port, flags });
            const http = new Http(this.port);
            const { text } = await http.command('s', payload);
            http.close();
            await daemon.kill();
            if (JSON.parse(text).ordinal !== String(want)) {
                faults.push(`${choice.name}: the event after it got ${text}`);
            }
            faults.push(...checkStore(dir));
        }
        fs.rmSync(path.dirname(dir), { recursive: true });
        return { name: choice.name, faults };
    }

    // ---- all of it ----

    keep(round) {
        const kept = `${this.base}-kept-${round}`;
        fs.cpSync(this.base, kept, { recursive: true });
        console.log(`directory (data as it is, killed as it was) and journal: ${kept}`);
        console.log(`${this.log ?? ''}\n--- the latest:\n${this.latest?.log ?? ''}`.slice(-4000));
    }

    async round(round) {
        const copy = path.join(this.base, 'killed');
        const { how, faults, stops } = await this.killUnderLoad(round);
        fs.rmSync(copy, { recursive: true, force: true });
        fs.cpSync(this.dir, copy, { recursive: true });    // kept if something is wrong with it
        faults.push(...checkStore(this.dir, true));
        const sessions = await this.verify(round, stops, faults);
        faults.push(...checkStore(this.dir));
        const good = check(`kill ${round} (seed ${seed}, ${this.mode}): ${how}; ${sessions} ` +
                           'sessions are right', faults.length === 0,
                           faults.slice(0, 4).join('\n    '));
        if ((round % createEvery === 0 || this.plan.ending) && good && this.hasPoints) {
            const made = await this.create();
            return made === null ||
                check(`a new directory, cut at ${made.name}`, made.faults.length === 0,
                      made.faults.join('\n    '));
        }
        return good;
    }

    async run() {
        const end = minutes > 0 ? Date.now() + minutes * 60000 : Infinity;
        this.port = await freePort();
        let round = 1;
        for (let more = 0; more < roundsMore; round++) {
            this.plan.ending ||= round > kills || Date.now() >= end;
            more += this.plan.ending;
            if (this.plan.ending && this.plan.missing().length === 0) {
                break;
            }
            let good = false;
            try {
                good = await this.round(round);
            } finally {
                if (!good) {
                    this.keep(round);
                }
            }
            if (!good) {
                return;
            }
        }
        await this.finish(round - 1);
    }

    // Everything once more, from the first event on, after an orderly stop.
    async finish(rounds) {
        await (await this.start(null, flagsFor(this.mode, false))).stop();
        const faults = checkStore(this.dir);
        const daemon = await this.start(null, flagsFor(this.mode, false));
        const http = new Http(this.port);
        for (const session of this.journal.sessions.values()) {
            faults.push(...await readWhole(http, session));
        }
        http.close();
        await daemon.stop();
        check(`in the end all ${this.journal.sessions.size} sessions are right`,
              faults.length === 0, faults.slice(0, 4).join('\n    '));
        this.report(rounds);
    }

    report(rounds) {
        const { reached } = this.plan;
        const hits = [...reached.values()].reduce((sum, count) => sum + count, 0);
        const frames = this.everFollowed.reduce((sum, follower) => sum + follower.frames, 0);
        const answers = new Map();
        for (const [answer, count] of this.everFollowed.flatMap(({ answers: all }) => [...all])) {
            answers.set(answer, (answers.get(answer) ?? 0) + count);
        }
        console.log(`${rounds} kills under load, ${this.starts} starts, ${this.cuts} cut starts, ` +
                    `${this.creates} cut creations; ${this.journal.acks} acknowledgements, ` +
                    `${this.journal.sessions.size} sessions, read ${this.read} times; ` +
                    `followers got ${frames} frames and came back ` +
                    [...answers].map(([answer, count]) => `${count} times ${answer}`).join(', '));
        const untried = this.plan.untried();
        const { size } = this.plan.points;
        console.log(`sessions without their first events were looked at ${this.cutSessions} times`);
        console.log(`kill points: ${reached.size} of ${size} reached, ${hits} times`);
        if (rounds >= 2 * size) {
            check('every point was tried', untried.length === 0, untried.join(' '));
        }
        const missing = this.plan.missing();
        check('every point that was chosen was reached', missing.length === 0, missing.join(' '));
    }
}

const points = listPoints(daemonFile);

function wanted() {
    if (onlyPoint === '') {
        return points;
    }
    if (!points.has(onlyPoint)) {
        console.error(`--point ${onlyPoint}: the points are ${[...points.keys()].join(' ')}`);
        process.exit(2);
    }
    return new Map([[onlyPoint, points.get(onlyPoint)]]);
}

const chosen = wanted();
await main({ torture: () => new Torture(chosen).run() });
