// What the data directory refuses, in words that help; and ssctl store check.
import fs from 'node:fs';
import path from 'node:path';
import { Client, Daemon, check, checkSame, daemonFile, freePort, main, makeDirectory, request,
         runProgram, ssctlFile, startInference } from './harness.mjs';

const formatOffset = 8;
const shardsOffset = 12;

async function refused(name, dir, flags, words) {
    const port = await freePort();
    const { status, output } = runProgram(daemonFile, ['--listen', `127.0.0.1:${port}`, '--data',
                                                       dir, '--min-free', '0', '--store-map',
                                                       '64MiB', ...flags]);
    check(`${name} is refused with status 1`, status === 1, `${status} ${output}`);
    for (const word of words) {
        check(`${name}: the message says ${word}`, word.test(output), output);
    }
}

// A directory with one finished answer in it.
async function used() {
    const daemon = await Daemon.start({ flags: ['--app-option', 'chunk_ms=1'] });
    const client = await Client.connect(daemon.port);
    await client.subscribe('s');
    client.submit('s', 'ChatStartInference', startInference('Explain ordinals'));
    await client.take('uiEvent', 6);
    return { daemon, client };
}

async function stillGood(dir) {
    const daemon = await Daemon.start({ dir, bare: true, flags: ['--min-free', '0', '--store-map',
                                                                 '256MiB'] });
    const client = await Client.connect(daemon.port);
    const snapshot = await client.subscribe('s');
    check('the directory still serves as before', snapshot.snapshotOrdinal === '6', snapshot);
    await daemon.stop();
}

// @more: a byte at the end, as a file of another format may have; with today's size and checksum it
// would be today's, damaged.
function patched(dir, offset, bytes, more = false) {
    const file = path.join(dir, 'sessionstream');
    const before = fs.readFileSync(file);
    const after = Buffer.concat([before, Buffer.alloc(more ? 1 : 0)]);
    Buffer.from(bytes).copy(after, offset);
    fs.writeFileSync(file, after);
    return () => fs.writeFileSync(file, before);
}

async function refusals() {
    const { daemon } = await used();
    const { dir } = daemon;
    await refused('a directory in use', dir, ['--shards', '2'],
                  [/in use/, new RegExp(String(daemon.child.pid)), /--data/]);
    const inUse = runProgram(ssctlFile, ['store', 'check', dir]);
    check('store check of a directory in use is refused', inUse.status !== 0 &&
          /in use/.test(inUse.output), `${inUse.status} ${inUse.output}`);
    await daemon.stop();
    await refused('another shard count', dir, ['--shards', '3'],
                  [/2 shards/, /not 3/, /leave --shards out/, /ssctl reshard/]);
    let undo = patched(dir, formatOffset, [99, 0, 0, 0], true);
    await refused('a newer format', dir, [], [/format 99/, /newer version/]);
    const newer = runProgram(ssctlFile, ['store', 'check', dir]);
    check('store check names the newer format too', newer.status !== 0 &&
          /format 99/.test(newer.output), `${newer.status} ${newer.output}`);
    undo();
    undo = patched(dir, formatOffset, [68, 0, 0, 0]);
    await refused('a format with a flipped bit', dir, [], [/damaged/, /backup/, /store restored/]);
    undo();
    undo = patched(dir, formatOffset, [1, 0, 0, 0], true);
    await refused('an older format', dir, [], [/format 1/, /version that made it/, /export/]);
    undo();
    undo = patched(dir, shardsOffset, [3]);
    await refused('a changed identity file', dir, [], [/damaged/, /backup/, /store restored/]);
    undo();
    undo = patched(dir, 0, Buffer.from('another!'));
    await refused('a foreign identity file', dir, [], [/not the identity file/]);
    undo();
    const file = path.join(dir, 'sessionstream');
    const whole = fs.readFileSync(file);
    for (const size of [0, 11, 12, whole.length - 1]) {
        fs.writeFileSync(file, whole.subarray(0, size));
        await refused(`an identity file cut to ${size} bytes`, dir, [], [/sessionstream/]);
    }
    fs.writeFileSync(file, whole);
    await stillGood(dir);
    const plain = path.join(makeDirectory(), 'file');
    fs.writeFileSync(plain, 'x');
    await refused('a file in place of the directory', plain, [], [/cannot be/]);
}

