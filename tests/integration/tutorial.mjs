// docs/tutorial.md as a reader follows it: every file is written, every command is run in its
// terminal, and what the page says is printed is compared with what is.
//
// The word after the language of a block says what it is: the name of a file (several blocks make
// one file), or for sh and text a terminal ("fails": these commands do). In a text block "…"
// stands for anything in a line, and alone for any lines. Comments "<!-- test: ... -->" are what
// the reader does elsewhere.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

import { WebSocket, check, checkSame, daemonFile, freePort, main, makeDirectory, request,
         runProgram, within } from './harness.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const text = fs.readFileSync(path.join(root, 'docs/tutorial.md'), 'utf8');
const buildDirectory = path.dirname(path.dirname(daemonFile));
const address = '127.0.0.1:8080';    // what the page says; a test takes a free port

// What follows a step that failed would only fail, too.
function must(name, good, detail) {
    if (!check(name, good, detail)) {
        throw new Error('the rest of the page was not tried');
    }
}

// ---- the page ----

// {line, kind, words, body, before} for each block, {line, action} for each comment.
function readSteps() {
    const steps = [];
    let block = null;
    let before = '';
    text.split('\n').forEach((content, index) => {
        const line = index + 1;
        if (block !== null) {
            if (content === '```') {
                steps.push(block);
                block = null;
                before = '';
            } else {
                block.body += `${content}\n`;
            }
        } else if (content.startsWith('```')) {
            const [kind, ...words] = content.slice(3).split(' ');
            block = { line, kind, words, body: '', before };
        } else if (content.startsWith('<!-- test: ')) {
            steps.push({ line, action: content.slice('<!-- test: '.length, -' -->'.length) });
        } else {
            before += `${content}\n`;
        }
    });
    check('every block of the page is closed', block === null);
    return steps;
}

// A pattern for what a text block shows.
function patternOf(body, port) {
    const lines = body.trimEnd().replaceAll(address, `127.0.0.1:${port}`).split('\n');
    const parts = lines.map((line) => {
        if (line === '…') {
            return '(?:[^\\n]*\\n)*?';
        }
        const escaped = line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '[^\\n]*');
        return `${escaped}\\n`;
    });
    return new RegExp(`^${parts.join('')}`);
}

// ---- terminals ----

const marker = '\x01';
// What the server says of a machine that is busy with other things is not on the page.
const busyMachine = /^ts=\S+ level=warn msg="a handler held its shard"[^\n]*\n/gm;

class Terminal {
    constructor(home, bin, port) {
        this.output = '';
        this.wake = () => {};
        const environment = { ...process.env, HOME: home, SESSIONSTREAM_LISTEN: `127.0.0.1:${port}`,
                              CFLAGS: '-Wall -Wextra -Werror',    // the page's code is an example
                              SESSIONSTREAM_STORE_MAP: '64MiB', SESSIONSTREAM_MIN_FREE: '0' };
        // A group of its own, so that Ctrl-C reaches what runs in it; the shell itself goes on.
        this.child = spawn('bash', ['-c', 'exec bash --norc --noprofile 2>&1'],
                           { cwd: home, env: environment, detached: true });
        this.child.stdout.on('data', (data) => {
            this.output = (this.output + data).replace(busyMachine, '');
            this.wake();
        });
        this.closed = new Promise((resolve) => this.child.once('close', resolve));
        this.closed.then(() => {
            this.ended = true;
            this.wake();
        });
        this.child.stdin.write(`trap : INT; trap 'failed=$?' ERR
            ssctl() { command ssctl --url http://127.0.0.1:${port} "$@"; }\n`);
    }

    type(commands) {
        this.busy = true;
        this.child.stdin.write(`failed=0\n${commands}\nprintf '${marker}%s\\n' "$failed"\n`);
    }

    async until(enough, what) {
        await within((async () => {
            while (!enough() && !this.ended) {
                await new Promise((resolve) => { this.wake = resolve; });
            }
        })(), what);
    }

    // Waits for the end of what was typed: {status, output}.
    async finish(what) {
        const pattern = new RegExp(`${marker}(\\d+)\\n`);
        await this.until(() => pattern.test(this.output), `end of ${what}`);
        const found = pattern.exec(this.output) ?? { 1: 'ended', index: this.output.length, 0: '' };
        const output = this.output.slice(0, found.index);
        this.output = this.output.slice(found.index + found[0].length);
        this.busy = false;
        return { status: found[1], output };
    }

    // Takes what matches from the beginning of the output, as soon as it is there.
    async expect(pattern, what) {
        await this.until(() => pattern.test(this.output), what).catch(() => {});
        const found = pattern.exec(this.output);
        must(what, found !== null, `want ${pattern}, got ${this.output}`);
        this.output = this.output.slice(found[0].length);
    }

    signal(name) {
        process.kill(-this.child.pid, name);
    }

    async close() {
        if (this.ended === undefined) {
            this.signal('SIGKILL');
        }
        await this.closed;
    }
}

// ---- the browser ----

// As much of a document as the script of the page uses.
class Page {
    constructor(html, port) {
        this.elements = {};
        this.wake = () => {};
        const script = /<script>\n([^]*)<\/script>/.exec(html)[1];
        const sandbox = {
            location: { host: `127.0.0.1:${port}`, hash: '' },
            document: { createElement: () => ({}), querySelector: (name) => this.element(name) },
            WebSocket,
            fetch: (url, options) => {
                this.answer = fetch(new URL(url, `http://127.0.0.1:${port}`), options);
            },
        };
        vm.runInNewContext(`${script}\nthis.socket = socket;`, sandbox);
        this.socket = sandbox.socket;
    }

