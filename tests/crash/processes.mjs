// Starts that end early: a daemon that kills itself at a point, or is killed when it has begun.
import { spawn } from 'node:child_process';
import { baseOptions, cleanUp, daemonFile, within } from '../integration/harness.mjs';

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const [name, status] of [['SIGINT', 130], ['SIGTERM', 143]]) {
    process.on(name, () => {
        cleanUp();
        process.exit(status);
    });
}

// The point at which a daemon says that it was killed; null: at none.
export function killedAt(log) {
    return /\bkilled at (\S+)$/m.exec(log)?.[1] ?? null;
}

// Starts the daemon and kills it: at a point (SS_KILL_AT in @env), after @ms, or as soon as it
// serves. Resolves with { log, code, signal } when it is gone.
export async function startAndKill({ dir, port, flags, env = {}, ms }) {
    const child = spawn(daemonFile, ['--listen', `127.0.0.1:${port}`, '--data', dir, ...baseOptions,
                                     ...flags],
                        { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
    let log = '';
    running.add(child);
    child.stderr.on('data', (bytes) => {
        log += bytes;
        if (log.includes('msg="started"')) {
            child.kill('SIGKILL');
        }
    });
    const timer = ms === undefined ? null : setTimeout(() => child.kill('SIGKILL'), ms);
    const [code, signal] = await within(new Promise((resolve) =>
        child.once('close', (...how) => resolve(how))), 'end of a start');
    clearTimeout(timer);
    running.delete(child);
    return { log, code, signal };
}
