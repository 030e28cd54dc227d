// Large snapshots come in pages of one place, or in one frame that is made beside the shard; who does
// not ask for pages of one that is too large is told about them.
import { Client, Daemon, check, checkSame, main, request } from './harness.mjs';
import { readMetrics } from './metrics.mjs';
import { benchDelivered, decode, decodeServerFrame, pingFrame,
         subscribeFrame } from './protobuf.mjs';

const type = 'type.googleapis.com/sessionstream.apps.bench.v1.BenchPublishCommand';
const session = 'large';
const pageBytes = 65536;
const entities = 3000;
const v2 = { protocol: 'sessionstream.v2.json' };
const kinds = {
    text: { connect: v2, subscribe: (extra) => ({ subscribe: { sessionId: session, ...extra } }) },
    binary: { connect: { protocol: 'sessionstream.v2.protobuf', decode: decodeServerFrame },
              subscribe: (extra) => subscribeFrame(session, extra) },
};

const start = (...flags) => Daemon.start({ flags: ['--app', 'bench', '--app-option',
                                                   `entities=${entities}`, ...flags] });

// Publishes to these entities; resolves with the last ordinal.
async function publish(client, numbers, { bytes = 200, sessionId = session } = {}) {
    const payload = Buffer.alloc(bytes, 'x').toString('base64');
    let ordinal = 0;
    for (let at = 0; at < numbers.length; at += 32) {
        const some = numbers.slice(at, at + 32);
        some.forEach((entity) => client.submit(sessionId, 'BenchPublish',
                                               { '@type': type, payload, entity }));
        const accepted = await client.take('accepted', some.length);
        ordinal = Math.max(...accepted.map((answer) => Number(answer.accepted.ordinal)));
    }
    return ordinal;
}

const all = Array.from({ length: entities }, (_, i) => i);

async function fill(daemon, bytes) {
    const writer = await Client.connect(daemon.port, v2);
    await publish(writer, all, { bytes });
    return writer;
}

// What a client knows of the session. A page changes nothing before the last one is there.
class Known {
    constructor() {
        this.entities = null;
        this.ordinal = null;
        this.pages = [];
        this.lastPages = 0;
        this.snapshots = 0;
        this.faults = [];
    }

    take(frame) {
        if (frame.snapshot !== undefined) {
            this.takeSnapshot(frame.snapshot);
        } else if (frame.uiEvent !== undefined && this.entities !== null) {
            this.takeEvent(frame.uiEvent);
        }
        return this;
    }

    takeSnapshot(snapshot) {
        const page = Number(snapshot.page ?? 0);
        if (page <= 1) {
            this.pages = [];
        }
        if (page > 0 && page !== this.pages.length + 1) {
            this.faults.push(`page ${page} after ${this.pages.length}`);
        }
        this.pages.push(snapshot);
        if (this.pages[0].snapshotOrdinal !== snapshot.snapshotOrdinal) {
            this.faults.push(`page ${page} is of ${snapshot.snapshotOrdinal}`);
        }
        if ((snapshot.cursor !== undefined) !== (page === 0 || snapshot.lastPage === true)) {
            this.faults.push(`page ${page}: cursor ${snapshot.cursor}`);
        }
        if (page > 0 && snapshot.lastPage !== true) {
            return;
        }
        this.list = this.pages.flatMap((one) => one.entities ?? []);
        this.entities = new Map(this.list.map((one) => [one.id, one.lastEventOrdinal]));
        this.ordinal = Number(snapshot.snapshotOrdinal);
        this.lastPages = page;
        this.snapshots++;
    }

    takeEvent({ eventOrdinal, payload }) {
        if (Number(eventOrdinal) !== this.ordinal + 1) {
            this.faults.push(`frame ${eventOrdinal} after ${this.ordinal}`);
        }
        this.ordinal = Number(eventOrdinal);
        const { entity } = payload.typeUrl === undefined ? payload
                                                         : decode(benchDelivered, payload.value);
        this.entities.set(String(entity ?? 0), eventOrdinal);
    }

    text() {
        return JSON.stringify([...this.entities].sort(([a], [b]) => a - b));
    }
}

// Reads up to subscribed; @onPage may do something between two pages.
async function read(client, onPage = async () => {}) {
    const known = new Known();
    for (;;) {
        const frame = await client.next();
        if (frame.subscribed !== undefined) {
            return { known, subscribed: frame.subscribed };
        }
        if (frame.error !== undefined) {
            throw new Error(frame.error.message);
        }
        known.take(frame);
        if (frame.snapshot?.page !== undefined) {
            await onPage(Number(frame.snapshot.page));
        }
    }
}

