// A small generator, so that a seed repeats the choices.
export class Random {
    constructor(seed) {
        this.state = Math.imul(seed, 2654435761) >>> 0 || 1;
    }

    // A whole number from 0 to @below - 1.
    below(below) {
        this.state ^= this.state << 13;
        this.state ^= this.state >>> 17;
        this.state ^= this.state << 5;
        return (this.state >>> 0) % below;
    }

    // True once in @times.
    once(times) {
        return this.below(times) === 0;
    }

    // From 1 to @most, small ones as often as large ones.
    scale(most) {
        return Math.max(1, Math.floor(Math.exp(Math.log(most + 1) * this.below(1000) / 1000)));
    }

    pick(list) {
        return list[this.below(list.length)];
    }

    shuffled(list) {
        const mixed = [...list];
        for (let i = mixed.length - 1; i > 0; i--) {
            const other = this.below(i + 1);
            [mixed[i], mixed[other]] = [mixed[other], mixed[i]];
        }
        return mixed;
    }
}
