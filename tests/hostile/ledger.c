#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define PAGE 1000
#define FAILURES_SHOWN 20

void ledger_enter(struct ledger *ledger, uint64_t ordinal, uint64_t id)
{
    if (ordinal == 0) {
        return;    /* an answer without one */
    }
    if (ordinal > ledger->cap) {
        size_t cap = ordinal * 2 < 4096 ? 4096 : ordinal * 2;
        uint64_t *ids = realloc(ledger->ids, cap * sizeof *ids);
        if (ids == NULL) {
            exit(2);
        }
        memset(ids + ledger->cap, 0, (cap - ledger->cap) * sizeof *ids);
        ledger->ids = ids;
        ledger->cap = cap;
    }
    ledger->doubles += ledger->ids[ordinal - 1] != 0;
    ledger->ids[ordinal - 1] = id;
    ledger->len = ordinal > ledger->len ? ordinal : ledger->len;
}

void ledger_deinit(struct ledger *ledger)
{
    free(ledger->ids);
    *ledger = (struct ledger){ .len = 0 };
}

static void expect(const struct ledger *ledger, const char *what, uint64_t got, uint64_t want,
                   unsigned *wrong)
{
    if (got != want && (*wrong)++ < FAILURES_SHOWN) {
        (void)printf("  FAILED  %s: %s is %llu, not %llu\n", ledger->session, what,
                     (unsigned long long)got, (unsigned long long)want);
    }
}

/* One page of stored events; returns how many it had. */
static uint64_t compare_page(const struct ledger *ledger, uint64_t after, char *text,
                             unsigned *wrong)
{
    uint64_t count = 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        struct ss_str view = ss_str_of(line, strlen(line));
        if (!begins_with(view, "{\"ordinal\"")) {
            continue;    /* what stands around the events */
        }
        uint64_t ordinal = number_behind(view, "\"ordinal\":\"");
        count++;
        expect(ledger, "the next stored ordinal", ordinal, after + count, wrong);
        if (ordinal > 0 && ordinal <= ledger->len && ledger->ids[ordinal - 1] != 0) {
            expect(ledger, "the event of an accepted ordinal",
                   number_behind(view, "\"sentNs\":\""), ledger->ids[ordinal - 1], wrong);
        }
    }
    return count;
}

uint64_t ledger_compare(const struct ledger *ledger, const struct daemon *daemon,
                        unsigned *ret_wrong)
{
    char path[96];
    unsigned wrong = 0;
    uint64_t after = 0;
    for (uint64_t got = 1; got > 0 && wrong < FAILURES_SHOWN; after += got) {
        (void)snprintf(path, sizeof path, "/v1/sessions/%s/events?after=%llu&limit=%d",
                       ledger->session, (unsigned long long)after, PAGE);
        char *text = daemon_get(daemon, path, NULL);
        got = text == NULL ? 0 : compare_page(ledger, after, text, &wrong);
        free(text);
    }
    if (after < ledger->len) {
        expect(ledger, "the newest stored ordinal", after, ledger->len, &wrong);
    }
    *ret_wrong += wrong;
    return after;
}
