// An orderly stop: 1001 to every websocket, status 0 in time; the second signal does not wait, nor
// does the first while the daemon starts.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { Client, Daemon, RawSocket, baseOptions, check, checkSame, daemonFile, main, request,
         runProgram, ssctlFile, startInference, within } from './harness.mjs';

// Beyond what a busy machine takes, below the stop timeouts that must not be waited for.
const limitMs = 20000;

async function orderly() {
    for (const signal of ['SIGTERM', 'SIGINT']) {
        const daemon = await Daemon.start();
        const idle = await Client.connect(daemon.port);
        const busy = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.json' });
        await busy.subscribe('s');
        busy.submit('s', 'ChatStartInference', startInference('long '.repeat(1000)));
        await busy.take('uiEvent', 4);
        const half = await RawSocket.connect(daemon.port);
        half.write('GET / HTTP/1.1\r\nHost');
        const began = performance.now();
        daemon.signal(signal);
        for (const [name, client] of [['an idle', idle], ['a following', busy]]) {
            const closed = await within(client.closed, 'close');
            checkSame(`${signal} closes ${name} client with 1001`, closed.code, 1001);
        }
        const { code } = await within(daemon.exited, 'exit');
        checkSame(`${signal} ends with status 0`, code, 0);
        check('in time', performance.now() - began < limitMs,
              `${performance.now() - began} ms`);
        check('the log says so', daemon.log.includes('msg="stopping"') &&
              daemon.log.includes('msg="stopped"'), daemon.log);
        await half.untilEnd();
        const again = await Daemon.start({ dir: daemon.dir });
        const after = await Client.connect(again.port);
        const snapshot = await after.subscribe('s');
        check('the interrupted answer is readable after the stop',
              snapshot.entities?.[1]?.payload.status === 'interrupted' &&
              snapshot.entities[1].payload.text.length > 0, snapshot.entities?.[1]?.payload.status);
        await again.stop();
    }
}

