// Every client frame that is taken or refused, with its code; and what the HTTP side refuses.
import crypto from 'node:crypto';
import { Client, Daemon, RawSocket, chatTypes, check, checkSame, main, request, runProgram,
         daemonFile, startInference } from '../../integration/harness.mjs';
import { decodeServerFrame, lengthField, pingFrame, submitFrame, subscribeFrame,
         varint } from '../../integration/protobuf.mjs';

let daemon;

// ---- frames that are taken ----

// [frame text, expected answers in order]
const empty = (sessionId) => ({ snapshot: { sessionId } });
const subscribed = (sessionId, since) => ({ subscribed: { sessionId,
                                                          sinceSnapshotOrdinal: since } });
const since = (text) => `{"subscribe":{"sessionId":"s","sinceSnapshotOrdinal":${text}}}`;
const taken = [
    ['{"subscribe":{"sessionId":"s-1"}}', empty('s-1'), subscribed('s-1')],
    ['{"subscribe":{"sessionId":"s-1","sinceSnapshotOrdinal":"0"}}', empty('s-1'),
     subscribed('s-1')],
    ['{"subscribe":{"session_id":"s","since_snapshot_ordinal":"5"}}', empty('s'),
     subscribed('s', '5')],
    [since('7'), empty('s'), subscribed('s', '7')],
    [since('1.0'), empty('s'), subscribed('s', '1')],
    [since('1e2'), empty('s'), subscribed('s', '100')],
    [since('"1e3"'), empty('s'), subscribed('s', '1000')],
    [since('-0'), empty('s'), subscribed('s')],
    [since('null'), empty('s'), subscribed('s')],
    [since('"18446744073709551615"'), empty('s'), subscribed('s', '18446744073709551615')],
    [since('18446744073709551615'), empty('s'), subscribed('s', '18446744073709551615')],
    [' \t\r\n{ "ping" : { "nonce" : "abc" } } \n', { pong: { nonce: 'abc' } }],
    ['{"ping":{}}', { pong: {} }],
    ['{"ping":{"nonce":null}}', { pong: {} }],
    ['{"subscribe":null,"ping":{}}', { pong: {} }],
    ['{"ping":{"nonce":"\\u00e9\\ud83d\\ude00\\n"}}', { pong: { nonce: 'é😀\n' } }],
    ['{"pong":{"nonce":"x"}}'],
    ['{"unsubscribe":{"sessionId":"never"}}', { unsubscribed: { sessionId: 'never' } }],
    [`{"subscribe":{"sessionId":"${'a'.repeat(255)}"}}`, empty('a'.repeat(255)),
     subscribed('a'.repeat(255))],
    ['{"subscribe":{"sessionId":"ünï/ ?"}}', empty('ünï/ ?'), subscribed('ünï/ ?')],
];

async function accepted() {
    const client = await Client.connect(daemon.port);
    for (const [text, ...answers] of taken) {
        for (const binary of [false, true]) {
            client.send(binary ? Buffer.from(text) : text);
            client.send('{"ping":{"nonce":"end"}}');
            const got = [];
            for (;;) {
                const frame = await client.next();
                if (frame.pong?.nonce === 'end') {
                    break;
                }
                got.push(frame);
            }
            // A snapshot comes from another thread and may come after the pong.
            while (got.length < answers.length) {
                got.push(await client.next());
            }
            checkSame(`takes ${JSON.stringify(text.slice(0, 70))}${binary ? ' as binary' : ''}`,
                      got, answers);
        }
    }
    await client.close();
}

// ---- frames that are refused ----

