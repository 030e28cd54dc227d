// Runs the daemon under test and talks to it: process, websocket client, checks.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { freePort } from './ports.mjs';

export { freePort };

const EXIT_SKIPPED = 77;
const DEADLINE_MS = Number(process.env.SS_TEST_DEADLINE_MS ?? 60000);

export const WebSocket = await import('ws').then((module) => module.default, () => {
    console.log('skipped: run `npm install` in tests/integration');
    process.exit(EXIT_SKIPPED);
});

// ---- arguments ----

export function argument(name, fallback) {
    const at = process.argv.indexOf(`--${name}`);
    if (at >= 0 && at + 1 < process.argv.length) {
        return process.argv[at + 1];
    }
    if (fallback === undefined) {
        console.error(`usage: node ${process.argv[1]} --daemon FILE --ssctl FILE; ` +
                      `--${name} is missing`);
        process.exit(2);
    }
    return fallback;
}

export const daemonFile = path.resolve(argument('daemon'));
export const ssctlFile = path.resolve(argument('ssctl'));

// ---- checks ----

let failed = 0;
let passed = 0;

export function check(name, good, detail = '') {
    if (good) {
        passed++;
        console.log(`ok      ${name}`);
    } else {
        failed++;
        const text = typeof detail === 'string' ? detail : JSON.stringify(detail);
        console.log(`FAILED  ${name}${text === '' ? '' : `: ${text.slice(0, 1500)}`}`);
    }
    return good;
}

// Equal as JSON text: values and the order of members.
export function checkSame(name, got, want) {
    const gotText = JSON.stringify(got);
    const wantText = JSON.stringify(want);
    return check(name, gotText === wantText, `got ${gotText}, want ${wantText}`);
}

// ---- waiting ----

// Rejects when @promise takes longer than the deadline; a deadline is a failure, never pacing.
export function within(promise, what, ms = DEADLINE_MS) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// ---- the daemon ----

const running = new Set();
const directories = [];

export function makeDirectory() {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sessionstream-test-'));
    directories.push(directory);
    return directory;
}

// A program that runs every daemon, for instance valgrind with its options.
export const underAll = (process.env.SS_TEST_UNDER ?? '').split(' ').filter((word) => word !== '');
export const baseOptions = ['--shards', '2', '--store-map', '256MiB', '--min-free', '0'];

export class Daemon {
    // Starts the daemon and resolves once it serves. Options: dir, port, flags (added to, or with
    // bare: instead of, the usual ones), under (a program that runs it), env (more variables).
    static async start({ dir = path.join(makeDirectory(), 'data'), port, flags = [],
                         bare = false, under = underAll, env = {} } = {}) {
        const daemon = new Daemon();
        daemon.dir = dir;
        daemon.port = port ?? await freePort();
        daemon.log = '';
        const all = ['--listen', `127.0.0.1:${daemon.port}`, '--data', dir,
                     ...(bare ? [] : baseOptions), ...flags];
        const [program, ...words] = [...under, daemonFile, ...all];
        daemon.child = spawn(program, words, { stdio: ['ignore', 'inherit', 'pipe'],
                                               env: { ...process.env, ...env } });
        running.add(daemon);
        daemon.exited = new Promise((resolve) => {
            daemon.child.once('close', (code, signal) => {
                running.delete(daemon);
                resolve({ code, signal });
            });
        });
        const started = new Promise((resolve, reject) => {
            daemon.child.stderr.on('data', (bytes) => {
                daemon.log += bytes;
                if (/msg="started".*\n/.test(daemon.log)) {
                    resolve();
                }
            });
            daemon.exited.then(({ code }) => {
                reject(new Error(`the daemon ended with ${code}: ${daemon.log}`));
            });
        });
        await within(started, 'start of the daemon');
        return daemon;
    }

    signal(name) {
        this.child.kill(name);
    }

    // Resolves once its log has this: an answer may come to us before the line that it was logged in.
    async says(pattern) {
        const said = async () => {
            while (!pattern.test(this.log)) {
                await new Promise((resolve) => { this.child.stderr.once('data', resolve); });
            }
        };
        await within(said(), `line with ${pattern} in ${this.log}`);
    }

    async kill() {
        this.signal('SIGKILL');
        await within(this.exited, 'death of the daemon');
    }

    // Orderly stop; a sanitizer's complaint is an exit status other than 0.
    async stop(name = 'the daemon stops with status 0') {
        this.signal('SIGTERM');
        const { code, signal } = await within(this.exited, 'stop of the daemon');
        check(name, code === 0, `code ${code} signal ${signal} ${this.log}`);
    }
}

// Runs a program to its end: {status, output}.
export function runProgram(file, args) {
    const result = spawnSync(file, args, { encoding: 'utf8', timeout: DEADLINE_MS });
    return { status: result.status, output: `${result.stdout}${result.stderr}` };
}

// ---- websocket client ----