    element(name) {
        this.elements[name] ??= {
            lines: [],
            item: { value: '' },
            replaceChildren: (...children) => {
                this.element(name).lines = children.map((child) => child.textContent);
                this.wake();
            },
        };
        return this.elements[name];
    }

    async shows(lines, what) {
        const want = JSON.stringify(lines);
        const got = () => JSON.stringify(this.element('ul').lines);
        await within((async () => {
            while (got() !== want) {
                await new Promise((resolve) => { this.wake = resolve; });
            }
        })(), what).catch(() => {});
        must(what, got() === want, got());
    }

    async add(item, what) {
        let prevented = false;
        this.element('form').item.value = item;
        this.element('form').onsubmit({ preventDefault: () => { prevented = true; } });
        check(what, prevented && (await this.answer).status === 200);
    }

    close() {
        this.socket.terminate();
    }
}

// ---- the reader ----

class Reader {
    async begin() {
        this.home = makeDirectory();
        this.port = await freePort();
        this.prefix = path.join(this.home, 'sessionstream');
        this.terminals = new Map();
        this.files = new Map();
        this.folder = path.join(this.home, 'shopping');
    }

    terminal(name) {
        if (!this.terminals.has(name)) {
            this.terminals.set(name, new Terminal(this.home, this.prefix, this.port));
        }
        return this.terminals.get(name);
    }

    // The tree is built already, so of the first step only the installation is done.
    checkout(step) {
        const presets = JSON.parse(fs.readFileSync(path.join(root, 'CMakePresets.json'), 'utf8'));
        const lines = step.body.trim().split('\n');
        checkSame('the first step has its four commands', lines.map((line) => line.split(' ')[0]),
                  ['./tools/install_packages', 'cmake', 'cmake', 'cmake']);
        const preset = /--preset (\w+)/.exec(lines[1])?.[1];
        check('its preset exists', presets.configurePresets.some(({ name }) => name === preset));
        check('its options exist', ['SS_BUILD_TESTS', 'SS_WERROR'].every((option) =>
            lines[1].includes(`-D${option}=OFF`)));
        checkSame('what it builds', lines[2], `cmake --build build/${preset}`);
        checkSame('what it installs', lines[3],
                  `cmake --install build/${preset} --prefix "$HOME/sessionstream"`);
        const { status, output } = runProgram('cmake', ['--install', buildDirectory, '--prefix',
                                                        this.prefix]);
        must('the installation', status === 0, output);
    }

    file(step) {
        const [name] = step.words;
        const more = this.files.has(name);
        this.files.set(name, (this.files.get(name) ?? '') + (more ? '\n' : '') + step.body);
        fs.writeFileSync(path.join(this.folder, name), this.files.get(name));
        check(`line ${step.line}: the text names ${name}`,
              more || step.before.includes(`\`${name}\``));
    }

    async commands(step) {
        const fails = step.words.includes('fails');
        const name = step.words.find((word) => word !== 'fails') ?? 'main';
        const what = `line ${step.line}: ${step.body.trim().split('\n').at(-1)}`;
        const terminal = this.terminal(name);
        await this.stopped(name);
        terminal.type(step.body.replaceAll(address, `127.0.0.1:${this.port}`));
        if (name !== 'main') {
            return;    // it runs until Ctrl-C
        }
        const { status, output } = await terminal.finish(what);
        must(what, (status !== '0') === fails, `status ${status}: ${output}`);
        this.output = output;
    }

    // What ran until Ctrl-C has ended as it should, and said no more than the page shows.
    async stopped(name) {
        const terminal = this.terminal(name);
        if (terminal.busy) {
            const { status, output } = await terminal.finish(`the command in terminal ${name}`);
            checkSame(`the command in terminal ${name} ends`, [status, output], ['0', '']);
        }
    }

    async shown(step) {
        const pattern = patternOf(step.body, this.port);
        const what = `line ${step.line}: the output that the page shows`;
        if (step.words.length > 0) {
            await this.terminal(step.words[0]).expect(pattern, what);
        } else {
            const whole = new RegExp(`${pattern.source}$`);
            const output = this.output.endsWith('\n') ? this.output : `${this.output}\n`;
            must(what, whole.test(output), `want ${whole}, got ${output}`);
        }
    }

    async act({ line, action }) {
        const [, verb, rest] = /^(\S+(?: shows| adds)?) (.*)$/.exec(action);
        const what = `line ${line}: ${action}`;
        if (verb === 'Ctrl-C') {
            this.terminal(rest).signal('SIGINT');
        } else if (verb === 'page shows') {
            this.page ??= new Page((await request(this.port, 'GET', '/')).body, this.port);
            await this.page.shows(rest.split(', '), what);
        } else if (verb === 'page adds') {
            await this.page.add(rest, what);
        } else {
            must(what, false, 'no such action');
        }
    }

    async follow(steps) {
        for (const step of steps) {
            if (step.action !== undefined) {
                await this.act(step);
            } else if (step.kind === 'text') {
                await this.shown(step);
            } else if (step.kind !== 'sh') {
                this.file(step);
            } else if (step.words[0] === 'checkout') {
                this.checkout(step);
            } else {
                await this.commands(step);
            }
        }
        check('the page serves its own file',
              (await request(this.port, 'GET', '/')).body === this.files.get('index.html'));
        this.terminal('server').signal('SIGINT');
        await this.terminal('server').expect(/^.*"stopping".*\n.*"stopped".*\n/, 'the last stop');
        await this.stopped('server');
    }

    async end() {
        this.page?.close();
        for (const terminal of this.terminals.values()) {
            await terminal.close();
        }
    }
}

await main({
    async tutorial() {
        const steps = readSteps();
        const reader = new Reader();
        await reader.begin();
        try {
            await reader.follow(steps);
            check('there was something to follow', steps.length > 20);
        } finally {
            await reader.end();
        }
    },
});
