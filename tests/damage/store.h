/* store.h - a store whose contents are known, for the damage campaign. */
#ifndef SS_TESTS_DAMAGE_STORE_H
#define SS_TESTS_DAMAGE_STORE_H

#include "store_fixture.h"

#define SESSIONS 60u
#define GONE 6u             /* deleted ones, the last of them */
#define EVENTS_MAX 400u
#define TEXT_BYTES 300

/* What was put in, or what a damaged copy serves. */
struct contents {
    struct {
        uint64_t ordinal;
        uint64_t events[EVENTS_MAX];    /* checksums */
        uint64_t entities;              /* checksum of all */
        bool running;
    } sessions[SESSIONS];
    uint64_t incarnation;
};

enum verdict {
    EQUAL,        /* everything as it was */
    FOUND,        /* the check names it, or it is refused */
    PARTLY,       /* some sessions answer with an error, the others are as they were */
    SHORTER,      /* the end of the log is lost, and every epoch has changed */
    WRONG,        /* something else is served without a word */
};

/* Fills a new store and ends it as a crash does; @ret_contents is what is in there. */
void damage_fill(struct fixture *f, struct contents *ret_contents);

/* Opens the copy in @f and compares everything. @text: the first that is not as it was. */
enum verdict damage_compare(struct fixture *f, const struct contents *wanted, char *text);

/* Publishes to every session that can be used, flushes, opens again and compares. */
enum verdict damage_go_on(struct fixture *f, const struct contents *wanted, char *text);

#endif