const malformed = [
    '', ' ', 'not json', '[]', '"x"', 'null', '7', 'true', '\ufeff{"ping":{}}', "{'ping':{}}",
    '{"ping":{},}', '{"ping":{}} x', '{"ping":{}}{"ping":{}}', '{"ping":{}', '{"ping"}',
    '{ping:{}}',
    '{"ping":{"nonce":"a\tb"}}', '{"ping":{"nonce":"\\x"}}', '{"ping":{"nonce":"\\u12"}}',
    '/* c */{"ping":{}}', '{"ping":{"nonce":NaN}}',
    '{"command":{}}', '{"Subscribe":{"sessionId":"s"}}', '{"ping":{"Nonce":"x"}}',
    '{"ping":{"other":1}}', '{"subscribe":{"sessionId":"s","more":null}}', '{"hello":{}}',
    '{"ping":{},"ping":{}}', '{"ping":{"nonce":"a","nonce":"b"}}',
    '{"subscribe":{"sessionId":"s","session_id":"s"}}', '{"ping":{},"pong":{}}',
    '{"subscribe":{"sessionId":"s"},"ping":{}}',
    '{"subscribe":{"sessionId":7}}', '{"subscribe":{"sessionId":true}}',
    '{"subscribe":{"sessionId":["s"]}}', '{"subscribe":"s"}', '{"subscribe":[]}',
    ...['true', '"-1"', '-1', '"abc"', '""', '"007"', '" 7"', '"7 "', '1.5', '"1.5"', '1e20',
        '18446744073709551616', '"18446744073709551616"', '007', '+1', '{}', '[]', '1e',
        '.5'].map(since),
    '{"ping":{"nonce":"\\ud83d"}}', '{"ping":{"nonce":"\\ude00\\ud83d"}}',
    '{"submit":{"sessionId":"s","name":"ChatStartInference","payload":{"@type":' +
        `"${chatTypes}None"}}}`,
    '{"submit":{"sessionId":"s","name":"ChatStartInference","payload":{"prompt":"x"}}}',
    '{"submit":{"sessionId":"s","name":"ChatStartInference","payload":{"@type":' +
        `"${chatTypes}StartInferenceCommand","unknown":1}}}`,
    '{"submit":{"sessionId":"s","name":"ChatStartInference","payload":{"@type":' +
        `"${chatTypes}StartInferenceCommand","prompt":1}}}`,
    `{"ping":${'{"nonce":'.repeat(1000)}`, '['.repeat(100000),
];

const submit = (members) => JSON.stringify({ submit: members });
const start = startInference('x');
const long = 'i'.repeat(129);

// [frame text, code, members of the error that must be there]
const refused = [
    ['{}', 'protocol_error', {}],
    ['{"ping":null}', 'protocol_error', {}],
    ['{"submit":null}', 'protocol_error', {}],
    ['{"subscribe":{}}', 'protocol_error', {}],
    ['{"subscribe":{"sessionId":""}}', 'protocol_error', {}],
    ['{"unsubscribe":{}}', 'protocol_error', {}],
    [`{"subscribe":{"sessionId":"${'a'.repeat(256)}"}}`, 'invalid_session_id', {}],
    [`{"subscribe":{"sessionId":"${'é'.repeat(128)}"}}`, 'invalid_session_id', {}],
    [`{"unsubscribe":{"sessionId":"${'a'.repeat(256)}"}}`, 'invalid_session_id', {}],
    [submit({}), 'invalid_session_id', {}],
    [submit({ requestId: 'r', sessionId: '', name: 'ChatStartInference', payload: start }),
     'invalid_session_id', { requestId: 'r' }],
    [submit({ requestId: 'r', sessionId: 'a'.repeat(256), name: 'ChatStartInference',
              payload: start }), 'invalid_session_id', { requestId: 'r' }],
    [submit({ requestId: long, sessionId: 's', name: 'ChatStartInference', payload: start }),
     'too_large', { sessionId: 's' }],
    [submit({ requestId: 'r', sessionId: 's', payload: start }), 'unknown_command',
     { requestId: 'r', sessionId: 's' }],
    [submit({ requestId: 'r', sessionId: 's', name: 'Nope', payload: start }), 'unknown_command',
     { requestId: 'r', sessionId: 's' }],
    [submit({ requestId: 'r', sessionId: 's', name: 'chatStartInference', payload: start }),
     'unknown_command', { requestId: 'r', sessionId: 's' }],
    [submit({ requestId: 'r', sessionId: 's', name: 'ChatStartInference' }), 'invalid_payload',
     { requestId: 'r', sessionId: 's' }],
    [submit({ requestId: 'r', sessionId: 's', name: 'ChatStartInference', payload: {} }),
     'invalid_payload', { requestId: 'r', sessionId: 's' }],
    [submit({ requestId: 'r', sessionId: 's', name: 'ChatStartInference',
              payload: { '@type': `${chatTypes}StopInferenceCommand` } }), 'type_mismatch',
     { requestId: 'r', sessionId: 's' }],
    [submit({ requestId: 'r', sessionId: 's', name: 'ChatStartInference',
              payload: { '@type': 'type.googleapis.com/google.protobuf.Struct', value: {} } }),
     'type_mismatch', { requestId: 'r', sessionId: 's' }],
    [submit({ requestId: 'r', sessionId: 's', name: 'ChatStartInference',
              payload: startInference('a\0b') }), 'invalid_payload',
     { requestId: 'r', sessionId: 's' }],
];

