/* ledger.h - what was accepted, by session and ordinal, to be compared with what is stored. */
#ifndef SS_HOSTILE_LEDGER_H
#define SS_HOSTILE_LEDGER_H

#include "daemon.h"

struct ledger {
    char session[24];
    uint64_t *ids;             /* of the submit, at ordinal - 1; 0: nobody was told of it */
    size_t len;
    size_t cap;
    uint64_t doubles;          /* ordinals that were given twice */
};

void ledger_enter(struct ledger *ledger, uint64_t ordinal, uint64_t id);
void ledger_deinit(struct ledger *ledger);

/* Reads back every event of the session; what is not as the ledger says is printed and counted in
 * *ret_wrong. Returns how many there are. */
uint64_t ledger_compare(const struct ledger *ledger, const struct daemon *daemon,
                        unsigned *ret_wrong);

#endif
