// Differential test: our reading of HTTP requests beside that of Node's parser, over the cases of
// cases.txt and over mutations of them by a seed.
// node run.mjs --pipe request_pipe [--count N] [--seed S]
//
// What we take, Node takes and reads alike; we may be stricter. Of that, the cases marked with ! are
// what another reading could use against us, and are refused. One difference is intended: bytes over
// 0x7F in a target, which curl sends as they were typed and Node refuses.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { createInterface } from 'node:readline';

const args = Object.fromEntries(process.argv.slice(2).reduce((list, word, i, all) =>
    word.startsWith('--') ? [...list, [word.slice(2), all[i + 1]]] : list, []));
const count = Number(args.count ?? 3000);
let seed = Number(args.seed ?? 20260101) >>> 0;
console.log(`seed ${seed}, ${count} mutations`);
const random = () => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) / 2 ** 24;
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];

// ---- cases ----

function unescape(text) {
    const plain = (part) => part.replace(/\\(r|n|t|\\|x[0-9A-F]{2})/g, (_, code) =>
        ({ r: '\r', n: '\n', t: '\t', '\\': '\\' })[code] ??
        String.fromCharCode(parseInt(code.slice(1), 16)));
    return Buffer.from(plain(text.replace(/\\\*(\d+)\{(.*?)\}/g, (_, times, part) =>
        part.repeat(Number(times)))), 'latin1');
}

const cases = fs.readFileSync(new URL('cases.txt', import.meta.url), 'utf8').split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
        const [name, section, want, ...bytes] = line.split(' | ');
        return { name, section, want, bytes: unescape(bytes.join(' | ')) };
    });

// ---- our reading ----

const pipe = spawn(args.pipe, [], { stdio: ['pipe', 'pipe', 'inherit'] });
const lines = createInterface({ input: pipe.stdout })[Symbol.asyncIterator]();
async function ours(bytes) {
    pipe.stdin.write(`${bytes.toString('hex')}\n`);
    const { value: line, done } = await lines.next();
    if (done) {
        throw new Error('request_pipe is gone');
    }
    const parts = line.split(';');
    return { requests: parts.slice(0, -1), end: parts.at(-1), line };
}

// ---- Node's reading ----

const hex = (text) => Buffer.from(text, 'latin1').toString('hex');
let reading = null;
const server = http.createServer({ maxHeaderSize: 1 << 17, keepAliveTimeout: 0 });
server.maxHeadersCount = 0;

// We leave out the origin of an absolute form, they do not.
function withoutOrigin(url) {
    const rest = url.replace(/^https?:\/\/[^/?]*/i, '');
    return rest === url || rest.startsWith('/') ? rest : `/${rest}`;
}

function onRequest(req, res) {
    const mine = reading;
    const fields = [];
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
        fields.push(` ${hex(req.rawHeaders[i])}=${hex(req.rawHeaders[i + 1].replace(/[ \t]+$/, ''))}`);
    }
    const body = [];
    req.on('data', (part) => body.push(part));
    req.on('end', () => {
        const url = withoutOrigin(req.url).replace(/\?$/, '');
        mine.push(`${hex(req.method)} ${hex(url)} ${req.httpVersion === '1.1' ? 1 : 0} ` +
                  `${Buffer.concat(body).toString('hex')}${fields.join('')}`);
        res.end();
    });
}
server.on('request', onRequest);
server.on('checkContinue', onRequest);
server.on('checkExpectation', onRequest);
server.on('clientError', (error, socket) => socket.destroy());
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

function theirs(bytes) {
    return new Promise((resolve) => {
        const mine = reading = [];
        const socket = net.connect(server.address().port, '127.0.0.1');
        socket.on('error', () => {});
        socket.on('data', () => {});
        socket.on('close', () => resolve(mine));
        socket.end(bytes);
    });
}

// ---- comparison ----

let failed = 0;
let checked = 0;
function check(what, flaw, bytes) {
    checked++;
    if (flaw !== '') {
        failed++;
        if (failed <= 20) {
            console.log(`FAILED ${what}: ${flaw}\n  ${JSON.stringify(bytes.toString('latin1').slice(0, 400))}`);
        }
    }
}

// What we take and they do not take or read otherwise; '' if nothing.
async function compare(bytes) {
    const mine = await ours(bytes);
    const other = await theirs(bytes);
    if (mine.line.startsWith('differ')) {
        return { mine, flaw: 'whole and byte by byte differ' };
    }
    for (const [i, request] of mine.requests.entries()) {
        if (other[i] === undefined && /^\S+ ([0-7].)*[89a-f]/.test(request)) {
            break;
        }
        if (request !== other[i]) {
            return { mine, flaw: `request ${i}: we read ${request}, they ${other[i]}` };
        }
    }
    const waits = mine.end === 'more' && other.length > mine.requests.length;
    return { mine, flaw: waits ? `we wait, they read ${other[mine.requests.length]}` : '' };
}

for (const { name, section, want, bytes } of cases) {
    const { mine, flaw } = await compare(bytes);
    const got = mine.end === 'idle' ? (mine.requests.length === 1 ? 'ok' : `ok*${mine.requests.length}`)
        : mine.end;
    const refused = mine.requests.length === 0 && /^[45]/.test(mine.end);
    check(`${name} (${section})`, flaw !== '' ? flaw
        : got !== want.replace('!', '') ? `${got}, not ${want}`
        : want.startsWith('!') && !refused ? 'must be refused' : '', bytes);
}

const scraps = ['\r', '\n', '\r\n', ' ', '\t', ':', ',', ';', '0', '1', '-', '+', 'x', '\0', '\x0b', '\x80',
                '"', '/', '?', '#', '%', 'HTTP/1.1', 'HTTP/1.0', 'Host: a\r\n', 'Content-Length: 3\r\n',
                'Content-Length: 0\r\n', 'Transfer-Encoding: chunked\r\n', 'chunked', '0\r\n\r\n',
                'Connection: close\r\n', 'Connection: upgrade\r\n', 'Upgrade: x\r\n', '\r\n\r\n',
                'GET /2 HTTP/1.1\r\nHost: h\r\n\r\n'];
for (let i = 0; i < count; i++) {
    let text = pick(cases).bytes.toString('latin1').slice(0, 2000);
    for (let n = 1 + below(3); n > 0; n--) {
        const at = below(text.length + 1);
        const drop = pick([0, 0, 1, 1, 2, below(12)]);
        const add = pick([0, 1, 1, 1]) === 0 ? '' : random() < 0.8 ? pick(scraps)
            : pick(cases).bytes.toString('latin1').slice(0, 200);
        text = text.slice(0, at) + add + text.slice(at + drop);
    }
    const bytes = Buffer.from(text, 'latin1');
    if (bytes.length > 0) {
        check(`mutation ${i}`, (await compare(bytes)).flaw, bytes);
    }
}
pipe.stdin.end();
server.close();
server.closeAllConnections();
console.log(`${cases.length} cases, ${checked - cases.length} mutations, ${failed} failed`);
process.exitCode = failed === 0 && cases.length > 100 ? 0 : 1;
