// An orderly stop: 1001 to every websocket, status 0 in time; the second signal does not wait.
import { Client, Daemon, RawSocket, check, checkSame, main, startInference,
         within } from './harness.mjs';

const limitMs = 5000;

async function orderly() {
    for (const signal of ['SIGTERM', 'SIGINT']) {
        const daemon = await Daemon.start();
        const idle = await Client.connect(daemon.port);
        const busy = await Client.connect(daemon.port, { protocol: 'sessionstream.v2.json' });
        await busy.subscribe('s');
        busy.submit('s', 'ChatStartInference', startInference('long '.repeat(1000)));
        await busy.take('uiEvent', 4);
        const half = await RawSocket.connect(daemon.port);
        half.write('GET / HTTP/1.1\r\nHost');
        const began = performance.now();
        daemon.signal(signal);
        for (const [name, client] of [['an idle', idle], ['a following', busy]]) {
            const closed = await within(client.closed, 'close');
            checkSame(`${signal} closes ${name} client with 1001`, closed.code, 1001);
        }
        const { code } = await within(daemon.exited, 'exit');
        checkSame(`${signal} ends with status 0`, code, 0);
        check('within 5 seconds', performance.now() - began < limitMs,
              `${performance.now() - began} ms`);
        check('the log says so', daemon.log.includes('msg="stopping"') &&
              daemon.log.includes('msg="stopped"'), daemon.log);
        await half.untilEnd();
        const again = await Daemon.start({ dir: daemon.dir });
        const after = await Client.connect(again.port);
        const snapshot = await after.subscribe('s');
        check('the interrupted answer is readable after the stop',
              snapshot.entities?.[1]?.payload.status === 'interrupted' &&
              snapshot.entities[1].payload.text.length > 0, snapshot.entities?.[1]?.payload.status);
        await again.stop();
    }
}

// A client that neither reads nor answers the close keeps the stop waiting, but not beyond the
// limit; a second signal ends it at once.
async function deafClient(daemon) {
    const deaf = await RawSocket.connect(daemon.port);
    deaf.write('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    await deaf.until((bytes) => bytes.includes('hello'), 'hello');
    deaf.socket.pause();
    return deaf;
}

async function bounded() {
    const daemon = await Daemon.start({ flags: ['--stop-timeout', '1s'] });
    const deaf = await deafClient(daemon);
    const began = performance.now();
    daemon.signal('SIGTERM');
    const { code } = await within(daemon.exited, 'exit');
    checkSame('a deaf client does not change the status', code, 0);
    check('nor holds the stop beyond its limit', performance.now() - began < limitMs);
    deaf.close();
}

async function secondSignal() {
    const daemon = await Daemon.start({ flags: ['--stop-timeout', '60s'] });
    const deaf = await deafClient(daemon);
    const stopping = (async () => {
        while (!daemon.log.includes('msg="stopping"')) {
            await new Promise((resolve) => daemon.child.stderr.once('data', resolve));
        }
    })();
    daemon.signal('SIGTERM');
    await within(stopping, 'stopping in the log');
    const began = performance.now();
    daemon.signal('SIGTERM');
    const { code } = await within(daemon.exited, 'exit');
    check('a second signal ends it at once', performance.now() - began < limitMs);
    check('with 143, or 0 if the stop was faster', code === 143 || code === 0, String(code));
    deaf.close();
}

await main({ orderly, bounded, secondSignal });
