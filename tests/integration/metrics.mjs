// The counters of GET /metrics.
import { request } from './harness.mjs';

// { name: { labels without shard and gateway: sum } }, without the prefix.
export async function readMetrics(port) {
    const { body } = await request(port, 'GET', '/metrics');
    const sums = {};
    for (const line of body.split('\n')) {
        const match = /^sessionstream_(\w+)\{([^}]*)\} (\d+)$/.exec(line);
        if (match === null) {
            continue;
        }
        const [, name, labels, value] = match;
        const key = labels.split(',').filter((label) => !/^(shard|gateway)=/.test(label)).join();
        sums[name] ??= {};
        sums[name][key] = (sums[name][key] ?? 0) + Number(value);
    }
    return sums;
}

// What came between two readings, in the encodings of frames: [v1_json, v2_json, v2_protobuf].
export function encodedBetween(before, after, name) {
    return ['v1_json', 'v2_json', 'v2_protobuf'].map((encoding) => {
        const key = `encoding="${encoding}"`;
        return after[name][key] - before[name][key];
    });
}
