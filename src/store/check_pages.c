/* The pages of a shard's data file, for the check and before a start. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/utf8.h"
#include "store/bytes_order.h"
#include "store/check_state.h"
#include "store/pages.h"

#define KEPT_MAX 64u
#define NAMED_MAX 8u
#define NAMES_BYTES 160u

/* A finding, until it is known which sessions it concerns. */
struct kept {
    uint64_t page;
    char database[24];
    char text[SS_FAILURE_TEXT_BYTES];
    bool by_sid;                     /* @first to @last are session numbers */
    uint64_t first;
    uint64_t last;
    uint8_t lower[SS_PAGE_KEY_BYTES_MAX];    /* of the catalog */
    uint8_t upper[SS_PAGE_KEY_BYTES_MAX];
    struct ss_page_bounds keys;
    char names[NAMES_BYTES];
    size_t names_len;
    uint64_t sessions;
};

struct gather {
    struct ss_check *check;
    struct kept *kept;
    size_t count;
};

static bool has_sids(const char *database)
{
    static const char *const names[] = { "session", "segment", "entity", "running", "checkpoint" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(database, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Keys begin with the session's number; one that is cut short by damage counts as the lowest. */
static uint64_t sid_of(struct ss_str key)
{
    uint8_t bytes[8] = { 0 };
    memcpy(bytes, key.data, key.len < sizeof bytes ? key.len : sizeof bytes);
    return ss__get_be64(bytes);
}

static struct ss_str copy_key(uint8_t *out, struct ss_str key)
{
    if (key.data == NULL || key.len > SS_PAGE_KEY_BYTES_MAX) {
        return (struct ss_str){ 0 };
    }
    memcpy(out, key.data, key.len);
    return ss_str_of(out, key.len);
}

static bool is_one_key(const struct ss_page_bounds *keys)
{
    return keys->lower.data != NULL && keys->lower.data == keys->upper.data;
}

static void keep(struct kept *kept, const struct ss_pages_finding *finding)
{
    *kept = (struct kept){ .page = finding->page, .by_sid = has_sids(finding->database),
                           .last = UINT64_MAX };
    (void)snprintf(kept->database, sizeof kept->database, "%s", finding->database);
    (void)snprintf(kept->text, sizeof kept->text, "%s", finding->text);
    kept->keys.lower = copy_key(kept->lower, finding->keys.lower);
    kept->keys.upper = is_one_key(&finding->keys) ? kept->keys.lower
                                                  : copy_key(kept->upper, finding->keys.upper);
    if (kept->keys.lower.data != NULL) {
        kept->first = sid_of(kept->keys.lower);
    }
    if (kept->keys.upper.data != NULL) {
        kept->last = sid_of(kept->keys.upper);
        /* The bound is a key that is not concerned any more. */
        bool whole = !is_one_key(&kept->keys) && kept->keys.upper.len <= 8;
        kept->last -= whole && kept->last > kept->first ? 1 : 0;
    }
}

static void on_finding(const struct ss_pages_finding *finding, void *ctx)
{
    struct gather *gather = ctx;
    if (gather->count < KEPT_MAX) {
        keep(&gather->kept[gather->count], finding);
    }
    gather->count++;
}

static bool within(const struct ss_page_bounds *keys, struct ss_str key)
{
    return (keys->lower.data == NULL || ss__page_compare(false, key, keys->lower) >= 0) &&
           (keys->upper.data == NULL || ss__page_compare(false, key, keys->upper) < 0 ||
            (is_one_key(keys) && ss_str_equal(key, keys->upper)));
}

static void name(struct kept *kept, struct ss_str id)
{
    if (kept->sessions++ >= NAMED_MAX || kept->names_len + id.len + 3 > sizeof kept->names ||
        !ss__utf8_valid(id.data, id.len)) {
        return;
    }
    int len = snprintf(kept->names + kept->names_len, sizeof kept->names - kept->names_len,
                       "%s%.*s", kept->names_len == 0 ? "" : ", ", (int)id.len, id.data);
    kept->names_len += (size_t)len;
}

/* A session that the catalog lists, or for damage of the catalog one that has a row. */
static void on_row(const char *database, const struct ss_page_node *node, void *ctx)
{
    struct gather *gather = ctx;
    struct ss_str value = ss_str_of(node->data, node->data_bytes);
    struct ss_str id = { 0 };
    struct ss_row_value row;
    uint64_t sid = 0;
    bool catalog = strcmp(database, "catalog") == 0;
    bool session = strcmp(database, "session") == 0;
    if (node->data == NULL || (!catalog && !session) ||
        (catalog && (ss__catalog_key_decode(node->key, &id) != 0 ||
                     ss__catalog_decode(node->key, value, &sid) != 0)) ||
        (session && (node->key.len != 8 ||
                     ss__row_decode(ss__get_be64((const uint8_t *)node->key.data), value, &row) !=
                         0))) {
        return;
    }
    for (size_t i = 0; i < gather->count && i < KEPT_MAX; i++) {
        struct kept *kept = &gather->kept[i];
        if (catalog && kept->by_sid && sid >= kept->first && sid <= kept->last) {
            name(kept, id);
        } else if (session && strcmp(kept->database, "catalog") == 0) {
            uint8_t bytes[SS_CATALOG_KEY_BYTES_MAX];
            if (within(&kept->keys, ss_str_of(bytes, ss__catalog_key(bytes, row.id)))) {
                name(kept, row.id);
            }
        }
    }
}

static void describe_sessions(const struct kept *kept, char *out, size_t cap)
{
    bool catalog = strcmp(kept->database, "catalog") == 0;
    if (!kept->by_sid && !catalog) {
        (void)snprintf(out, cap, "%s", "");
        return;
    }
    char numbers[80] = "";
    if (kept->by_sid && kept->first == kept->last) {
        (void)snprintf(numbers, sizeof numbers, "session %" PRIu64, kept->first);
    } else if (kept->by_sid && (kept->first != 0 || kept->last != UINT64_MAX)) {
        int len = snprintf(numbers, sizeof numbers, "sessions from %" PRIu64, kept->first);
        if (kept->last != UINT64_MAX) {
            (void)snprintf(numbers + len, sizeof numbers - (size_t)len, " to %" PRIu64, kept->last);
        }
    } else {
        (void)snprintf(numbers, sizeof numbers, "%s", catalog && kept->keys.lower.data != NULL
                                                          ? "sessions"
                                                          : "any session");
    }
    (void)snprintf(out, cap, "; concerns %s: %s%s", numbers,
                   kept->names_len > 0 ? kept->names : "(none known by name)",
                   kept->sessions > NAMED_MAX ? " and more" : "");
}

static void report(struct gather *gather)
{
    for (size_t i = 0; i < gather->count && i < KEPT_MAX; i++) {
        const struct kept *kept = &gather->kept[i];
        char sessions[NAMES_BYTES + 128];
        char text[SS_FAILURE_TEXT_BYTES + sizeof sessions + 64];
        char place[64];
        describe_sessions(kept, sessions, sizeof sessions);
        (void)snprintf(text, sizeof text, "%s (%s%s)%s", kept->text,
                       kept->database[0] == '\0' ? "the store itself" : "database ",
                       kept->database, sessions);
        (void)snprintf(place, sizeof place, "data.mdb page %" PRIu64, kept->page);
        gather->check->report(gather->check->shard, place, text, gather->check->ctx);
    }
}

static void on_progress(uint64_t done, uint64_t total, void *ctx)
{
    struct gather *gather = ctx;
    if (gather->check->progress != NULL) {
        gather->check->progress(gather->check->shard, done, total, gather->check->ctx);
    }
}

int ss__check_pages(struct ss_check *check, const char *dir, bool *ret_sound,
                    struct ss_failure *failure)
{
    char path[4096];
    struct ss_pages_summary pages;
    struct gather gather = { .check = check };
    int len = snprintf(path, sizeof path, "%s/data.mdb", dir);
    SS_INSIST(len > 0 && (size_t)len < sizeof path);    /* whoever opened it has judged that */
    gather.kept = calloc(KEPT_MAX, sizeof *gather.kept);
    if (gather.kept == NULL) {
        return ss__fail(failure, SS_E_NOMEM, "out of memory");
    }
    struct ss_pages_options options = { .report = on_finding, .progress = on_progress,
                                        .ctx = &gather, .start = check->start };
    int err = ss__pages_check(path, &options, &pages, failure);
    if (err == 0 && pages.findings > 0) {
        struct ss_pages_options again = { .row = on_row, .ctx = &gather };
        struct ss_pages_summary unused;
        err = ss__pages_check(path, &again, &unused, failure);
    }
    if (err == 0) {
        report(&gather);
        check->summary->findings += pages.findings;
        check->summary->unreadable += pages.unreadable;
        check->summary->pages += pages.pages;
        *ret_sound = pages.findings == 0;
    }
    free(gather.kept);
    return err;
}