export class Client {
    // Resolves when the connection is open and, unless raw, its hello frame was taken.
    static async connect(port, { protocol, decode, path: urlPath = '/' } = {}) {
        const client = new Client();
        client.frames = [];
        client.waiting = [];
        client.onFrame = null;
        const read = decode ?? ((data) => JSON.parse(data.toString()));
        client.socket = new WebSocket(`ws://127.0.0.1:${port}${urlPath}`,
                                      protocol === undefined ? [] : [protocol],
                                      { perMessageDeflate: false });
        client.closed = new Promise((resolve) => {
            client.socket.once('close', (code, reason) => {
                client.ended = { code, reason: reason.toString() };
                client.waiting.splice(0).forEach(({ reject }) => {
                    reject(new Error(`closed with ${code} ${reason}`));
                });
                resolve(client.ended);
            });
        });
        client.socket.on('message', (data, binary) => {
            const frame = read(data, binary);
            if (client.onFrame !== null) {
                client.onFrame(frame);
            } else if (client.waiting.length > 0) {
                client.waiting.shift().resolve(frame);
            } else {
                client.frames.push(frame);
            }
        });
        const opened = new Promise((resolve, reject) => {
            client.socket.once('open', resolve);
            client.socket.once('error', reject);
        });
        await within(opened, 'websocket');
        client.socket.on('error', () => {});    // the close event tells the same
        client.hello = await client.next('hello');
        return client;
    }

    send(frame) {
        const raw = typeof frame === 'string' || Buffer.isBuffer(frame);
        this.socket.send(raw ? frame : JSON.stringify(frame));
    }

    // The next frame, whatever it is.
    next(what = 'frame') {
        if (this.frames.length > 0) {
            return Promise.resolve(this.frames.shift());
        }
        if (this.ended !== undefined) {
            return Promise.reject(new Error(`closed with ${this.ended.code}, no ${what}`));
        }
        return within(new Promise((resolve, reject) => this.waiting.push({ resolve, reject })),
                      what);
    }

    // The next frame with this member; frames of other kinds are dropped.
    async nextOf(kind, matches = () => true) {
        for (;;) {
            const frame = await this.next(kind);
            if (frame[kind] !== undefined && matches(frame[kind])) {
                return frame;
            }
        }
    }

    // Takes @count frames of this kind.
    async take(kind, count) {
        const taken = [];
        while (taken.length < count) {
            taken.push(await this.nextOf(kind));
        }
        return taken;
    }

    async subscribe(sessionId, since) {
        this.send({ subscribe: { sessionId, sinceSnapshotOrdinal: since } });
        const snapshot = await this.nextOf('snapshot');
        return snapshot.snapshot;
    }

    submit(sessionId, name, payload, requestId) {
        this.send({ submit: { requestId, sessionId, name, payload } });
    }

    // Answers with the answer to a ping of its own, so all before has been answered.
    async alive() {
        const nonce = `alive-${Math.random()}`;
        this.send({ ping: { nonce } });
        return (await this.nextOf('pong', (pong) => pong.nonce === nonce)) !== null;
    }

    async close() {
        this.socket.close();
        return within(this.closed, 'close of the websocket');
    }
}

export const chatTypes = 'type.googleapis.com/sessionstream.examples.chatdemo.v1.';

export function startInference(prompt) {
    return { '@type': `${chatTypes}StartInferenceCommand`, prompt };
}

export const stopInference = { '@type': `${chatTypes}StopInferenceCommand` };

// ---- HTTP and raw sockets ----

export function request(port, method, urlPath, body, headers = {}) {
    const answer = new Promise((resolve, reject) => {
        const req = http.request({ host: '127.0.0.1', port, method, path: urlPath, agent: false,
                                   headers },
                                 (res) => {
            const parts = [];
            res.on('data', (part) => parts.push(part));
            res.on('end', () => resolve({ status: res.statusCode, headers: res.headers,
                                          body: Buffer.concat(parts).toString() }));
        });
        req.on('error', reject);
        req.end(body);
    });
    return within(answer, `answer to ${method} ${urlPath}`);
}

// A TCP connection whose bytes can be awaited.
export class RawSocket {
    static async connect(port) {
        const raw = new RawSocket();
        raw.bytes = Buffer.alloc(0);
        raw.ended = false;
        raw.wake = () => {};
        raw.socket = net.connect(port, '127.0.0.1');
        raw.socket.on('data', (data) => {
            raw.bytes = Buffer.concat([raw.bytes, data]);
            raw.wake();
        });
        raw.socket.on('error', () => {});    // a reset shows as an end
        raw.socket.on('close', () => {
            raw.ended = true;
            raw.wake();
        });
        await within(new Promise((resolve) => raw.socket.once('connect', resolve)), 'connection');
        return raw;
    }

    write(bytes) {
        this.socket.write(bytes);
    }

    // Waits until @enough(bytes) or the end of the connection; returns what has come.
    async until(enough, what) {
        const done = (async () => {
            while (!this.ended && !enough(this.bytes)) {
                await new Promise((resolve) => { this.wake = resolve; });
            }
        })();
        await within(done, what);
        return this.bytes;
    }

    untilEnd(what = 'end of the connection') {
        return this.until(() => false, what);
    }

    close() {
        this.socket.destroy();
    }
}

// ---- the end ----

// Ends what was started and removes what was written.
export function cleanUp() {
    for (const daemon of running) {
        daemon.child.kill('SIGKILL');
    }
    for (const directory of directories) {
        fs.rmSync(directory, { recursive: true, force: true });
    }
}

// Runs the parts in order; each failure of one is a failed check, and the next one runs.
export async function main(parts) {
    const only = argument('only', '');
    for (const [name, part] of Object.entries(parts)) {
        if (only !== '' && !only.split(',').includes(name)) {
            continue;
        }
        try {
            await part();
        } catch (error) {
            check(`${name} runs to its end`, false, `${error.stack}`);
        }
    }
    for (const daemon of running) {
        check('no daemon was left behind', false, daemon.log);
    }
    cleanUp();
    console.log(`${passed} checks passed, ${failed} failed`);
    process.exit(failed === 0 && passed > 0 ? 0 : 1);
}
