// Where the daemon is killed: each kill point in turn, in an order by lot, and random moments
// between them.
import { spawnSync } from 'node:child_process';

const passesFactor = 12;
const pauseMs = 25;
const onlyMending = ['rebuild.before', 'rebuild.shown', 'rebuild.settled', 'checkpoint.anew'];
const onlySpoiling = ['error.rows'];
const atCommit = /^(commit|log\.append)\.(before|torn|after)$/;    // a short run has these
const rare = /^(log\.(fill|create|roll|retire)|commit\.moved|trash|rebuild|checkpoint\.anew|cut)/;

// The points that the workload passes: name -> when ('create', 'start', 'run' or 'stop'). A build
// without them has none.
export function listPoints(daemonFile) {
    const { status, stdout } = spawnSync(daemonFile, ['--print-kill-points'], { encoding: 'utf8' });
    const lines = status === 0 ? stdout.trimEnd().split('\n') : [];
    return new Map(lines.map((line) => line.split('\t')).filter(([, when]) => when !== 'other'));
}

// So many passes at most are waited for; fewer with each attempt that did not come so far.
function passesOf(name, when) {
    if (when !== 'run') {
        return name === 'recover.record' ? 1000 : /^(directory|identity)/.test(name) ? 1 : 2;
    }
    return name === 'past.part' ? 1 : rare.test(name) ? 5 : 400;
}

export class Plan {
    // @only: there is one point, and it is wanted every time.
    constructor(points, random, only) {
        this.random = random;
        this.points = points;
        this.only = only;
        this.ending = false;       // only what was chosen and not reached is of interest
        this.queues = new Map(['create', 'start', 'run', 'stop'].map((when) => [when,
            random.shuffled([...points].filter(([, at]) => at === when).map(([name]) => name))]));
        // An orderly stop is one of the ways to be killed under load.
        const load = random.shuffled([...this.queues.get('run'), ...this.queues.get('stop')]);
        this.load = [...load.filter((name) => atCommit.test(name)),
                     ...load.filter((name) => !atCommit.test(name))];
        this.stops = new Set(this.queues.get('stop'));
        this.tries = new Map();    // name -> attempts since it was last reached
        this.reached = new Map();  // name -> how often
    }

    choose(queue, suits) {
        const missing = new Set(this.missing());
        const at = queue.findIndex((name) => suits(name) && (!this.ending || missing.has(name)));
        if (at < 0) {
            return null;
        }
        const [name] = queue.splice(at, 1);
        const tries = this.tries.get(name) ?? 0;
        this.tries.set(name, tries + 1);
        const first = passesOf(name, this.points.get(name));
        const most = Math.max(1, Math.floor(first / passesFactor ** tries));
        const passes = this.random.scale(most);
        // With a pause before the end, what was told too early reaches somebody.
        const ms = this.random.once(atCommit.test(name) ? 4 : 2) ? 0 : pauseMs;
        return { name, passes, queue, env: { SS_KILL_AT: `${name}:${passes}:${ms}` } };
    }

    // For a kill under load, while the tally is @broken or not; null: at a random moment.
    nextLoad(broken) {
        if (!this.only && !this.ending && this.random.once(4)) {
            return null;
        }
        const not = broken ? onlyMending : onlySpoiling;
        return this.choose(this.load, (name) => !not.includes(name));
    }

    // For a start of a directory that there is, or of a new one.
    nextStart() {
        return this.choose(this.queues.get('start'), () => true);
    }

    nextCreate() {
        return this.choose(this.queues.get('create'), () => true);
    }

    // What became of a choice: one that was reached comes last again, another one soon.
    settle(choice, reached) {
        if (reached) {
            this.tries.set(choice.name, 0);
            this.reached.set(choice.name, (this.reached.get(choice.name) ?? 0) + 1);
            choice.queue.push(choice.name);
        } else {
            choice.queue.unshift(choice.name);
        }
    }

    // Points that were chosen, and nobody has come to.
    missing() {
        return [...this.tries.keys()].filter((name) => !this.reached.has(name));
    }

    untried() {
        return [...this.points.keys()].filter((name) => !this.tries.has(name));
    }
}