async function checkRefusal(client, name, frame, code, members) {
    client.send(frame);
    const error = (await client.next(`answer to ${name}`)).error;
    const good = error?.code === code && typeof error.message === 'string' &&
                 error.message !== '' &&
                 Object.entries(members).every(([key, value]) => error[key] === value);
    check(`refuses ${name} with ${code}`, good, error);
    return error;
}

async function refusals() {
    const client = await Client.connect(daemon.port);
    for (const text of malformed) {
        await checkRefusal(client, text.slice(0, 90) || '(nothing)', text, 'bad_client_frame', {});
    }
    for (const [text, code, members] of refused) {
        await checkRefusal(client, text.slice(0, 90), text, code, members);
    }
    checkSame('texts of the contract', await (async () => {
        client.send('{}');
        client.send('{"subscribe":{}}');
        client.send('{"unsubscribe":{}}');
        return [await client.next(), await client.next(), await client.next()];
    })(), ['unknown client frame', 'subscribe missing session id',
           'unsubscribe missing session id'].map((message) =>
        ({ error: { code: 'protocol_error', message } })));
    client.send(Buffer.concat([Buffer.from('{"ping":{"nonce":"'), Buffer.from([0xc3, 0x28]),
                               Buffer.from('"}}')]));
    checkSame('refuses bad UTF-8 in a binary message', (await client.next()).error?.code,
              'bad_client_frame');
    check('the connection survived all refusals', await client.alive());
    const snapshot = await request(daemon.port, 'GET', '/v1/sessions/s/snapshot');
    checkSame('no refused frame did anything', snapshot.body, '{"sessionId":"s","cursor":"0:0"}');
    await client.close();
}

// ---- protobuf ----

const startType = `${chatTypes}StartInferenceCommand`;
const startCommand = (value, typeUrl = startType) =>
    submitFrame({ requestId: 'r', sessionId: 'p', name: 'ChatStartInference', typeUrl, value });

function groups(depth) {
    return Buffer.concat([Buffer.alloc(depth, 9 << 3 | 3), Buffer.alloc(depth, 9 << 3 | 4)]);
}

function nested(depth, number) {
    let bytes = Buffer.alloc(0);
    for (let i = 0; i < depth; i++) {
        bytes = lengthField(number, bytes);
    }
    return bytes;
}

const packedRefusals = [
    ['10,000 nested groups', groups(10000), 'bad_client_frame'],
    ['65 nested groups', groups(65), 'bad_client_frame'],
    ['10,000 open groups', Buffer.alloc(10000, 9 << 3 | 3), 'bad_client_frame'],
    ['a lone end of a group', Buffer.from([9 << 3 | 4]), 'bad_client_frame'],
    ['10,000 groups in a payload', startCommand(groups(10000)), 'invalid_payload'],
    ['bad UTF-8 in a nonce', pingFrame(Buffer.from([0xc3, 0x28])), 'bad_client_frame'],
    ['a surrogate in a nonce', pingFrame(Buffer.from([0xed, 0xa0, 0x80])), 'bad_client_frame'],
    ['NUL in a session id', subscribeFrame('a\0b'), 'bad_client_frame'],
    ['bad UTF-8 in a payload', startCommand(lengthField(1, Buffer.from([0xff]))),
     'invalid_payload'],
    ['NUL in a payload', startCommand(lengthField(1, 'a\0b')), 'invalid_payload'],
    ['a payload of another type', startCommand(Buffer.alloc(0), `${chatTypes}StopInferenceCommand`),
     'type_mismatch'],
    ['a payload of an unknown type', startCommand(Buffer.alloc(0), 'type.googleapis.com/a.B'),
     'type_mismatch'],
    ['a payload without type', startCommand(Buffer.alloc(0), ''), 'invalid_payload'],
    ['no frame', Buffer.alloc(0), 'protocol_error'],
    ['only an unknown field', lengthField(99, 'x'), 'protocol_error'],
    ['a cut message', pingFrame('abc').subarray(0, 4), 'bad_client_frame'],
    ['a length beyond the end', Buffer.from([0x1a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
     'bad_client_frame'],
    ['a varint of 11 bytes', Buffer.concat([Buffer.from([8]), Buffer.alloc(10, 0xff),
                                            Buffer.from([1])]), 'bad_client_frame'],
    ['field number 0', Buffer.from([2, 0]), 'bad_client_frame'],
    ['wire type 7', Buffer.from([0x1f]), 'bad_client_frame'],
];

async function packed() {
    const client = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.protobuf',
                                                       decode: decodeServerFrame });
    for (const [name, frame, code] of packedRefusals) {
        await checkRefusal(client, name, frame, code, {});
    }
    await checkRefusal(client, 'text on a protobuf connection', '{"ping":{}}', 'bad_client_frame',
                       {});
    // Arms nested in their own field are text to the schema, not messages.
    client.send(nested(10000, 3));
    const deep = await client.next();
    check('10,000 nested arms are answered', deep.pong !== undefined || deep.error !== undefined);
    client.send(Buffer.concat([lengthField(99, 'unknown'), pingFrame('p'),
                               Buffer.from([0xf8, 0x7f]), varint(5)]));
    checkSame('unknown fields are skipped', await client.next(), { pong: { nonce: 'p' } });
    client.send(Buffer.concat([subscribeFrame('s'), pingFrame('last')]));
    checkSame('the last arm wins', await client.next(), { pong: { nonce: 'last' } });
    const snapshot = await request(daemon.port, 'GET', '/v1/sessions/p/snapshot');
    checkSame('no refused protobuf frame did anything', snapshot.body, '{"sessionId":"p","cursor":"0:0"}');
    await client.close();
}