async function pages() {
    const daemon = await start();
    const writer = await fill(daemon, 3500);
    const http = JSON.parse((await request(daemon.port, 'GET',
                                           `/v1/sessions/${session}/snapshot`)).body);
    const whole = http.entities.map((one) => [one.kind, one.id, one.lastEventOrdinal]);
    checkSame('there are many entities', whole.length, entities);
    for (const [name, { connect, subscribe }] of Object.entries(kinds)) {
        const client = await Client.connect(daemon.port, connect);
        let largest = 0;
        client.socket.on('message', (data) => { largest = Math.max(largest, data.length); });
        client.send(subscribe({ pageBytes }));
        const { known } = await read(client);
        check(`${name}: several pages`, known.lastPages >= 8, known.lastPages);
        checkSame(`${name}: every entity once, in the order of a snapshot in one frame`,
                  known.list.map((one) => [one.kind, one.id, one.lastEventOrdinal]), whole);
        check(`${name}: no page is much larger than it was asked for`,
              largest <= pageBytes + 128, largest);
        checkSame(`${name}: all of one place`, known.faults, []);
        await client.close();
    }

    // Events go on between the pages, of this session and of others. What is not read fills the
    // buffers on the way long before the snapshot is through.
    const client = await Client.connect(daemon.port, v2);
    let last = 0;
    client.send(kinds.text.subscribe({ pageBytes: 1 }));
    const { known, subscribed } = await read(client, async (page) => {
        if (page === 1) {
            client.socket.pause();
            last = await publish(writer, all.slice(0, 300));
            await publish(writer, [0], { sessionId: 'other' });
            client.socket.resume();
        }
    });
    checkSame('pages, then the frames of what was published meanwhile, then subscribed',
              [known.faults, known.ordinal, subscribed.cursor.split(':')[1]],
              [[], last, String(last)]);
    const now = new Known().take({ snapshot: JSON.parse((await request(
        daemon.port, 'GET', `/v1/sessions/${session}/snapshot`)).body) });
    check('it knows what the session is', known.text() === now.text());
    await publish(writer, [5]);
    const live = await client.nextOf('uiEvent');
    checkSame('and frames go on', Number(live.uiEvent.eventOrdinal), known.ordinal + 1);
    const { snapshot_pages_bytes: held } = await readMetrics(daemon.port);
    checkSame('nothing is held any more', held[''], 0);
    await daemon.stop();
}

async function shared() {
    const daemon = await start();
    await (await fill(daemon, 200)).close();
    const before = await readMetrics(daemon.port);
    const clients = await Promise.all(Array.from({ length: 6 },
                                                 () => Client.connect(daemon.port, v2)));
    clients.forEach((client) => client.send(kinds.text.subscribe({ pageBytes })));
    const answers = await Promise.all(clients.map((client) => read(client)));
    const after = await readMetrics(daemon.port);
    const encoded = (name) => after[name]['encoding="v2_json"'] - before[name]['encoding="v2_json"'];
    const count = answers[0].known.lastPages;
    const made = encoded('snapshots_total');
    checkSame('six who come together get the same', new Set(answers.map(({ known }) =>
        known.text())).size, 1);
    check('and share the pages', made < 6 && encoded('snapshot_pages_total') === made * count,
          [made, encoded('snapshot_pages_total'), count]);
    await daemon.stop();
}

// In one frame it is made beside the shard, once for all who wait, and events go on meanwhile.
async function oneFrame() {
    const daemon = await start();
    const writer = await fill(daemon, 3500);
    const before = await readMetrics(daemon.port);
    const connects = [{}, v2, v2, kinds.binary.connect];    // v1 has no cursor
    const clients = await Promise.all(connects.map((one) => Client.connect(daemon.port, one)));
    clients.forEach((client, i) => client.send(
        connects[i] === kinds.binary.connect ? kinds.binary.subscribe({})
                                             : kinds.text.subscribe({})));
    const documents = Promise.all(Array.from({ length: 4 }, () => request(
        daemon.port, 'GET', `/v1/sessions/${session}/snapshot`)));
    const last = await publish(writer, all.slice(0, 300));
    const other = await publish(writer, [0], { sessionId: 'other' });
    check('others are served', other === 1, other);
    const answers = await Promise.all(clients.map((client) => read(client)));
    for (const { body, status } of await documents) {
        const known = new Known().take({ snapshot: JSON.parse(body) });
        check('a document has every entity', status === 200 && known.entities.size === entities,
              [status, known.entities?.size]);
    }
    const after = await readMetrics(daemon.port);
    const now = new Known().take({ snapshot: JSON.parse((await request(
        daemon.port, 'GET', `/v1/sessions/${session}/snapshot`)).body) });
    checkSame('the newest document is of the last event', now.ordinal, last);
    for (const [i, { known }] of answers.entries()) {
        while (known.ordinal < last) {
            known.take(await clients[i].next());
        }
        const faults = known.faults.filter((fault) => i > 0 || !fault.endsWith('undefined'));
        checkSame('a snapshot in one frame, then every frame once', [faults, known.ordinal,
                  known.snapshots, known.lastPages], [[], last, 1, 0]);
        check('it knows what the session is', known.text() === now.text());
    }
    const made = after.snapshots_pooled_total[''] - before.snapshots_pooled_total[''];
    check('the pool has made them', made > 0, made);
    checkSame('none is under way any more', [after.snapshot_jobs[''],
              after.snapshot_pages_bytes['']], [0, 0]);
    await daemon.stop();
}

