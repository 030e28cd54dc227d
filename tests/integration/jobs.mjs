// The job runner from a client's view: steps, retries, cancelling, the board, kill -9 in mid-job.
import { Client, Daemon, check, checkSame, main, request } from './harness.mjs';

const types = 'type.googleapis.com/sessionstream.examples.jobs.v1.';
const protocol = 'sessionstream.v2.json';
const board = 'board';

const options = (values) => ['--app', 'jobs', ...Object.entries(values).flatMap(
    ([name, value]) => ['--app-option', `${name}=${value}`])];

function command(client, sessionId, name, members = {}) {
    client.submit(sessionId, name, { '@type': `${types}${name}Command`, ...members },
                  `${name}-${sessionId}`);
}

async function follow(port, sessionId) {
    const client = await Client.connect(port, { protocol });
    client.snapshot = await client.subscribe(sessionId);
    return client;
}

// Frames until the job of the session has this state.
async function until(client, state) {
    const events = [];
    for (;;) {
        const { uiEvent } = await client.nextOf('uiEvent');
        events.push(uiEvent);
        if (uiEvent.name === 'JobChanged' && uiEvent.payload.state === state) {
            return events;
        }
    }
}

async function entities(port, sessionId) {
    const { body } = await request(port, 'GET', `/v1/sessions/${sessionId}/snapshot`);
    return JSON.parse(body).snapshot?.entities ?? JSON.parse(body).entities ?? [];
}

const ofKind = (all, kind) => all.filter((entity) => entity.kind === kind)
    .map(({ payload }) => payload);

async function runs() {
    const daemon = await Daemon.start({ flags: options({ step_ms: 30 }) });
    const client = await follow(daemon.port, 'job-1');
    const watcher = await follow(daemon.port, board);
    command(client, 'job-1', 'StartJob', { title: 'Import', steps: 3 });
    const events = await until(client, 'STATE_DONE');
    const progress = events.filter(({ name }) => name === 'Progress');
    check('progress is live-only and grows', progress.length > 0 &&
          progress.every(({ live }) => live !== undefined) &&
          progress.at(-1).payload.percent === 100, progress.at(-1));
    const all = await entities(daemon.port, 'job-1');
    checkSame('every step is done', ofKind(all, 'Step').map(({ state }) => state),
              ['STATE_DONE', 'STATE_DONE', 'STATE_DONE']);
    checkSame('the log tells it in order', ofKind(all, 'LogLine').map(({ text }) => text),
              ['Import: 3 steps', 'step 1 of 3 is done', 'step 2 of 3 is done',
               'step 3 of 3 is done']);
    const last = await watcher.nextOf('uiEvent', ({ payload }) => payload.state === 'STATE_DONE');
    check('the board hears of it', last.uiEvent.name === 'BoardChanged' &&
          last.uiEvent.payload.sessionId === 'job-1' && last.uiEvent.payload.stepsDone === 3,
          last.uiEvent);
    command(client, 'job-1', 'StartJob', {});
    const twice = await client.nextOf('error');
    check('a session is one job', twice.error.code === 'already_exists', twice.error);
    command(client, board, 'StartJob', {});
    const wrong = await client.nextOf('error');
    check('the board is none', wrong.error.code === 'invalid_argument', wrong.error);
    await daemon.stop();
}

async function retries() {
    const daemon = await Daemon.start({ flags: options({ step_ms: 10, retry_ms: 20,
                                                         attempts: 2 }) });
    const client = await follow(daemon.port, 'job-2');
    command(client, 'job-2', 'StartJob', { steps: 2, failStep: 2, failures: 2 });
    const events = await until(client, 'STATE_FAILED');
    const states = events.filter(({ name, payload }) => name === 'StepChanged' &&
                                 payload.number === 2).map(({ payload }) => payload.state);
    checkSame('a step waits, is tried again, and fails', states,
              ['STATE_RUNNING', 'STATE_WAITING', 'STATE_RUNNING', 'STATE_FAILED']);
    command(client, 'job-2', 'RetryStep', { step: 1 });
    const refused = await client.nextOf('error');
    check('a step that is done is not retried', refused.error.code === 'not_found', refused);
    command(client, 'job-2', 'RetryStep', { step: 2 });
    await until(client, 'STATE_DONE');
    const [, second] = ofKind(await entities(daemon.port, 'job-2'), 'Step');
    check('the third attempt was the good one', second.attempt === 3, second);
    await daemon.stop();
}

async function cancels() {
    const daemon = await Daemon.start({ flags: options({ step_ms: 60000 }) });
    const client = await follow(daemon.port, 'job-3');
    command(client, 'job-3', 'StartJob', { steps: 30 });
    await until(client, 'STATE_RUNNING');
    command(client, 'job-3', 'CancelJob');
    await until(client, 'STATE_CANCELED');
    const [step] = ofKind(await entities(daemon.port, 'job-3'), 'Step');
    check('its step is cancelled too', step.state === 'STATE_CANCELED', step);
    command(client, 'job-3', 'CancelJob');
    check('once', (await client.nextOf('error')).error.code === 'not_found');
    await daemon.stop('a stop does not wait for a step that works for a minute');
}

