// The protobuf wire format, as far as the transport frames need it.

const VARINT = 0;
const FIXED64 = 1;
const LEN = 2;

export function varint(value) {
    const out = [];
    let rest = BigInt(value);
    while (rest > 127n) {
        out.push(Number(rest & 127n) | 128);
        rest >>= 7n;
    }
    out.push(Number(rest));
    return Buffer.from(out);
}

export function lengthField(number, bytes) {
    const value = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
    return Buffer.concat([varint(number << 3 | LEN), varint(value.length), value]);
}

export function varintField(number, value) {
    return Buffer.concat([varint(number << 3 | VARINT), varint(value)]);
}

function readVarint(bytes, at) {
    let value = 0n;
    let shift = 0n;
    for (;;) {
        const byte = bytes[at++];
        value |= BigInt(byte & 127) << shift;
        shift += 7n;
        if (byte < 128) {
            return [value, at];
        }
    }
}

// [{number, wire, value}] in the order of the bytes.
export function readFields(bytes) {
    const fields = [];
    let at = 0;
    while (at < bytes.length) {
        let tag;
        let value;
        [tag, at] = readVarint(bytes, at);
        const wire = Number(tag & 7n);
        if (wire === VARINT) {
            [value, at] = readVarint(bytes, at);
        } else if (wire === FIXED64) {
            value = bytes.readBigUInt64LE(at);
            at += 8;
        } else if (wire === LEN) {
            let len;
            [len, at] = readVarint(bytes, at);
            value = bytes.subarray(at, at + Number(len));
            at += Number(len);
        } else {
            throw new Error(`wire type ${wire}`);
        }
        if (at > bytes.length) {
            throw new Error('cut message');
        }
        fields.push({ number: Number(tag >> 3n), wire, value });
    }
    return fields;
}

// Message layouts: number -> [name, kind]; kind is text, u64, bool, bytes or another layout.
const any = { 1: ['typeUrl', 'text'], 2: ['value', 'bytes'] };
const subscribed = { 1: ['sessionId', 'text'], 2: ['sinceSnapshotOrdinal', 'u64'],
                     16: ['cursor', 'text'], 17: ['recovered', 'bool'], 18: ['reason', 'text'],
                     19: ['running', 'bool'] };
const nonce = { 1: ['nonce', 'text'] };
const entity = {
    1: ['kind', 'text'], 2: ['id', 'text'], 3: ['createdOrdinal', 'u64'],
    4: ['lastEventOrdinal', 'u64'], 5: ['tombstone', 'bool'], 6: ['payload', any],
};

export const serverFrame = {
    1: ['hello', { 1: ['connectionId', 'text'] }],
    2: ['snapshot', { 1: ['sessionId', 'text'], 2: ['snapshotOrdinal', 'u64'],
                      3: ['entities', entity, 'repeated'], 16: ['epoch', 'u64'],
                      17: ['cursor', 'text'], 18: ['delta', 'bool'], 19: ['running', 'bool'],
                      20: ['page', 'u64'], 21: ['lastPage', 'bool'] }],
    3: ['subscribed', subscribed],
    4: ['unsubscribed', { 1: ['sessionId', 'text'] }],
    5: ['uiEvent', { 1: ['sessionId', 'text'], 2: ['eventOrdinal', 'u64'], 3: ['name', 'text'],
                     4: ['payload', any], 16: ['epoch', 'u64'], 17: ['index', 'u64'],
                     18: ['last', 'bool'], 19: ['timeUs', 'u64'], 20: ['live', 'u64'],
                     21: ['cursor', 'text'] }],
    6: ['error', { 1: ['code', 'text'], 2: ['message', 'text'], 3: ['sessionId', 'text'],
                   4: ['detail', 'text'], 16: ['requestId', 'text'] }],
    7: ['ping', nonce],
    8: ['pong', nonce],
    16: ['accepted', { 1: ['requestId', 'text'], 2: ['sessionId', 'text'],
                       3: ['ordinal', 'u64'] }],
    17: ['activity', { 1: ['sessionId', 'text'], 2: ['running', 'bool'] }],
};

export const chatUpdate = {
    1: ['messageId', 'text'], 2: ['role', 'text'], 3: ['prompt', 'text'], 4: ['chunk', 'text'],
    5: ['text', 'text'], 6: ['content', 'text'], 7: ['status', 'text'], 8: ['streaming', 'bool'],
    9: ['ordinal', 'text'],
};

export const benchDelivered = { 1: ['payload', 'bytes'], 2: ['sentNs', 'u64'],
                                3: ['entity', 'u64'] };

function readValue(kind, value) {
    if (kind === 'text') {
        return value.toString();
    }
    if (kind === 'u64') {
        return value.toString();
    }
    if (kind === 'bool') {
        return value !== 0n;
    }
    return kind === 'bytes' ? value : decode(kind, value);
}

// The message as an object with the member names of its JSON form; 64-bit integers as digits.
export function decode(layout, bytes) {
    const message = {};
    for (const { number, value } of readFields(bytes)) {
        if (layout[number] === undefined) {
            throw new Error(`field ${number} is not in the schema`);
        }
        const [name, kind, repeated] = layout[number];
        const read = readValue(kind, value);
        if (repeated === undefined) {
            message[name] = read;
        } else {
            (message[name] ??= []).push(read);
        }
    }
    return message;
}

export const decodeServerFrame = (data) => decode(serverFrame, data);

// ---- client frames ----

export const subscribeFrame = (sessionId, { resume = '', delta = false, pageBytes = 0 } = {}) =>
    lengthField(1, Buffer.concat([lengthField(1, sessionId),
                                  ...(resume === '' ? [] : [lengthField(16, resume)]),
                                  ...(delta ? [varintField(17, 1)] : []),
                                  ...(pageBytes > 0 ? [varintField(20, pageBytes)] : [])]));

export const pingFrame = (text) => lengthField(3, lengthField(1, text));

export function submitFrame({ requestId = '', sessionId, name, typeUrl, value }) {
    const payload = Buffer.concat([lengthField(1, typeUrl), lengthField(2, value)]);
    return lengthField(16, Buffer.concat([lengthField(1, requestId), lengthField(2, sessionId),
                                          lengthField(3, name), lengthField(4, payload)]));
}