async function tooLarge() {
    const daemon = await start('--snapshot-frame', '64KiB');
    const follower = await Client.connect(daemon.port, v2);
    await follower.subscribe(session);
    await follower.nextOf('subscribed');
    const writer = await fill(daemon, 100);
    for (const connect of [{}, v2, kinds.binary.connect]) {
        const client = await Client.connect(daemon.port, connect);
        client.send(connect === kinds.binary.connect ? kinds.binary.subscribe({})
                                                     : kinds.text.subscribe({}));
        const { error } = await client.nextOf('error');
        checkSame('too large for one frame', [error.code, error.sessionId],
                  ['snapshot_too_large', session]);
        check('the message names paging and the sizes', error.message.includes('pageBytes') &&
              error.message.includes(`${entities} entities`) &&
              error.message.includes('65536 bytes'), error.message);
        client.send(connect === kinds.binary.connect ? pingFrame('x') : { ping: { nonce: 'x' } });
        checkSame('the connection goes on', (await client.nextOf('pong')).pong.nonce, 'x');
        await client.close();
    }
    const old = await Client.connect(daemon.port);
    old.send(kinds.text.subscribe({ pageBytes }));
    checkSame('pages are not for v1', (await old.nextOf('error')).error.code, 'invalid_argument');

    await follower.take('uiEvent', entities);
    follower.send(kinds.text.subscribe({}));
    checkSame('one who follows hears the same', (await follower.nextOf('error')).error.code,
              'snapshot_too_large');
    const ordinal = await publish(writer, [1]);
    checkSame('and keeps what it has (W-40)',
              Number((await follower.nextOf('uiEvent')).uiEvent.eventOrdinal), ordinal);
    follower.send(kinds.text.subscribe({ pageBytes }));
    const { known } = await read(follower);
    checkSame('with pages it works', [known.entities.size, known.faults], [entities, []]);

    const answer = await request(daemon.port, 'GET', `/v1/sessions/${session}/snapshot`);
    checkSame('HTTP says it too', [answer.status, JSON.parse(answer.body).code],
              [413, 'snapshot_too_large']);
    check('and how to get it', JSON.parse(answer.body).detail.includes('pageBytes'), answer.body);
    const { errors_total: errors } = await readMetrics(daemon.port);
    check('metrics count it', errors['code="snapshot_too_large"'] >= 5, errors);
    await daemon.stop();
}

async function interrupted() {
    const daemon = await start();
    const writer = await fill(daemon, 200);
    const client = await Client.connect(daemon.port, v2);
    for (const end of [{ unsubscribe: { sessionId: session } },
                       kinds.text.subscribe({ pageBytes: 1 })]) {
        client.send(kinds.text.subscribe({ pageBytes: 1 }));
        await client.nextOf('snapshot', (snapshot) => snapshot.page === 2);
        client.send(end);
        if (end.unsubscribe !== undefined) {
            await client.nextOf('unsubscribed');
            check('nothing comes after unsubscribe', await client.alive());
            continue;
        }
        let { page } = (await client.nextOf('snapshot', ({ page: at }) => at === 1)).snapshot;
        check('subscribing again begins again', page === 1);
        while ((await client.next()).subscribed === undefined) {
            page++;
        }
        check('and comes to its end', page > 20, page);
    }
    for (let i = 0; i < 5; i++) {
        const broken = await Client.connect(daemon.port, v2);
        broken.send(kinds.text.subscribe({ pageBytes: 1 }));
        await broken.nextOf('snapshot', (snapshot) => snapshot.page === i + 1);
        broken.socket.terminate();
    }
    const ordinal = await publish(writer, [1]);
    checkSame('others go on', Number((await client.nextOf('uiEvent')).uiEvent.eventOrdinal),
              ordinal);
    for (let held = 1; held > 0;) {
        held = (await readMetrics(daemon.port)).snapshot_pages_bytes[''];
    }
    check('what the broken ones held is free again', true);
    await daemon.stop();
}

// A client that stops reading while others write is brought up to date in pages.
async function slow() {
    const daemon = await start('--client-queue', '64KiB');
    const writer = await fill(daemon, 200);
    const client = await Client.connect(daemon.port, v2);
    client.send(kinds.text.subscribe({ pageBytes }));
    const { known } = await read(client);
    let wake = () => {};
    client.onFrame = (frame) => {
        known.take(frame);
        wake();
    };
    client.socket.pause();
    let end = 0;
    for (let i = 0; i < 60; i++) {
        end = await publish(writer, all.slice(0, 32), { bytes: 4000 });
    }
    client.socket.resume();
    while (known.ordinal < end && client.ended === undefined) {
        await new Promise((resolve) => { wake = resolve; });
    }
    const now = new Known().take({ snapshot: JSON.parse((await request(
        daemon.port, 'GET', `/v1/sessions/${session}/snapshot`)).body) });
    checkSame('it is still connected, without a gap', [client.ended, known.faults],
              [undefined, []]);
    check('it got another snapshot, in pages', known.snapshots >= 2 && known.lastPages > 1,
          [known.snapshots, known.lastPages]);
    check('it knows what the session is', known.text() === now.text());
    await daemon.stop();
}

await main({ pages, shared, oneFrame, tooLarge, interrupted, slow });
