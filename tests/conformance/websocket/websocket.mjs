// RFC 6455 by cases: frames.txt and handshakes.txt say what is sent and what must come back.
import fs from 'node:fs';
import { Daemon, RawSocket, check, main, request, within } from '../../integration/harness.mjs';

const MASK = [0x37, 0xFA, 0x21, 0x3D];
const NAMES = { 0: 'continuation', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' };
const SHORT_BYTES = 300;    // cases up to this size are sent byte by byte too
const PING = '{"ping":{"nonce":"n"}}';

let daemon;

function* readCases(file) {
    for (const line of fs.readFileSync(new URL(file, import.meta.url), 'utf8').split('\n')) {
        if (line !== '' && !line.startsWith('#')) {
            yield line.split('|').map((field) => field.trim());
        }
    }
}

function unescape(text) {
    const bytes = Buffer.from(text, 'latin1').toString('latin1')
        .replace(/%([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    return Buffer.from(bytes, 'latin1');
}

// ---- frames ----

function payloadOf(text) {
    let mark = -1;
    const parts = [];
    let length = 0;
    for (const [part] of text.matchAll(/\^|[*~]\d+|%[0-9A-F]{2}|./gs)) {
        let bytes = null;
        if (part === '^') {
            mark = length;
        } else if (part[0] === '*' && part.length > 1) {
            bytes = Buffer.alloc(Number(part.slice(1)), 'a');
        } else if (part[0] === '~' && part.length > 1) {
            bytes = Buffer.alloc(Number(part.slice(1)), ' ');
            bytes.write(PING);
        } else {
            bytes = unescape(part);
        }
        if (bytes !== null) {
            parts.push(bytes);
            length += bytes.length;
        }
    }
    return { bytes: Buffer.concat(parts), mark };
}

function lengthBytes(length, form, masked) {
    const bit = masked ? 0x80 : 0;
    if (form === 'm' || (form === '' && length >= 126n && length < 65536n)) {
        return [bit | 126, Number(length >> 8n), Number(length & 255n)];
    }
    if (form === 'l' || (form === '' && length >= 65536n)) {
        const bytes = [bit | 127];
        for (let shift = 56n; shift >= 0n; shift -= 8n) {
            bytes.push(Number(length >> shift & 255n));
        }
        return bytes;
    }
    return [bit | Number(length)];
}

// All bytes of the frames, and how many of them a refusal takes (null: it is not said).
function sentBytes(text) {
    const parts = [];
    let at = 0;
    let mark = null;
    for (const token of text.split(' ')) {
        const found = /^(?:(\d+)x)?([0-9A-F]{2})([uzml]*)([:=])(.*)$/s.exec(token);
        if (found === null) {
            throw new Error(`"${token}" is no frame`);
        }
        const [, times, first, flags, kind, rest] = found;
        const masked = !flags.includes('u');
        const form = flags.includes('m') ? 'm' : flags.includes('l') ? 'l' : '';
        const mask = !masked ? [] : flags.includes('z') ? [0, 0, 0, 0] : MASK;
        const { bytes, mark: inside } = kind === ':' ? payloadOf(rest)
            : { bytes: Buffer.alloc(0), mark: rest.endsWith('^') ? 0 : -1 };
        const announced = kind === ':' ? BigInt(bytes.length) : BigInt(rest.replace('^', ''));
        const head = Buffer.from([parseInt(first, 16), ...lengthBytes(announced, form, masked),
                                  ...mask]);
        const body = masked ? bytes.map((byte, i) => byte ^ mask[i % 4]) : bytes;
        for (let i = 0; i < Number(times ?? 1); i++) {
            parts.push(head, body);
            mark = inside >= 0 ? at + head.length + inside : mark;
            at += head.length + body.length;
        }
    }
    return { bytes: Buffer.concat(parts), mark };
}

// The answer of the daemon to a message it took, in its own protocol.
function answerTo(kind, bytes) {
    const text = bytes.toString('utf8');
    try {
        const frame = JSON.parse(text);
        if (Object.keys(frame).join() === 'ping') {
            return `text pong ${JSON.stringify(frame.ping.nonce ?? '')}`;
        }
    } catch {
        // no frame of the protocol
    }
    return 'text error bad_client_frame';
}

function wanted(text) {
    const want = [];
    for (const token of text.split(' ')) {
        const [kind, rest] = [token.split(':')[0], token.slice(token.indexOf(':') + 1)];
        if (kind === 'text' || kind === 'binary') {
            want.push(answerTo(kind, payloadOf(rest).bytes));
        } else if (kind === 'pong') {
            want.push(`pong ${payloadOf(rest).bytes.toString('hex')}`);
        } else if (kind === 'close') {
            want.push(`close ${rest}`);
        } else if (kind !== 'took' && kind !== 'open') {
            throw new Error(`"${token}" is no answer`);
        }
    }
    return want;
}

// What the server sent, frame by frame; "broken ..." where it is not well framed.
function describe(bytes) {
    const got = [];
    let at = 0;
    while (at + 2 <= bytes.length) {
        const opcode = bytes[at] & 15;
        const short = bytes[at + 1] & 127;
        const size = short === 126 ? 4 : short === 127 ? 10 : 2;
        if (bytes.length < at + size) {
            break;
        }
        const length = short === 126 ? bytes.readUInt16BE(at + 2)
            : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short;
        if (bytes.length < at + size + length) {
            break;
        }
        const payload = bytes.subarray(at + size, at + size + length);
        const wellFramed = (bytes[at] & 0xF0) === 0x80 && (bytes[at + 1] & 0x80) === 0 &&
            (opcode < 8 || length <= 125) && (short !== 126 || length >= 126) &&
            (short !== 127 || length >= 65536);
        at += size + length;
        got.push(wellFramed ? describeFrame(opcode, payload) : `broken ${bytes[at]}`);
    }
    return { got, whole: at === bytes.length };
}

function describeFrame(opcode, payload) {
    if (NAMES[opcode] === 'text') {
        const frame = JSON.parse(payload);
        const [kind] = Object.keys(frame);
        return kind === 'pong' ? `text pong ${JSON.stringify(frame.pong.nonce ?? '')}`
            : kind === 'error' ? `text error ${frame.error.code}` : `text ${kind}`;
    }
    if (NAMES[opcode] === 'close') {
        return `close ${payload.length === 0 ? 'none' : payload.readUInt16BE(0)}`;
    }
    return `${NAMES[opcode]} ${payload.toString('hex')}`;
}

const usual = ['GET /ws HTTP/1.1', 'Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade',
               'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'];

// A websocket behind its handshake and the hello frame, as raw bytes.
async function open() {
    const raw = await RawSocket.connect(daemon.port);
    raw.socket.setNoDelay(true);
    raw.write(`${usual.join('\r\n')}\r\n\r\n`);
    const hello = (bytes) => {
        const end = bytes.indexOf('\r\n\r\n');
        return end >= 0 && describe(bytes.subarray(end + 4)).got.length > 0;
    };
    await raw.until(hello, 'hello frame');
    raw.bytes = Buffer.alloc(0);
    return raw;
}

// Sends @pieces; with @ended the connection must end, else a close of ours ends it.
async function play(pieces, want, ended) {
    const raw = await open();
    try {
        for (const piece of pieces) {
            raw.write(piece);
        }
        if (!ended) {
            await raw.until((bytes) => describe(bytes).got.length >= want.length, 'answers');
            raw.write(Buffer.from([0x88, 0x82, ...MASK, 0x03 ^ MASK[0], 0xE8 ^ MASK[1]]));
        }
        await raw.untilEnd();
        const { got, whole } = describe(raw.bytes);
        const all = ended ? want : [...want, 'close 1000'];
        return JSON.stringify(got) === JSON.stringify(all) && whole ? ''
            : `got ${JSON.stringify(got.slice(0, 20))}${whole ? '' : ' and a part of a frame'}`;
    } catch (error) {
        return error.message;
    } finally {
        raw.close();
    }
}

async function frames() {
    let count = 0;
    for (const [name, section, sent, back] of readCases('frames.txt')) {
        count++;
        const { bytes, mark } = sentBytes(sent);
        const want = wanted(back);
        const ended = /(^| )close:/.test(back);
        // What is refused early is refused before the rest is sent.
        const first = mark === null ? bytes : bytes.subarray(0, mark);
        let flaw = await play([first], want, ended);
        if (flaw === '' && mark !== null) {
            flaw = await play([bytes], want, ended);
        }
        if (flaw === '' && first.length <= SHORT_BYTES) {
            flaw = await play([...first].map((byte) => Buffer.from([byte])), want, ended);
        }
        check(`${name} (${section})`, flaw === '', flaw);
    }
    check('the list has 120 cases', count >= 120, `${count}`);
}

// ---- the opening handshake ----

function changed(changes) {
    const lines = [...usual];
    let body = '';
    const named = (name) => lines.findIndex((line, i) =>
        i > 0 && line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
    for (const change of changes.split(/ ?; (?=[-+=>A-Z])/).filter((text) => text !== '')) {
        if (change.startsWith('= ')) {
            lines[0] = change.slice(2);
        } else if (change.startsWith('> ')) {
            body = change.slice(2);
        } else if (change.startsWith('-')) {
            lines.splice(named(change.slice(1)), 1);
        } else if (change.startsWith('+')) {
            lines.push(change.slice(1));
        } else {
            const at = named(change.split(':')[0]);
            lines.splice(at < 0 ? lines.length : at, at < 0 ? 0 : 1, change);
        }
    }
    return Buffer.concat([unescape(lines.join('\r\n')), Buffer.from(`\r\n\r\n${body}`)]);
}

function judgeAnswer(head, back) {
    const [status, ...rules] = back.split(' ; ');
    const [first, ...lines] = head.split('\r\n');
    const flaws = first.startsWith(`HTTP/1.1 ${status} `) ? [] : [first];
    const fields = lines.map((line) => line.toLowerCase());
    for (const rule of rules) {
        const absent = rule.startsWith('-');
        const there = absent
            ? fields.some((line) => line.startsWith(`${rule.slice(1).toLowerCase()}:`))
            : lines.some((line) => line.toLowerCase().split(':')[0] ===
                                       rule.toLowerCase().split(':')[0] &&
                                   line.endsWith(rule.slice(rule.indexOf(' '))));
        if (there === absent) {
            flaws.push(rule);
        }
    }
    return flaws.join(', ');
}

async function shake(pieces, back) {
    const raw = await RawSocket.connect(daemon.port);
    raw.socket.setNoDelay(true);
    try {
        for (const piece of pieces) {
            raw.write(piece);
        }
        const bytes = await raw.until((all) => all.includes('\r\n\r\n'), 'answer');
        const head = bytes.subarray(0, bytes.indexOf('\r\n\r\n')).toString('latin1');
        const accepted = back.startsWith('101');
        const flaw = judgeAnswer(head, back);
        if (flaw === '' && accepted) {    // frames follow
            const hello = (all) => describe(all.subarray(head.length + 4)).got.length > 0;
            await raw.until(hello, 'hello frame');
        }
        return flaw;
    } catch (error) {
        return error.message;
    } finally {
        raw.close();
    }
}

async function handshakes() {
    for (const [name, section, changes, back] of readCases('handshakes.txt')) {
        const bytes = changed(changes);
        let flaw = await shake([bytes], back);
        if (flaw === '') {
            flaw = await shake([...bytes].map((byte) => Buffer.from([byte])), back);
        }
        check(`${name} (${section})`, flaw === '', flaw);
    }
}

// A client may send frames in the packet of its handshake's end, though it should not.
async function together() {
    const raw = await RawSocket.connect(daemon.port);
    const frame = sentBytes('81:~40 89:p 88:%03%E8').bytes;
    raw.write(Buffer.concat([Buffer.from(`${usual.join('\r\n')}\r\n\r\n`), frame]));
    const bytes = await raw.untilEnd();
    const { got } = describe(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4));
    check('frames in the packet of the handshake are taken',
          JSON.stringify(got.slice(1)) === '["text pong \\"n\\"","pong 70","close 1000"]',
          JSON.stringify(got));
}

await main({
    start: async () => { daemon = await Daemon.start(); },
    handshakes,
    together,
    frames,
    healthy: async () => {
        const answer = await within(request(daemon.port, 'GET', '/healthz'), 'health');
        check('the daemon is well after all of it', answer.status === 200, answer);
    },
    stop: () => daemon.stop(),
});
