// What the writers know, kept outside the daemon: an answer counts only once its line is in the
// file. A session has lives; a life ends with the deletion that was answered.
import fs from 'node:fs';
import { Fold } from './fold.mjs';

class Session {
    constructor(id, kind) {
        this.id = id;
        this.kind = kind;         // what its writers do, see workload.mjs
        this.begin();
        this.epoch = null;        // that of the last life that was seen
        this.changes = null;      // of all epochs, until it was seen
        this.deleting = false;    // a deletion was sent and not answered
    }

    begin() {
        this.sent = new Map();       // number -> what was sent
        this.stored = new Map();     // number -> ordinal of its last event, as read
        this.accepted = new Map();   // number -> ordinal of its last event, as answered; 0: unsaid
        this.fold = new Fold();      // of the events that have been read
        this.touched = true;         // has changed since it was read
        this.mending = false;        // a rebuild or retry was sent and not answered
        this.remade = false;         // one was sent: entities may be others, and the epoch
        this.mended = 0;             // one was answered: all up to this ordinal is in the tally
        this.lifeSeen = false;
    }
}

export class Journal {
    constructor(file) {
        this.fd = fs.openSync(file, 'a');
        this.sessions = new Map();
        this.keys = new Map();       // key -> { session, put, ordinal }
        this.acks = 0;
        this.next = 1;               // numbers name commands
    }

    line(...words) {
        fs.writeSync(this.fd, `${words.join(' ')}\n`);
    }

    session(id, kind) {
        let session = this.sessions.get(id);
        if (session === undefined) {
            session = new Session(id, kind);
            this.sessions.set(id, session);
        }
        return session;
    }

    // Before it is sent.
    send(session, put) {
        session.touched = true;
        session.sent.set(put.number, put);
    }

    ack(session, number, ordinal) {
        this.line('ack', session.id, number, ordinal);
        this.acks++;
        session.accepted.set(number, ordinal);
    }

    ackKey(key, ordinal) {
        const known = this.keys.get(key);
        this.ack(known.session, known.put.number, ordinal);
        known.ordinal = ordinal;
    }

    // Before a deletion is sent.
    remove(session) {
        session.touched = true;
        session.deleting = true;
    }

    ackRemoval(session) {
        this.line('deleted', session.id);
        this.acks++;
        session.deleting = false;
        session.begin();
    }

    ackMending(session, ordinal) {
        this.line('mended', session.id, ordinal);
        this.acks++;
        session.mending = false;
        session.mended = ordinal;
    }

    close() {
        fs.closeSync(this.fd);
    }
}
