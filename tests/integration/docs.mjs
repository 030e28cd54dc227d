// Every page under /docs/: status, type, policy, links and anchors; the client of the user guide.
import http from 'node:http';

import { Daemon, check, checkSame, main, startInference, within, Client } from './harness.mjs';

// One response, redirects not followed.
function get(port, path, method = 'GET') {
    return within(new Promise((resolve, reject) => {
        http.request({ port, path, method, host: '127.0.0.1' }, (response) => {
            let body = '';
            response.setEncoding('utf8');
            response.on('data', (text) => { body += text; });
            response.on('end', () => resolve({ status: response.statusCode, body,
                                               headers: response.headers }));
        }).on('error', reject).end();
    }), `answer to ${path}`);
}

const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);

function checkPage(path, page) {
    const policy = page.headers['content-security-policy'] ?? '';
    check(`${path} is there`, page.status === 200, String(page.status));
    check(`${path} may load nothing but its style`,
          policy.startsWith("default-src 'none'; style-src 'self';") && !policy.includes('unsafe') &&
          page.headers['x-content-type-options'] === 'nosniff', policy);
    if (page.headers['content-type'] !== 'text/html; charset=utf-8') {
        return;
    }
    check(`${path} needs no scripts and no inline styles`,
          !/<script|<style|\sstyle=|\son[a-z]+=/i.test(page.body));
    check(`${path} has one title`, all(page.body, /<h1>(.*?)<\/h1>/gs).length === 1);
    const ids = all(page.body, /\sid="([^"]*)"/g);
    check(`${path} has each id once`, new Set(ids).size === ids.length, ids);
    check(`${path} left no raw HTML out`, !page.body.includes('raw HTML omitted'));
}

async function crawl() {
    const daemon = await Daemon.start();
    const pages = new Map();
    const links = [];
    const waiting = ['/docs/'];
    while (waiting.length > 0) {
        const path = waiting.shift();
        if (pages.has(path)) {
            continue;
        }
        const page = await get(daemon.port, path);
        pages.set(path, page);
        checkPage(path, page);
        if (!(page.headers['content-type'] ?? '').startsWith('text/html')) {
            continue;
        }
        for (const href of all(page.body, /\shref="([^"]*)"/g)) {
            const target = new URL(href.replaceAll('&amp;', '&'), `http://site${path}`);
            if (target.host === 'site') {
                links.push([path, target]);
                waiting.push(target.pathname);
            }
        }
    }
    const lost = links.filter(([, target]) => {
        const page = pages.get(target.pathname);
        return page.status !== 200 || (target.hash !== '' &&
            !page.body.includes(` id="${decodeURIComponent(target.hash.slice(1))}"`));
    }).map(([from, target]) => `${from} -> ${target.pathname}${target.hash}`);
    checkSame('every link and anchor leads somewhere', lost, []);
    check('there is a page for each topic', pages.size > 18, [...pages.keys()]);
    const markdown = pages.get('/docs/user-guide.md');
    checkSame('the source is Markdown', markdown.headers['content-type'],
              'text/markdown; charset=utf-8');
    const moved = await get(daemon.port, '/docs');
    checkSame('a path without its slash is moved', [moved.status, moved.headers.location],
              [308, '/docs/']);
    checkSame('an unknown page', (await get(daemon.port, '/docs/nothing')).status, 404);
    checkSame('a page takes no POST', (await get(daemon.port, '/docs/', 'POST')).status, 405);
    const head = await get(daemon.port, '/docs/reference', 'HEAD');
    checkSame('HEAD has no body', [head.status, head.body], [200, '']);
    await daemon.stop();
}

// The client that the user guide prints is run as it stands there.
async function client() {
    let daemon = await Daemon.start({ flags: ['--app-option', 'chunk_ms=1'] });
    const { dir, port } = daemon;
    const guide = await get(port, '/docs/user-guide.md');
    const source = all(guide.body, /```js\n(function follow[\s\S]*?)```/g)[0];
    check('the user guide has a client', source !== undefined);
    globalThis.WebSocket ??= (await import('ws')).default;
    const follow = new Function(`${source}; return follow;`)();
    const seen = [];
    let wake = () => {};
    const until = (what, holds) => within(new Promise((resolve) => {
        wake = () => holds() && resolve();
        wake();
    }), what);
    const stop = follow(`ws://127.0.0.1:${port}/v1/ws`, 'guide', {
        onSnapshot: (entities) => { seen.push({ entities: entities.length }); wake(); },
        onEvent: (name, payload, ordinal) => { seen.push({ name, ordinal }); wake(); },
    });
    await until('snapshot', () => seen.length > 0);
    const submitter = await Client.connect(port);
    submitter.submit('guide', 'ChatStartInference', startInference('hello'), 'r');
    await until('end of the answer', () => seen.some((at) => at.name === 'ChatMessageFinished'));
    const ordinals = seen.filter((at) => at.name).map((at) => at.ordinal);
    check('it sees each event once', ordinals.every((at, i) => at === BigInt(i + 1)),
          ordinals.join(' '));
    const before = seen.length;
    await daemon.kill();
    daemon = await Daemon.start({ dir, port });
    await until('snapshot after the restart', () => seen.length > before);
    checkSame('it comes back by itself to what was stored', seen[before], { entities: 2 });
    stop();
    await submitter.close();
    await daemon.stop();
}

await main({ crawl, client });
