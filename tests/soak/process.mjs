// What a process takes: memory that is its own, descriptors by kind; and whether it grows.
import fs from 'node:fs';

// Bytes that no file stands behind: the pages of a map of the store are the kernel's to drop.
export function ownBytes(pid) {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)[1]) * 1024;
}

// { sockets, files, others }
export function descriptors(pid) {
    const counts = { sockets: 0, files: 0, others: 0 };
    for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) {
        let target;
        try {
            target = fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
        } catch {
            continue;    // closed meanwhile
        }
        if (target.startsWith('socket:')) {
            counts.sockets++;
        } else if (target.startsWith('/')) {
            counts.files++;
        } else {
            counts.others++;
        }
    }
    return counts;
}

export function secondHalf(samples) {
    return samples.filter(({ at }) => at >= samples.at(-1).at / 2);
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

// By how much the values grow over all of their time: the median of the slopes of all pairs (Theil
// and Sen), which a few high readings do not move. @samples: [{ at, value }].
export function growth(samples) {
    const slopes = [];
    for (let i = 0; i < samples.length; i++) {
        for (let j = i + 1; j < samples.length; j++) {
            slopes.push((samples[j].value - samples[i].value) / (samples[j].at - samples[i].at));
        }
    }
    return slopes.length === 0 ? 0 : median(slopes) * (samples.at(-1).at - samples[0].at);
}