// ---- the websocket protocol itself ----

const key = crypto.randomBytes(16).toString('base64');

function handshake({ version = '13', withKey = true, method = 'GET', extra = '' } = {}) {
    return `${method} / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: ${version}\r\n${withKey ? `Sec-WebSocket-Key: ${key}\r\n` : ''}` +
        `${extra}\r\n`;
}

function wsFrame(first, payload, masked = true) {
    const body = Buffer.from(payload);
    const head = [first];
    const bit = masked ? 128 : 0;
    if (body.length < 126) {
        head.push(bit | body.length);
    } else {
        head.push(bit | 126, body.length >> 8, body.length & 255);
    }
    const mask = masked ? [1, 2, 3, 4] : [];
    return Buffer.concat([Buffer.from([...head, ...mask]),
                          body.map((byte, i) => (masked ? byte ^ mask[i & 3] : byte))]);
}

// The frames the server sent: [{opcode, payload}], without the response before them.
function serverFrames(bytes) {
    const frames = [];
    let at = bytes.indexOf('\r\n\r\n') + 4;
    while (at >= 4 && at + 2 <= bytes.length) {
        const short = bytes[at + 1] & 127;
        const extended = short < 126 ? 0 : short === 126 ? 2 : 8;
        if (at + 2 + extended > bytes.length) {
            break;
        }
        const len = extended === 0 ? short : bytes.readUIntBE(at + 2 + Math.max(0, extended - 6),
                                                              Math.min(extended, 6));
        const begin = at + 2 + extended;
        if (begin + len > bytes.length) {
            break;
        }
        frames.push({ opcode: bytes[at] & 15, payload: bytes.subarray(begin, begin + len) });
        at = begin + len;
    }
    return frames;
}

