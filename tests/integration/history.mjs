// Snapshots as of every event, against what a follower saw then: live, after kill -9, after a stop.
import { Client, Daemon, check, checkSame, main, request, runProgram, ssctlFile, startInference }
    from './harness.mjs';
import { Timeline, join } from './timeline.mjs';

const session = 'past';

async function snapshotAt(daemon, at) {
    const answer = await request(daemon.port, 'GET', `/v1/sessions/${session}/snapshot?at=${at}`);
    checkSame(`status as of ${at}`, answer.status, 200);
    return JSON.parse(answer.body);
}

async function verify(daemon, name, seen) {
    const newest = seen.length - 1;
    for (let at = 1; at <= newest; at++) {
        const timeline = new Timeline().take({ snapshot: await snapshotAt(daemon, at) });
        checkSame(`${name}: as of ${at}`, timeline.text(), seen[at]);
    }
    for (const at of [0, newest + 1, 1000000]) {
        const timeline = new Timeline().take({ snapshot: await snapshotAt(daemon, at) });
        checkSame(`${name}: as of ${at} is the present`, timeline.text(), seen[newest]);
    }
}

// Follows one answer of the assistant; what the timeline was after each event.
async function follow(daemon) {
    const client = await Client.connect(daemon.port);
    const timeline = await join(client, session);
    const seen = [timeline.text()];
    client.send({ submit: { requestId: 'r', sessionId: session, name: 'ChatStartInference',
                            payload: startInference('tell me the past') } });
    for (;;) {
        const frame = await client.next();
        timeline.take(frame);
        if (frame.uiEvent !== undefined) {
            seen[Number(frame.uiEvent.eventOrdinal)] = timeline.text();
            if (frame.uiEvent.name === 'ChatMessageFinished') {
                break;
            }
        }
    }
    checkSame('the follower missed nothing', timeline.faults, []);
    client.close();
    return seen;
}

// Made again they are the same; a follower is not disturbed.
async function rebuild(daemon, seen) {
    const client = await Client.connect(daemon.port);
    const timeline = await join(client, session);
    const newest = seen.length - 1;
    for (const from of ['', '?from=2', `?from=${newest}`]) {
        const answer = await request(daemon.port, 'POST',
                                     `/v1/sessions/${session}/rebuild${from}`);
        checkSame(`rebuild${from}`, { status: answer.status, ...JSON.parse(answer.body) },
                  { status: 200, sessionId: session, ordinal: String(newest) });
    }
    const beyond = await request(daemon.port, 'POST',
                                 `/v1/sessions/${session}/rebuild?from=${newest + 1}`);
    checkSame('beyond the newest event there is nothing', beyond.status, 400);
    const unknown = await request(daemon.port, 'POST', '/v1/sessions/nobody/rebuild');
    checkSame('a session without events has none', unknown.status, 404);
    client.send({ ping: { nonce: 'n' } });
    checkSame('a follower sees nothing of it', await client.next(), { pong: { nonce: 'n' } });
    checkSame('it is where it was', timeline.text(), seen[newest]);
    client.close();
}

async function history() {
    let daemon = await Daemon.start();
    const { dir, port } = daemon;
    const seen = await follow(daemon);
    check('there is a past', seen.length > 4, seen.length);
    await verify(daemon, 'fresh', seen);
    await rebuild(daemon, seen);
    await verify(daemon, 'rebuilt', seen);
    await daemon.kill();
    daemon = await Daemon.start({ dir, port });
    await verify(daemon, 'after kill -9', seen);
    await daemon.stop();
    daemon = await Daemon.start({ dir, port });
    await verify(daemon, 'after a stop', seen);
    const rebuilt = runProgram(ssctlFile, ['session', 'rebuild', session, '--url',
                                           `http://127.0.0.1:${port}`]);
    checkSame('ssctl rebuilds it', JSON.parse(rebuilt.output).ordinal, String(seen.length - 1));
    const printed = runProgram(ssctlFile, ['snapshot', session, '--at', '2', '--url',
                                           `http://127.0.0.1:${port}`]);
    checkSame('ssctl prints it',
              new Timeline().take({ snapshot: JSON.parse(printed.output) }).text(), seen[2]);
    const refused = await request(port, 'GET', `/v1/sessions/${session}/snapshot?at=two`);
    checkSame('an ordinal is a number', refused.status, 400);
    await daemon.stop();
}

await main({ history });
