// The load tester: against a good server its figures add up, against a bad one it names the fault.
import { spawn } from 'node:child_process';
import path from 'node:path';

import { Daemon, argument, check, checkSame, main, within } from './harness.mjs';
import { FakeBench, acceptedFrame, snapshotFrame } from './fake_bench.mjs';

const loadFile = path.resolve(argument('load'));
const rate = Number(argument('rate', process.env.SS_TEST_RATE ?? '1000'));
const seconds = Number(argument('seconds', process.env.SS_TEST_SECONDS ?? '1.5'));

// ---- running it ----

// Resolves with {status, out, err} when the tester has ended; onProgress sees what it says so far.
function runLoad(args, onProgress = () => {}) {
    const child = spawn(loadFile, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const result = { status: null, out: '', err: '' };
    child.stdout.on('data', (bytes) => { result.out += bytes; });
    child.stderr.on('data', (bytes) => {
        result.err += bytes;
        onProgress(result.err);
    });
    const ended = new Promise((resolve) => {
        child.once('close', (status) => resolve({ ...result, status }));
    });
    return within(ended, `end of ss-load ${args.join(' ')}`, 120000)
        .finally(() => child.kill('SIGKILL'));
}

// A run whose document is read; undefined when there is none.
async function runJson(name, args, status = 0, onProgress = () => {}) {
    const result = await runLoad([...args, '--json', '-'], onProgress);
    check(`${name}: status ${status}`, result.status === status,
          `status ${result.status}: ${result.err}`);
    try {
        return { ...JSON.parse(result.out), text: result.err };
    } catch {
        check(`${name}: the result is JSON`, false, result.out);
        return undefined;
    }
}

// ---- figures ----

function checkHistogram(name, histogram) {
    const counted = histogram.buckets.reduce((total, [, count]) => total + count, 0);
    const uppers = histogram.buckets.map(([upper]) => upper);
    check(`${name}: its buckets hold what it counts`, counted === histogram.count,
          `${counted} in buckets, ${histogram.count} counted`);
    check(`${name}: its buckets rise`, uppers.every((upper, i) => i === 0 || upper > uppers[i - 1]),
          uppers);
}

// What must be true of every good run.
function checkGood(name, document) {
    const { totals, latency, measured } = document;
    check(`${name}: good`, document.good && document.lagging === 0, document.text);
    checkSame(`${name}: nothing went wrong`,
              [totals.violations, totals.errors, totals.unanswered, totals.disconnects],
              [0, 0, 0, 0]);
    check(`${name}: something was published`, totals.published > 0 && measured.acked > 0, totals);
    checkSame(`${name}: all is acked`, totals.acked, totals.published);
    for (const [what, histogram] of Object.entries(latency)) {
        checkHistogram(`${name}, ${what}`, histogram);
    }
    checkSame(`${name}: every join is measured`, latency.join.count, totals.joins);
    check(`${name}: a part is measured`,
          latency.ack.count > 0 && latency.ack.count <= totals.acked &&
          measured.acked <= totals.acked && measured.delivered <= totals.delivered, latency.ack);
}

// And of those whose followers all stay from the beginning.
function checkDelivered(name, document, sessions, followers) {
    const { totals, latency } = document;
    checkSame(`${name}: all have joined`, totals.joins, sessions * followers);
    checkSame(`${name}: each follower gets each message`, totals.delivered,
              totals.acked * followers);
    checkSame(`${name}: each measured message has its deliveries, a first and a last one`,
              [latency.delivery.count, latency.first.count, latency.last.count],
              [latency.ack.count * followers, latency.ack.count, latency.ack.count]);
}

// ---- a real server ----

const short = ['--duration', String(seconds), '--warmup', '0.3', '--drain', '60', '--quiet'];

async function good(encoding) {
    const flags = ['--gateways', '2', '--app', 'bench', '--app-option', 'entities=7',
                  '--client-queue', '64MiB'];
    const daemon = await Daemon.start({ flags });
    const base = ['--url', `ws://127.0.0.1:${daemon.port}`, '--encoding', encoding, ...short];
    const [sessions, followers] = [5, 3];
    const shape = ['--sessions', String(sessions), '--followers', String(followers),
                   '--entities', '7', '--threads', '3', '--fold'];

    const paced = await runJson(`${encoding} at a rate`,
                                [...base, ...shape, '--rate', String(rate), '--prefix', 'paced']);
    checkGood(`${encoding} at a rate`, paced);
    checkDelivered(`${encoding} at a rate`, paced, sessions, followers);
    // A tester that was kept from the processor at the end has sent less, and never more.
    const wanted = rate * paced.seconds;
    check(`${encoding}: the rate is kept`, paced.latency.ack.count > wanted / 2 &&
          paced.latency.ack.count < wanted * 1.01 + sessions + 2,
          `${paced.latency.ack.count} messages, ${wanted} wanted`);
    checkSame(`${encoding}: the document says what was asked for`,
              [paced.options.encoding, paced.options.rate, paced.options.sessions,
               paced.options.followers, paced.options.threads, paced.options.publishers],
              [encoding, rate, sessions, followers, 3, sessions]);

    const windowed = await runJson(`${encoding} by window`,
                                   [...base, ...shape, '--window', '20', '--prefix', 'windowed',
                                    '--server-pid', String(daemon.child.pid)]);
    checkGood(`${encoding} by window`, windowed);
    checkDelivered(`${encoding} by window`, windowed, sessions, followers);
    check(`${encoding}: the server's memory is read`, windowed.server.rssBytes > 1 << 20,
          windowed.server);

    const alone = await runJson(`${encoding} without followers`,
                                [...base, '--followers', '0', '--window', '8']);
    checkGood(`${encoding} without followers`, alone);
    checkSame(`${encoding}: nobody follows`, [alone.totals.joins, alone.totals.delivered], [0, 0]);
    await daemon.stop();
}

async function moving() {
    const daemon = await Daemon.start({ flags: ['--app', 'bench', '--app-option', 'entities=5'] });
    const document = await runJson('ramp and churn',
        ['--url', `ws://127.0.0.1:${daemon.port}`, '--sessions', '4', '--followers', '10',
         '--entities', '5', '--threads', '2', '--rate', String(rate / 5), '--ramp', '1',
         '--churn', '40', '--fold', ...short]);
    checkGood('ramp and churn', document);
    check('followers left and came back', document.totals.joins > 40, document.totals.joins);
    check('who left got less', document.totals.delivered < document.totals.acked * 10 &&
                               document.totals.delivered > document.totals.acked,
          document.totals);
    check('no message is measured twice for a follower',
          document.latency.delivery.count <= document.latency.ack.count * 10, document.totals);
    await daemon.stop();
}

async function severalUrls() {
    const daemon = await Daemon.start({ flags: ['--listen', '0.0.0.0:0', '--app', 'bench'] });
    const [, port] = /url=http:\/\/0\.0\.0\.0:(\d+)/.exec(daemon.log);
    const document = await runJson('two addresses',
        ['--url', `ws://127.0.0.1:${port}`, '--url', `http://127.0.0.2:${port}`, '--followers', '4',
         '--rate', String(rate / 5), ...short]);
    checkGood('two addresses', document);
    checkDelivered('two addresses', document, 1, 4);
    const half = await runLoad(['--url', `ws://127.0.0.1:${port}`, '--url', 'ws://127.0.0.2:9',
                                '--followers', '4', '--quiet']);
    check('connections go to each address', half.status === 2 && half.err.includes('cannot join'),
          half.err);
    await daemon.stop();
}

async function otherApplication() {
    const daemon = await Daemon.start();
    for (const encoding of ['json', 'protobuf']) {
        const result = await runLoad(['--url', `ws://127.0.0.1:${daemon.port}`, '--encoding',
                                      encoding, ...short]);
        check(`a daemon with another application, ${encoding}: status 2`, result.status === 2,
              result.err);
        check(`${encoding}: the text says what to start`, result.err.includes('--app bench'),
              result.err);
    }
    await daemon.stop();
}

// Killed while messages are on their way; who is connected again must have all that was acked.
async function restarted(name, pace) {
    const flags = ['--app', 'bench', '--app-option', 'entities=3'];
    let daemon = await Daemon.start({ flags });
    let again;
    const restart = async () => {
        await daemon.kill();
        daemon = await Daemon.start({ dir: daemon.dir, port: daemon.port, flags });
    };
    const document = await runJson(name,
        ['--url', `ws://127.0.0.1:${daemon.port}`, '--sessions', '4', '--followers', '3',
         '--entities', '3', '--threads', '2', '--fold', '--duration', '6', '--warmup', '0',
         '--drain', '60', ...pace], 0, (text) => {
            if (text.includes('  publish  ')) {
                again ??= restart();
            }
        });
    check(`${name}: the server was killed while messages were published`, again !== undefined);
    await again;
    const { totals } = document;
    check(`${name}: all promises were kept`, document.good, document.text);
    check(`${name}: all connections were lost`, totals.disconnects >= 4 * 3 + 4, totals);
    check(`${name}: all followers came back`, totals.joins >= 2 * 4 * 3, totals);
    checkSame(`${name}: each message was acked or its answer lost`, totals.acked +
              totals.unanswered, totals.published);
    // The last second is one after the restart.
    const last = /publish .* published (\d+)\/s/.exec(
        document.text.split('\n').filter((line) => line.includes('  publish  ')).at(-1));
    check(`${name}: publishing went on`, Number(last[1]) > 0, document.text);
    await daemon.stop();
}

// ---- a server that errs ----

const at = 20;    // the ordinal where it errs

function heldBack(frames) {
    let held = [];
    return (session, frame, ordinal) => {
        if (ordinal === at) {
            held = [frame];
            return [];
        }
        const all = frames(frame, held);
        held = [];
        return all;
    };
}

const planted = [
    { name: 'a gap', hooks: { deliver: (_, frame, ordinal) => (ordinal === at ? [] : [frame]) },
      text: `gap: a follower of load-0 has ${at + 1}, expects ${at}` },
    { name: 'a repeat',
      hooks: { deliver: (_, frame, ordinal) => (ordinal === at ? [frame, frame] : [frame]) },
      text: `repeat or wrong order: a follower of load-0 has ${at}, expects ${at + 1}` },
    { name: 'a wrong order', hooks: { deliver: heldBack((frame, held) => [frame, ...held]) },
      text: `repeat or wrong order: a follower of load-0 has ${at}, expects ${at + 2}` },
    { name: 'a frame before its snapshot',
      hooks: { snapshot: (session, frame) => [
          { uiEvent: { sessionId: session.id, eventOrdinal: '1', name: 'x', epoch: '7' } },
          frame] },
      text: 'frame before the snapshot: a follower of load-0 has 1' },
    { name: 'another epoch',
      hooks: { deliver: (_, frame, ordinal) => {
          frame.uiEvent.epoch = ordinal < at ? '7' : '8';
          return [frame];
      } },
      text: 'other epoch without a snapshot: a follower of load-0 has 8' },
    { name: 'a snapshot that goes back',
      hooks: { deliver: (session, frame, ordinal) =>
          (ordinal === at ? [frame, snapshotFrame(session, at - 3)] : [frame]) },
      text: `snapshot goes back: a follower of load-0 has ${at - 3}, expects ${at + 1}` },
    { name: 'a snapshot that cannot be read', args: ['--fold'],
      hooks: { snapshot: (session) => [{ snapshot: { sessionId: session.id, snapshotOrdinal: '0',
                                                     entities: 5 } }] },
      text: 'snapshot that cannot be read' },
    { name: 'answers in a wrong order', hooks: { accept: heldBack((frame, held) =>
          [frame, ...held]) },
      text: `answers of load-0: ${at + 1} follows ${at - 1}` },
    { name: 'an answer twice',
      hooks: { accept: (_, frame, ordinal) => (ordinal === at ? [frame, frame] : [frame]) },
      text: `answers of load-0: ${at} follows ${at}` },
    { name: 'an ordinal acked twice',
      hooks: { accept: (session, frame, ordinal) =>
          [ordinal === at ? acceptedFrame(session, frame.accepted.requestId, at - 1) : frame] },
      text: `acked ordinals of load-0: ${at - 1} follows ${at - 1}` },
    { name: 'an answer to nothing',
      hooks: { accept: (session, frame, ordinal) =>
          (ordinal === at ? [frame, acceptedFrame(session, 'hello', at)] : [frame]) },
      text: 'an answer to nothing that was published' },
    { name: 'no answer', hooks: { accept: (_, frame, ordinal) => (ordinal < at ? [frame] : []) },
      text: 'no answer: ' },
    { name: 'a message that is lost',
      hooks: { deliver: (_, frame, ordinal) => (ordinal < at ? [frame] : []) },
      text: `lost: a follower of load-0 waits for ${at}` },
    { name: 'a wrong entity in the last snapshot', args: ['--fold', '--entities', '3'],
      hooks: { snapshot: (session, frame) => {
          const [last] = frame.snapshot.entities;
          if (session.snapshots > 2) {
              last.lastEventOrdinal = String(Number(last.lastEventOrdinal) - 1);
          }
          return [frame];
      } },
      text: 'a follower of load-0 knows other entities than a new snapshot' },
    { name: 'a masked frame', hooks: { mask: (ordinal) => ordinal === at },
      text: 'bytes of the server: a frame is masked' },
    { name: 'an unknown command', hooks: { refuse: 'unknown_command' }, status: 2,
      text: 'does not know the bench application' },
    { name: 'another subprotocol', hooks: { protocols: () => false }, status: 2,
      text: 'bytes of the server: ' },
];

async function runFake(hooks, args = []) {
    const fake = await FakeBench.start(hooks);
    const result = await runLoad(['--url', fake.url, '--followers', '2', '--rate', '400',
                                  '--duration', '0.4', '--warmup', '0.1', '--drain', '2',
                                  '--threads', '2', '--quiet', ...args]);
    await fake.stop();
    return result;
}

async function faults() {
    // First all is well, so it is the fault that is found.
    for (const args of [['--fold', '--entities', '3', '--drain', '30'], ['--drain', '30']]) {
        const result = await runFake({}, args);
        check(`no fault ${args[0]}: status 0`, result.status === 0, result.err + result.out);
        check(`no fault ${args[0]}: the report says so`,
              result.out.includes('every promise was kept'), result.out);
    }
    for (const { name, hooks, args, text, status = 1 } of planted) {
        const result = await runFake(hooks, args);
        check(`${name}: status ${status}`, result.status === status,
              `status ${result.status}: ${result.err}`);
        check(`${name} is named`, result.err.includes(text), result.err + result.out);
        check(`${name}: the report says so`, status === 2 || result.out.includes('BROKEN'),
              result.out);
    }
}

// What a follower missed is in the snapshot that it gets when it comes back.
async function cutOff() {
    const deliver = (session, frame, ordinal) => {
        if (ordinal === at) {
            [...session.followers][0].terminate();
        }
        return [frame];
    };
    const fake = await FakeBench.start({ deliver });
    const document = await runJson('a follower that is cut off',
        ['--url', fake.url, '--followers', '2', '--window', '4', '--duration', '1', '--warmup', '0',
         '--drain', '30', '--threads', '2', '--fold', '--quiet']);
    await fake.stop();
    checkSame('one connection was lost and came back',
              [document.totals.disconnects, document.totals.joins], [1, 3]);
    check('its messages leave the window', document.totals.published > at + 8, document.totals);
}

async function refusals() {
    const refused = async (name, args, text) => {
        const { status, err } = await runLoad(args);
        check(`${name}: status 2`, status === 2, `status ${status}: ${err}`);
        check(`${name} is named`, err.includes(text), err);
    };
    const url = ['--url', 'ws://127.0.0.1:9'];
    await refused('no server', url, 'cannot join: connection refused');
    await refused('no url', [], '--url');
    await refused('a url of another kind', ['--url', 'wss://127.0.0.1:9'], 'wss');
    await refused('an option that does not exist', [...url, '--speed', '3'], '--speed');
    await refused('a number that is none', [...url, '--sessions', '3x'], '--sessions');
    await refused('rate and window', [...url, '--rate', '1', '--window', '1'], 'not both');
    await refused('window and churn', [...url, '--window', '1', '--churn', '1'], '--rate');
    const help = await runLoad(['--help']);
    check('--help is printed with status 0', help.status === 0 && help.out.includes('--fold'));
}

await main({ json: () => good('json'), protobuf: () => good('protobuf'), moving, severalUrls,
             otherApplication, faults, cutOff, refusals,
             restartedAtRate: () => restarted('a restart at a rate', ['--rate', '200']),
             restartedByWindow: () => restarted('a restart by window', ['--window', '12']) });