async function storeCheck() {
    const { daemon, client } = await used();
    client.submit('s', 'ChatStartInference', startInference('long '.repeat(1000)));
    await client.take('uiEvent', 20);
    await daemon.kill();
    const { status, output } = runProgram(ssctlFile, ['store', 'check', daemon.dir]);
    check('store check is clean after kill -9', status === 0 && /^0 findings/m.test(output),
          `${status} ${output}`);
    check('and counts what is there', /1 sessions/.test(output) && /2 shards/.test(output), output);
    const again = runProgram(ssctlFile, ['store', 'check', daemon.dir]);
    check('checking changes nothing', again.output === output, [output, again.output]);
    const none = runProgram(ssctlFile, ['store', 'check', path.join(daemon.dir, 'none')]);
    check('a directory that is not there is an error', none.status !== 0 &&
          /no data directory/.test(none.output), `${none.status} ${none.output}`);
    check('and is not created', !fs.existsSync(path.join(daemon.dir, 'none')));
}

async function damaged() {
    const { daemon } = await used();
    await daemon.kill();
    const marker = Buffer.from('Answer: Explain ordi');
    let spoiled = 0;
    const files = ['shard-0000', 'shard-0001'].flatMap((shard) =>
        fs.readdirSync(path.join(daemon.dir, shard))
            .filter((name) => name === 'data.mdb' || name.startsWith('log-'))
            .map((name) => path.join(daemon.dir, shard, name)));
    for (const file of files) {
        const bytes = fs.readFileSync(file);
        for (let at = bytes.indexOf(marker); at >= 0; at = bytes.indexOf(marker, at + 1)) {
            bytes[at] ^= 1;
            spoiled++;
        }
        fs.writeFileSync(file, bytes);
    }
    check('there was something to damage', spoiled > 0);
    const { status, output } = runProgram(ssctlFile, ['store', 'check', daemon.dir]);
    check('store check finds damaged records', status === 1 && /^[1-9]\d* finding/m.test(output),
          `${status} ${output}`);
    const again = await Daemon.start({ dir: daemon.dir });
    const client = await Client.connect(again.port);
    client.send({ subscribe: { sessionId: 's' } });
    const answer = await client.next();
    checkSame('a damaged session is refused, not shown',
              [answer.error?.code, answer.error?.detail, answer.error?.sessionId],
              ['protocol_error', 'store_corrupt', 's']);
    const other = await client.subscribe('other');
    check('another session is served', other.sessionId === 'other');
    await again.stop();
}

// A shard that is not there is never begun anew: its events were acknowledged.
async function missing() {
    const { daemon } = await used();
    const { dir } = daemon;
    await daemon.kill();
    const shard = path.join(dir, 'shard-0001');
    const file = path.join(shard, 'data.mdb');
    const words = [/shard 0001 of the data directory is missing/, /mount it/, /backup/,
                   /store restored/];
    fs.renameSync(shard, `${shard}.aside`);
    await refused('a missing shard', dir, [], words);
    check('and is not made', !fs.existsSync(shard));
    for (const command of ['check', 'restored']) {
        const { status, output } = runProgram(ssctlFile, ['store', command, dir]);
        check(`store ${command} names the missing shard`, status === 2 && words[0].test(output),
              `${status} ${output}`);
    }
    fs.renameSync(`${shard}.aside`, shard);
    fs.renameSync(file, `${file}.aside`);
    fs.writeFileSync(file, '');
    await refused('an empty data file', dir, [], words);
    check('and stays empty', fs.statSync(file).size === 0);
    fs.renameSync(`${file}.aside`, file);
    const identity = path.join(dir, 'sessionstream');
    fs.renameSync(identity, `${identity}.aside`);
    await refused('a missing identity file', dir, [], [/missing/, /in use/, /backup/]);
    fs.renameSync(`${identity}.aside`, identity);
    await stillGood(dir);
}

async function document(port) {
    return JSON.parse((await request(port, 'GET', '/v1/sessions/s/snapshot')).body);
}

// An older copy of a directory gives ordinals again: under other epochs once it was told.
async function restored() {
    const { daemon } = await used();
    const { dir } = daemon;
    const before = await document(daemon.port);
    const inUse = runProgram(ssctlFile, ['store', 'restored', dir]);
    check('store restored of a directory in use is refused', inUse.status === 2 &&
          /in use/.test(inUse.output), `${inUse.status} ${inUse.output}`);
    await daemon.stop();
    const copy = path.join(makeDirectory(), 'copy');
    fs.cpSync(dir, copy, { recursive: true });
    const { status, output } = runProgram(ssctlFile, ['store', 'restored', copy]);
    check('store restored says what it did', status === 0 && /shard 0: incarnation/.test(output) &&
          /shard 1: incarnation/.test(output), `${status} ${output}`);
    const again = await Daemon.start({ dir: copy });
    const after = await document(again.port);
    check('the epoch is another', after.epoch !== before.epoch, [before.epoch, after.epoch]);
    checkSame('the entities are the same', after.entities, before.entities);
    await again.stop();
}

await main({ refusals, storeCheck, damaged, missing, restored });
