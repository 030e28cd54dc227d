// What the application's projections make of events, computed by the client.

const type = 'type.googleapis.com/torture.Put';

// The payload of a command: what it is in JSON. Its fill follows from its number and length.
export function payloadOf(put) {
    return { number: String(put.number), parts: put.parts, place: put.place,
             removes: put.removes, odd: put.odd,
             fill: Buffer.alloc(put.fillBytes, put.number & 0xff).toString('base64') };
}

// The same for a websocket.
export function typedPayloadOf(put) {
    return { '@type': type, ...payloadOf(put) };
}

// One text for equal events, without defaults, in one order.
export function textOf(payload, part = payload.part ?? 0) {
    return JSON.stringify([Number(payload.number ?? 0), part, payload.parts ?? 0,
                           payload.place ?? 0, payload.removes ?? false, payload.odd ?? false,
                           payload.fill ?? '']);
}

// The entities after some events: places with the event that made each, and a tally.
export class Fold {
    constructor() {
        this.ordinal = 0;
        this.places = new Map();    // place -> { created, last, text }
        this.tally = { count: 0, sum: 0 };
        this.refused = [];          // odd events that a broken tally did not take
    }

    // @refuses: the tally cannot take it.
    take(ordinal, payload, refuses = false) {
        const place = String(payload.place ?? 0);
        this.ordinal = ordinal;
        if (payload.removes) {
            this.places.delete(place);
        } else {
            this.places.set(place, { created: this.places.get(place)?.created ?? ordinal,
                                     last: ordinal, text: textOf(payload) });
        }
        if (refuses) {
            this.refused.push({ ordinal, number: Number(payload.number) });
        } else {
            this.count(Number(payload.number));
        }
    }

    count(number) {
        this.tally.count++;
        this.tally.sum += number;
    }

    // The tally has been made again and took all up to @ordinal.
    mend(ordinal) {
        for (const { number } of this.refused.filter((event) => event.ordinal <= ordinal)) {
            this.count(number);
        }
        this.refused = this.refused.filter((event) => event.ordinal > ordinal);
    }

    boardText() {
        return JSON.stringify([...this.places].sort(([a], [b]) => a - b)
            .map(([place, { last, text }]) => [place, last, text]));
    }

    tallyText() {
        return `${this.tally.count} ${this.tally.sum}`;
    }
}

// The same of the entities of a snapshot.
export function shownIn(snapshot) {
    const fold = new Fold();
    fold.ordinal = Number(snapshot.snapshotOrdinal ?? 0);
    for (const entity of snapshot.entities ?? []) {
        if (entity.kind === 'Tally') {
            fold.tally = { count: Number(entity.payload.count ?? 0),
                           sum: Number(entity.payload.sum ?? 0) };
        } else {
            fold.places.set(entity.id, { created: Number(entity.createdOrdinal),
                                         last: Number(entity.lastEventOrdinal),
                                         text: textOf(entity.payload) });
        }
    }
    return fold;
}