// A client that neither reads nor answers the close keeps the stop waiting, but not beyond the
// limit; a second signal ends it at once.
async function deafClient(daemon) {
    const deaf = await RawSocket.connect(daemon.port);
    deaf.write('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    await deaf.until((bytes) => bytes.includes('hello'), 'hello');
    deaf.socket.pause();
    return deaf;
}

async function bounded() {
    const daemon = await Daemon.start({ flags: ['--stop-timeout', '1s'] });
    const deaf = await deafClient(daemon);
    const began = performance.now();
    daemon.signal('SIGTERM');
    const { code } = await within(daemon.exited, 'exit');
    checkSame('a deaf client does not change the status', code, 0);
    check('nor holds the stop beyond its limit', performance.now() - began < limitMs);
    deaf.close();
}

async function secondSignal() {
    const daemon = await Daemon.start({ flags: ['--stop-timeout', '60s'] });
    const deaf = await deafClient(daemon);
    daemon.signal('SIGTERM');
    await daemon.says(/msg="stopping"/);
    const began = performance.now();
    daemon.signal('SIGTERM');
    const { code } = await within(daemon.exited, 'exit');
    check('a second signal ends it at once', performance.now() - began < limitMs);
    check('with 143, or 0 if the stop was faster', code === 143 || code === 0, String(code));
    deaf.close();
}

// A start that does not get on: its data directory has a pipe for the file that it reads first.
async function whileStarting() {
    const daemon = await Daemon.start();
    const client = await Client.connect(daemon.port);
    await client.subscribe('s');
    client.submit('s', 'ChatStartInference', startInference('kept'));
    await client.take('uiEvent', 1);
    await daemon.kill();
    const file = path.join(daemon.dir, 'sessionstream');
    for (const [signal, number] of [['SIGTERM', 15], ['SIGINT', 2]]) {
        fs.renameSync(file, `${file}.aside`);
        checkSame('a pipe is made', spawnSync('mkfifo', [file]).status, 0);
        const child = spawn(daemonFile, ['--listen', `127.0.0.1:${daemon.port}`, '--data',
                                         daemon.dir, ...baseOptions],
                            { stdio: ['ignore', 'inherit', 'pipe'] });
        let log = '';
        child.stderr.on('data', (bytes) => { log += bytes; });
        const exited = new Promise((resolve) => {
            child.once('close', (code) => resolve(code));
        });
        const pipe = await within(fs.promises.open(file, 'w'), 'reader of the pipe');
        child.kill(signal);
        const code = await within(exited, 'end of a start').catch((error) => {
            child.kill('SIGKILL');
            return error.message;
        });
        checkSame(`${signal} ends a start`, code, 128 + number);
        check('with a line that says so', log.includes('msg="ended before it served') &&
              log.includes(`signal=${signal.slice(3)}`), log);
        await pipe.close();
        fs.renameSync(`${file}.aside`, file);
    }
    const again = await Daemon.start({ dir: daemon.dir });
    const after = await Client.connect(again.port);
    const snapshot = await after.subscribe('s');
    check('the next start has what was there', snapshot.entities?.length > 0, snapshot);
    await again.stop();
}

// Nothing that it opens gets the number of a standard file, so that no line lands in a store.
async function withoutStandardFiles() {
    const daemon = await Daemon.start();
    await daemon.stop();
    const child = spawn('sh', ['-c', 'exec "$0" "$@" 0<&- 1>&- 2>&-', daemonFile, '--listen',
                               `127.0.0.1:${daemon.port}`, '--data', daemon.dir, ...baseOptions],
                        { stdio: 'ignore' });
    const exited = new Promise((resolve) => {
        child.once('close', (code) => resolve(code));
    });
    const serving = async () => {
        while (child.exitCode === null) {
            const answer = await request(daemon.port, 'GET', '/readyz').catch(() => null);
            if (answer?.status === 200) {
                return true;
            }
        }
        return false;
    };
    check('it serves', await within(serving(), 'daemon without standard files'));
    checkSame('the lock has its number and no line of the log',
              fs.readFileSync(path.join(daemon.dir, 'LOCK'), 'utf8').trim(), String(child.pid));
    for (const fd of [0, 1, 2]) {
        checkSame(`${fd} is no file of the store`, fs.readlinkSync(`/proc/${child.pid}/fd/${fd}`),
                  '/dev/null');
    }
    child.kill('SIGTERM');
    checkSame('it ends in order', await within(exited, 'end'), 0);
}

// ---- under load ----

const v2 = { protocol: 'sessionstream.v2.json' };
const benchType = 'type.googleapis.com/sessionstream.apps.bench.v1.BenchPublishCommand';
const loadedSessions = ['load-a', 'load-b', 'load-c'];
const entities = 8;

// What a client knows of a session over its connections: every event once, in order.
class Watcher {
    constructor(sessionId) {
        this.sessionId = sessionId;
        this.ordinal = 0;
        this.shown = new Map();    // entity -> number of the command
        this.faults = [];
    }

    async connect(port) {
        this.client = await Client.connect(port, v2);
        const answered = new Promise((resolve) => {
            this.client.onFrame = (frame) => {
                this.take(frame);
                if (frame.subscribed !== undefined) {
                    resolve(frame.subscribed);
                }
            };
        });
        this.client.send({ subscribe: { sessionId: this.sessionId, resume: this.cursor } });
        return within(answered, 'subscribed');
    }

    take(frame) {
        const [kind] = Object.keys(frame);
        if (kind === 'snapshot') {
            this.ordinal = Number(frame.snapshot.snapshotOrdinal ?? 0);
            this.shown = new Map((frame.snapshot.entities ?? [])
                .map(({ id, payload }) => [id, payload.sentNs]));
        } else if (kind === 'uiEvent') {
            const { eventOrdinal, payload } = frame.uiEvent;
            if (Number(eventOrdinal) !== this.ordinal + 1) {
                this.faults.push(`${eventOrdinal} after ${this.ordinal}`);
            }
            this.ordinal = Number(eventOrdinal);
            this.shown.set(String(payload.entity ?? 0), payload.sentNs);
        } else if (kind === 'error') {
            this.faults.push(frame.error);
        }
        this.cursor = frame[kind].cursor ?? this.cursor;
    }

    text() {
        return JSON.stringify([this.ordinal, [...this.shown].sort()]);
    }
}

// Submits without pause; @sent: session -> number -> the ordinal that was answered, or null.
function writeOn(client, sent, next, onAnswer) {
    const waiting = new Map();
    const refused = [];
    const submit = () => {
        const number = next();
        const sessionId = loadedSessions[number % loadedSessions.length];
        sent.get(sessionId).set(String(number), null);
        waiting.set(`r${number}`, [sessionId, String(number)]);
        client.submit(sessionId, 'BenchPublish', { '@type': benchType, sentNs: String(number),
                                                   entity: number % entities }, `r${number}`);
    };
    client.onFrame = ({ accepted, error }) => {
        const [sessionId, number] = waiting.get((accepted ?? error).requestId);
        if (accepted === undefined) {
            refused.push(error.code);
            return;
        }
        sent.get(sessionId).set(number, Number(accepted.ordinal));
        onAnswer();
        submit();
    };
    for (let i = 0; i < 32; i++) {
        submit();
    }
    return refused;
}

async function storedIn(port, sessionId) {
    const stored = new Map();    // number -> ordinal
    let ordinal = 0;
    let gaps = 0;
    for (let more = true; more;) {
        const { body } = await request(port, 'GET',
                                       `/v1/sessions/${sessionId}/events?after=${ordinal}`);
        const page = JSON.parse(body);
        for (const event of page.events) {
            gaps += Number(event.ordinal) !== ordinal + 1;
            ordinal = Number(event.ordinal);
            stored.set(event.payload.sentNs, ordinal);
        }
        more = page.more ?? false;
    }
    checkSame(`${sessionId}: no gaps`, [gaps, stored.size], [0, ordinal]);
    return stored;
}

async function underLoad() {
    const flags = ['--app', 'bench', '--app-option', `entities=${entities}`,
                   '--log-window', '1MiB', '--stop-timeout', '60s', '--gateways', '2'];
    let daemon = await Daemon.start({ flags });
    const { dir, port } = daemon;
    const sent = new Map(loadedSessions.map((id) => [id, new Map()]));
    const watchers = [...loadedSessions, ...loadedSessions].map((id) => new Watcher(id));
    let number = 0;
    for (let round = 1; round <= 3; round++) {
        for (const watcher of watchers) {
            await watcher.connect(port);
        }
        let answers = 0;
        let began;
        const stop = () => {
            if (++answers === 300 * round) {
                began = performance.now();
                daemon.signal('SIGTERM');
            }
        };
        const writers = [];
        for (let i = 0; i < 3; i++) {
            writers.push(await Client.connect(port, v2));
        }
        const refused = writers.map((client) => writeOn(client, sent, () => ++number, stop));
        const { code } = await within(daemon.exited, 'exit');
        const clients = [...writers, ...watchers.map(({ client }) => client)];
        const ends = await Promise.all(clients.map(({ closed }) => closed));
        checkSame(`${round}: status 0`, code, 0);
        check(`${round}: within the stop timeout`, performance.now() - began < limitMs,
              `${performance.now() - began} ms`);
        const codes = new Set(ends.map((end) => end.code));
        checkSame(`${round}: every socket is closed with 1001`, [...codes], [1001]);
        checkSame(`${round}: what is refused is told that the daemon stops`,
                  [...new Set(refused.flat())].filter((other) => other !== 'stopping'), []);
        const checked = runProgram(ssctlFile, ['store', 'check', dir]);
        check(`${round}: the store is clean`, checked.status === 0, checked.output);

        daemon = await Daemon.start({ dir, port, flags });
        for (const [sessionId, numbers] of sent) {
            const stored = await storedIn(port, sessionId);
            const lost = [...numbers].filter(([name, ordinal]) =>
                ordinal !== null && stored.get(name) !== ordinal);
            checkSame(`${round}: ${sessionId} has all that was accepted, at its place`, lost, []);
            const silent = [...stored].filter(([name]) => numbers.get(name) === null);
            checkSame(`${round}: ${sessionId} has nothing that was not answered`, silent, []);
        }
        for (const watcher of watchers) {
            const answer = await watcher.connect(port);
            checkSame(`${round}: a follower had been sent everything`, answer.recovered, true);
            const fresh = new Watcher(watcher.sessionId);
            await fresh.connect(port);
            checkSame(`${round}: it knows what the session is`, watcher.text(), fresh.text());
            checkSame(`${round}: and missed nothing, got nothing twice`, watcher.faults, []);
            watcher.client.socket.terminate();
            fresh.client.socket.terminate();
        }
    }
    await daemon.stop();
}

await main({ orderly, bounded, secondSignal, whileStarting, withoutStandardFiles, underLoad });
