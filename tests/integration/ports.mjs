// Ports for the servers of tests.
import net from 'node:net';

const FIRST = 20000;    // below the ports the kernel hands out itself (32768): free again at a restart
const COUNT = 12000;
const CLAIMS = '127.0.0.77';    // nobody serves at this address of the loopback

function listen(port, host) {
    return new Promise((resolve) => {
        const server = net.createServer();
        server.once('error', () => resolve(null));
        server.listen(port, host, () => resolve(server));
    });
}

const close = (server) => new Promise((resolve) => { server.close(resolve); });

// A port that no other test takes while this process lives, restarts of its server included: each
// claims its port at an address beside. tests/hostile and tests/powerloss do the same.
export async function freePort() {
    for (let tries = 0; tries < 1000; tries++) {
        const port = FIRST + Math.floor(Math.random() * COUNT);
        const claim = await listen(port, CLAIMS);
        if (claim === null) {
            continue;
        }
        const probe = await listen(port, '127.0.0.1');
        if (probe !== null) {
            await close(probe);
            claim.unref();
            return port;
        }
        await close(claim);
    }
    throw new Error('no free port');
}