// [name, bytes after the handshake, close status]
const violations = [
    ['an unmasked frame', wsFrame(0x81, '{"ping":{}}', false), 1002],
    ['reserved bit 1', wsFrame(0xc1, '{}'), 1002],
    ['reserved bit 3', wsFrame(0x91, '{}'), 1002],
    ['a reserved opcode', wsFrame(0x83, '{}'), 1002],
    ['a reserved control opcode', wsFrame(0x8b, ''), 1002],
    ['a continuation of nothing', wsFrame(0x80, 'x'), 1002],
    ['a message inside a message', Buffer.concat([wsFrame(0x01, '{"pi'), wsFrame(0x81, '{}')]),
     1002],
    ['a fragmented ping', wsFrame(0x09, 'x'), 1002],
    ['a ping of 126 bytes', wsFrame(0x89, 'x'.repeat(126)), 1002],
    ['a fragmented close', wsFrame(0x08, [0x03, 0xe8]), 1002],
    ['a close of one byte', wsFrame(0x88, 'x'), 1002],
    ['close status 1005', wsFrame(0x88, [0x03, 0xed]), 1002],
    ['text that is not UTF-8', wsFrame(0x81, [0xc3, 0x28]), 1007],
    ['text cut in a character', Buffer.concat([wsFrame(0x01, [0xe2, 0x82]), wsFrame(0x80, [])]),
     1007],
    ['a close reason that is not UTF-8', wsFrame(0x88, [0x03, 0xe8, 0xff]), 1007],
    ['a frame that announces 2^62 bytes', Buffer.from([0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0,
                                                       1, 2, 3, 4, 5]), 1009],
    ['a length that is not the shortest', Buffer.from([0x81, 0xfe, 0, 1, 1, 2, 3, 4, 5]), 1002],
    ['a header that announces 2^63 - 1 bytes',
     Buffer.from([0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4]), 1009],
    ['a header that announces a byte over the limit',
     Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 1, 2, 3, 4]), 1009],
    ['a header of a fragment that exceeds the limit with those before it',
     Buffer.concat([wsFrame(0x01, 'x'),
                    Buffer.from([0x80, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4])]), 1009],
    ['a header that announces 2^63 bytes',
     Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]), 1002],
    ['a length over 2^63', Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5]),
     1002],
    ['a text whose first byte is no UTF-8, without the rest',
     wsFrame(0x81, [0xff, ...Buffer.alloc(90)]).subarray(0, 7), 1007],
    ['an orderly close', wsFrame(0x88, [0x03, 0xe8]), 1000],
];

// ---- closing ----

const closeFrame = (status, reason = '') =>
    wsFrame(0x88, Buffer.concat([Buffer.from([status >> 8, status & 255]), Buffer.from(reason)]));

const closeStatuses = [
    ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999].map((status) => [status, status]),
    ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
        .map((status) => [status, 1002]),
];

// Sends the parts, each after the server has had time to read the one before: it serves all
// sockets on one thread, in order. Returns the frames behind the hello.
async function conversation(name, parts) {
    const raw = await RawSocket.connect(daemon.port);
    raw.socket.setNoDelay(true);
    raw.write(handshake());
    for (const part of parts) {
        raw.write(part);
        if (parts.length > 1) {
            await request(daemon.port, 'GET', '/healthz');
        }
    }
    const got = await raw.untilEnd(`end after ${name}`);
    raw.close();
    return serverFrames(got).slice(1);
}

async function closing() {
    for (const [status, answer] of closeStatuses) {
        const frames = await conversation(`close ${status}`, [closeFrame(status, 'because')]);
        const sent = frames.length === 1 && frames[0].opcode === 8 && frames[0].payload.length >= 2
            ? frames[0].payload.readUInt16BE(0) : frames;
        checkSame(`close status ${status} is answered with ${answer}`, sent, answer);
    }
    checkSame('an empty close is answered with an empty one',
              (await conversation('an empty close', [wsFrame(0x88, '')]))
                  .map((frame) => [frame.opcode, frame.payload.length]), [[8, 0]]);
    const whole = closeFrame(1013, 'ä€😀');
    for (let cut = 1; cut < whole.length; cut++) {
        const frames = await conversation(`a close cut at ${cut}`,
                                          [whole.subarray(0, cut), whole.subarray(cut)]);
        checkSame(`a close frame cut at byte ${cut} is taken whole`,
                  frames.map((frame) => [frame.opcode, frame.payload.readUInt16BE(0)]),
                  [[8, 1013]]);
    }
    checkSame('pings before a refusal are answered before the close frame',
              (await conversation('pings and a violation',
                                  [Buffer.concat([wsFrame(0x89, 'one'), wsFrame(0x89, 'two'),
                                                  wsFrame(0xf1, '')])]))
                  .map((frame) => [frame.opcode, frame.payload.subarray(0, 3).toString()]),
              [[10, 'one'], [10, 'two'], [8, '\x03\ufffdr']]);
}