async function forgets() {
    const daemon = await Daemon.start({ flags: options({ step_ms: 0 }) });
    const client = await follow(daemon.port, 'job-4');
    command(client, 'job-4', 'StartJob', { steps: 30 });
    const events = await until(client, 'STATE_DONE');
    const lines = ofKind(await entities(daemon.port, 'job-4'), 'LogLine');
    check('only the newest log lines are kept', lines.length === 20 && lines[0].number === 12,
          lines.map(({ number }) => number));
    check('and followers are told which go', events.filter(({ name }) => name ===
          'LogLineRemoved').map(({ payload }) => payload.number).at(-1) === 11);
    await daemon.stop();
}

async function survives() {
    const slow = options({ step_ms: 60000 });
    const first = await Daemon.start({ flags: slow });
    const client = await follow(first.port, 'job-5');
    command(client, 'job-5', 'StartJob', { steps: 1 });
    await client.nextOf('accepted');
    await first.kill();
    const fast = options({ step_ms: 10 });
    const second = await Daemon.start({ dir: first.dir, flags: fast });
    const again = await follow(second.port, 'job-5');
    const [before] = ofKind(again.snapshot.entities, 'Job');
    if (before.state !== 'STATE_DONE') {
        await until(again, 'STATE_DONE');
    }
    const lines = ofKind(await entities(second.port, 'job-5'), 'LogLine');
    check('the job goes on after kill -9', lines.some(({ text }) =>
          text === 'step 1: the server came back'), lines);
    await second.stop();
}

async function waits() {
    const first = await Daemon.start({ flags: options({ step_ms: 0, retry_ms: 1500 }) });
    const client = await follow(first.port, 'job-6');
    command(client, 'job-6', 'StartJob', { steps: 1, failStep: 1, failures: 1 });
    await client.nextOf('uiEvent', ({ name, payload }) => name === 'StepChanged' &&
                        payload.state === 'STATE_WAITING');
    await first.kill();
    const second = await Daemon.start({ dir: first.dir, flags: options({ step_ms: 0 }) });
    const again = await follow(second.port, 'job-6');
    const [step] = ofKind(again.snapshot.entities, 'Step');
    if (ofKind(again.snapshot.entities, 'Job')[0].state !== 'STATE_DONE') {
        await until(again, 'STATE_DONE');
    }
    const [after] = ofKind(await entities(second.port, 'job-6'), 'Step');
    check('a timer survives the process', step.attempt >= 1 && after.attempt === 2 &&
          after.state === 'STATE_DONE', after);
    await second.stop();
}

// Killed again and again, in whatever state: every job ends, none twice, and the board knows.
async function survivesAnyMoment() {
    const flags = options({ step_ms: 40, retry_ms: 30, attempts: 3 });
    const names = Array.from({ length: 8 }, (_, i) => `job-any-${i}`);
    let daemon = await Daemon.start({ flags });
    for (const [i, name] of names.entries()) {
        const client = await follow(daemon.port, name);
        command(client, name, 'StartJob', { steps: 4, failStep: 2, failures: 2 });
        await client.nextOf('accepted');
        for (let frames = 0; frames < 3 * i; frames++) {    // a little later each time
            await client.nextOf('uiEvent');
        }
        await daemon.kill();
        daemon = await Daemon.start({ dir: daemon.dir, flags });
    }
    for (const name of names) {
        const client = await follow(daemon.port, name);
        if (ofKind(client.snapshot.entities, 'Job')[0].state !== 'STATE_DONE') {
            await until(client, 'STATE_DONE');
        }
        const all = await entities(daemon.port, name);
        const lines = ofKind(all, 'LogLine').map(({ text }) => text);
        check(`${name} has done each step once`, [1, 2, 3, 4].every((step) => lines.filter(
            (text) => text === `step ${step} of 4 is done`).length === 1), lines);
        check(`${name} failed twice`, lines.filter((text) => text.endsWith('failed')).length === 2,
              lines);
    }
    const watcher = await follow(daemon.port, board);
    const shown = new Map(ofKind(watcher.snapshot.entities, 'Board').map(
        (entry) => [entry.sessionId, entry.state]));
    while (names.some((name) => shown.get(name) !== 'STATE_DONE')) {
        const { payload } = (await watcher.nextOf('uiEvent')).uiEvent;
        shown.set(payload.sessionId, payload.state);
    }
    check('the board shows all of them as done', shown.size === names.length, [...shown]);
    await daemon.stop();
}

await main({ runs, retries, cancels, forgets, survives, waits, survivesAnyMoment });