async function websocket() {
    for (const [name, bytes, status] of violations) {
        const raw = await RawSocket.connect(daemon.port);
        raw.write(handshake());
        raw.write(bytes);
        const got = await raw.untilEnd(`end after ${name}`);
        const close = serverFrames(got).find((frame) => frame.opcode === 8);
        check(`${name} is closed with ${status}`,
              close?.payload.length >= 2 && close.payload.readUInt16BE(0) === status,
              close?.payload.length >= 2 ? String(close.payload.readUInt16BE(0)) : String(got));
        raw.close();
    }
    const pieces = await RawSocket.connect(daemon.port);
    pieces.write(handshake());
    pieces.write(Buffer.concat([wsFrame(0x01, '{"ping":{"no'), wsFrame(0x89, 'between'),
                                wsFrame(0x00, ''), wsFrame(0x80, 'nce":"joined"}}')]));
    const answers = serverFrames(await pieces.until((bytes) => bytes.includes('joined') &&
                                                   bytes.includes('between'), 'both pongs'));
    checkSame('a ping between fragments is answered before the message they make',
              answers.slice(1).map((frame) => [frame.opcode, frame.payload.toString()]),
              [[10, 'between'], [1, '{"pong":{"nonce":"joined"}}']]);
    pieces.close();
    const big = await Client.connect(daemon.port);
    big.send(JSON.stringify({ ping: { nonce: 'n'.repeat(2 << 20) } }));
    checkSame('a message of 2 MiB is closed with 1009', (await big.closed).code, 1009);
    const most = await Client.connect(daemon.port);
    const nonce = 'n'.repeat((1 << 20) - 22);
    most.send(JSON.stringify({ ping: { nonce } }));
    check('a message of 1 MiB is answered', (await most.nextOf('pong')).pong.nonce === nonce);
    await most.close();
    const sessions = await Client.connect(daemon.port);
    for (let i = 0; i <= 256; i++) {
        sessions.send({ subscribe: { sessionId: `many-${i}` } });
    }
    const refusal = (await sessions.nextOf('error')).error;
    checkSame('the 257th session of a connection is refused', [refusal.code, refusal.sessionId],
              ['too_many_subscriptions', 'many-256']);
    check('and the connection survives', await sessions.alive());
    await sessions.close();
}

// ---- the handshake and HTTP ----

async function exchange(text) {
    const raw = await RawSocket.connect(daemon.port);
    raw.write(text);
    const whole = (bytes) => {
        const head = bytes.indexOf('\r\n\r\n');
        const length = /\r\nContent-Length: (\d+)\r\n/i.exec(bytes.toString('latin1'));
        return head >= 0 && length !== null && bytes.length >= head + 4 + Number(length[1]);
    };
    const bytes = (await raw.until(whole, 'response')).toString();
    raw.close();
    const at = bytes.indexOf('\r\n\r\n');
    return { status: Number(bytes.slice(9, 12)), head: bytes.slice(0, at),
             body: bytes.slice(at + 4) };
}

function checkProblem(name, got, status, head = /^/) {
    let problem = {};
    try {
        problem = JSON.parse(got.body);
    } catch {
        // judged below
    }
    check(name, got.status === status && /content-type: application\/problem\+json/i.test(got.head)
        && problem.status === status && typeof problem.code === 'string' && problem.title !== ''
        && head.test(got.head), got);
}

const getLine = 'GET /healthz HTTP/1.1\r\n';

async function http() {
    checkProblem('a handshake without key', await exchange(handshake({ withKey: false })), 400);
    checkProblem('version 12 gets 426 and the version we speak',
                 await exchange(handshake({ version: '12' })), 426,
                 /\r\nSec-WebSocket-Version: 13(\r\n|$)/i);
    checkProblem('a handshake by POST', await exchange(handshake({ method: 'POST' })), 405,
                 /\r\nAllow: GET/i);
    checkProblem('a handshake with two keys', await exchange(handshake({
        extra: `Sec-WebSocket-Key: ${key}\r\n` })), 400);
    checkProblem('a head of over 16 KiB',
                 await exchange(`${getLine}Host: a\r\nX-Long: ${'x'.repeat(20000)}\r\n\r\n`), 431);
    checkProblem('too many fields',
                 await exchange(`${getLine}Host: a\r\n${'X: y\r\n'.repeat(100)}\r\n`), 431);
    checkProblem('no Host', await exchange(`${getLine}\r\n`), 400);
    checkProblem('two Hosts', await exchange(`${getLine}Host: a\r\nHost: b\r\n\r\n`), 400);
    checkProblem('a bare line feed', await exchange(`${getLine}Host: a\nX: y\r\n\r\n`), 400);
    checkProblem('a folded field', await exchange(`${getLine}Host: a\r\nX: y\r\n z\r\n\r\n`), 400);
    checkProblem('length and chunks at once', await exchange(
        'POST /v1/sessions/h/commands/ChatStartInference HTTP/1.1\r\nHost: a\r\n' +
        'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'), 400);
    checkProblem('HTTP/2.0', await exchange('GET / HTTP/2.0\r\nHost: a\r\n\r\n'), 505);
    checkProblem('no HTTP at all', await exchange('\x16\x03\x01\x02\r\n\r\n'), 400);
    const asked = async (method, path, body) => {
        const got = await request(daemon.port, method, path, body);
        return { status: got.status, body: got.body,
                 head: `\r\n${Object.entries(got.headers).map((pair) => pair.join(': '))
                     .join('\r\n')}` };
    };
    checkProblem('an unknown path', await asked('GET', '/nope'), 404);
    checkProblem('another method', await asked('POST', '/healthz'), 405, /\r\nallow: GET, HEAD/i);
    checkProblem('GET of a command',
                 await asked('GET', '/v1/sessions/h/commands/ChatStartInference'), 405,
                 /\r\nallow: POST/i);
    checkProblem('an unknown command',
                 await asked('POST', '/v1/sessions/h/commands/No', '{}'), 404);
    const command = '/v1/sessions/h/commands/ChatStartInference';
    checkProblem('a body that is no JSON', await asked('POST', command, '{'), 400);
    checkProblem('an unknown member', await asked('POST', command, '{"x":1}'), 400);
    checkProblem('an empty session id',
                 await asked('POST', command.replace('/h/', '//'), '{}'), 400);
    checkProblem('a session id of 256 bytes',
                 await asked('GET', `/v1/sessions/${'a'.repeat(256)}/snapshot`), 400);
    checkProblem('a session id that is not UTF-8', await asked('GET', '/v1/sessions/%ff/snapshot'),
                 400);
    checkProblem('a session id with NUL', await asked('GET', '/v1/sessions/a%00b/snapshot'), 400);
    checkProblem('a broken escape', await asked('GET', '/v1/sessions/%f/snapshot'), 400);
    checkProblem('a body of 2 MiB', await asked('POST', command, Buffer.alloc(2 << 20, 32)), 413);
    checkSame('none of these did anything',
              (await request(daemon.port, 'GET', '/v1/sessions/h/snapshot')).body,
              '{"sessionId":"h","cursor":"0:0"}');
    const sent = await request(daemon.port, 'POST', command, '{"prompt":"x"}');
    checkSame('a command by POST', [sent.status, sent.body],
              [200, '{"sessionId":"h","ordinal":"2"}']);
    for (const [path, body] of [['/healthz', /^ok\n$/], ['/readyz', /^ready\n$/],
                                ['/metrics', /^sessionstream_events_total\{.*\} \d+$/m],
                                ['/', /<html/i]]) {
        const got = await request(daemon.port, 'GET', path);
        check(`GET ${path}`, got.status === 200 && body.test(got.body), got.body.slice(0, 300));
        const head = await request(daemon.port, 'HEAD', path);
        check(`HEAD ${path}`, head.status === 200 && head.body === '' &&
              Number(head.headers['content-length']) > 0, head.headers);
    }
}

// ---- slow handshakes ----

async function stalled() {
    const known = runProgram(daemonFile, ['--help']).output.includes('--handshake-timeout');
    check('there is a limit on the time of a handshake', known);
    const other = await Daemon.start({ flags: known ? ['--handshake-timeout', '5s'] : [] });
    const half = await RawSocket.connect(other.port);
    half.write(handshake().slice(0, 40));
    const silent = await RawSocket.connect(other.port);
    const client = await Client.connect(other.port);
    await client.subscribe('s');
    client.submit('s', 'ChatStartInference', startInference('Explain ordinals'));
    checkSame('a client is served meanwhile', (await client.take('uiEvent', 6)).length, 6);
    check('the stalled ones are still open then', !half.ended && !silent.ended);
    if (known) {
        const got = (await half.untilEnd('end of the stalled handshake')).toString();
        check('a stalled handshake is ended, with 408 or silence',
              got === '' || got.startsWith('HTTP/1.1 408'), got);
        checkSame('a silent connection is ended silently',
                  (await silent.untilEnd('end of the silent connection')).toString(), '');
        check('the client stays', await client.alive());
    }
    await other.stop();
}

await main({
    start: async () => { daemon = await Daemon.start(); },
    accepted, refusals, packed, websocket, closing, http, stalled,
    stop: () => daemon.stop(),
});
