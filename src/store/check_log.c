/* The log of a shard, for the check. */
#include <stdlib.h>
#include <string.h>

#include "store/check_state.h"
#include "store/log_walk.h"

/* What the log says of a session so far; begins with its sid, which is its key. */
struct tail {
    uint64_t sid;
    uint64_t flushed;     /* newest ordinal in segments */
    bool deleted;
    uint64_t newest;      /* newest ordinal seen, in segments or log */
};

static void found(struct ss_check *check, uint64_t position, const char *text)
{
    ss__check_found(check, "log", position, "%s (file log-%08llx at byte %llu)", text,
                    (unsigned long long)(position >> 32),
                    (unsigned long long)(position & UINT32_MAX));
}

static int add_tail(struct ss_check *check, uint64_t sid, uint64_t ordinal, struct tail **ret_tail)
{
    struct ss_str key = ss_str_of(&sid, sizeof sid);
    struct tail *tail = malloc(sizeof *tail);
    if (tail == NULL) {
        return SS_E_NOMEM;
    }
    *tail = (struct tail){ .sid = sid, .flushed = ordinal, .newest = ordinal };
    int err = ss__map_put(&check->tails, ss__map_hash(key), tail);
    if (err != 0) {
        free(tail);
        return err;
    }
    *ret_tail = tail;
    return 0;
}

static int get_tail(struct ss_check *check, uint64_t sid, struct tail **ret_tail)
{
    struct ss_str key = ss_str_of(&sid, sizeof sid);
    struct tail *tail = ss__map_get(&check->tails, ss__map_hash(key), key);
    if (tail != NULL) {
        *ret_tail = tail;
        return 0;
    }
    struct ss_row_value row;
    int err = ss__check_row(check, sid, &row);
    return err != 0 ? err : add_tail(check, sid, row.ordinal, ret_tail);
}

/* Neither found nor missing nor damaged: the check cannot go on. */
static bool is_unknown(int err)
{
    return err != 0 && err != SS_E_NOTFOUND && err != SS_E_CORRUPT;
}

/* A record of a session that was deleted and taken out. */
static bool is_trash(const struct ss_check *check, uint64_t sid)
{
    return ss__trash_has(&check->trash, sid);
}

static int check_delete(struct ss_check *check, uint64_t position,
                        const struct ss_log_record *record)
{
    struct tail *tail;
    int err = get_tail(check, record->sid, &tail);
    if (err == 0 && !tail->deleted) {
        tail->deleted = true;
        check->summary->sessions--;
    } else if (!is_unknown(err) && (err == 0 || !is_trash(check, record->sid))) {
        found(check, position, "deletes a session that does not exist");
    }
    return is_unknown(err) ? err : 0;
}

static int check_birth(struct ss_check *check, const struct ss_log_record *record)
{
    struct tail *tail;
    int err = get_tail(check, record->sid, &tail);
    if (err != SS_E_NOTFOUND) {
        return is_unknown(err) ? err : 0;    /* a damaged row has been named */
    }
    if (ss__trash_has(&check->trash, record->sid)) {
        return 0;
    }
    check->summary->sessions++;
    return add_tail(check, record->sid, 0, &tail);
}

static int check_event(struct ss_check *check, uint64_t position,
                       const struct ss_log_record *record)
{
    const struct ss_record *event = &record->event;
    struct tail *tail;
    int err = get_tail(check, record->sid, &tail);
    if (err != 0) {
        if (!is_unknown(err) && !is_trash(check, record->sid)) {
            found(check, position, "belongs to no session");
        }
        return is_unknown(err) ? err : 0;
    }
    if (tail->deleted) {
        found(check, position, "belongs to a deleted session");
    }
    if (event->type_id == 0 || event->type_id > check->types) {
        ss__check_found(check, "log", position, "unknown type %u", event->type_id);
    }
    if (ss__header_check(event->header) != 0) {
        found(check, position, "malformed header");
    }
    if (event->ordinal > tail->flushed) {
        check->summary->events++;
        if (event->ordinal != tail->newest + 1) {
            ss__check_found(check, "log", position, "event %llu of session %llu follows event %llu",
                            (unsigned long long)event->ordinal, (unsigned long long)record->sid,
                            (unsigned long long)tail->newest);
        }
        tail->newest = event->ordinal;
    }
    return 0;
}

static int on_record(void *ctx, struct ss_log_file *file, uint64_t position,
                     const struct ss_log_record *record, bool damaged)
{
    struct ss_check *check = ctx;
    (void)file;
    check->summary->log_records++;
    check->summary->bytes += record->len;
    if (damaged) {
        ss__check_found(check, "log", position, "checksum or shape is wrong (session %llu)",
                        (unsigned long long)record->sid);
        return 0;
    }
    if (record->kind == SS_LOG_DELETE) {
        return check_delete(check, position, record);
    }
    if (record->kind == SS_LOG_COMMAND) {
        check->summary->commands += position > check->commands_through ? 1 : 0;
        return 0;
    }
    return record->kind == SS_LOG_SESSION ? check_birth(check, record)
                                          : check_event(check, position, record);
}

static int on_gap(void *ctx, struct ss_log_file *file, uint64_t position, uint64_t bytes,
                  const char *what)
{
    (void)file;
    (void)bytes;
    found(ctx, position, what);
    return 0;
}

static void on_torn(void *ctx, struct ss_log_file *file, uint64_t position, uint64_t bytes)
{
    (void)file;
    (void)bytes;
    found(ctx, position, "the last batch was cut off: it was never acknowledged, or is damaged");
}

static const struct ss_log_visitor visitor = { on_record, on_gap, on_torn };

static int walk(struct ss_check *check, struct ss_log *log)
{
    const struct ss_log_known *before = &check->log_before;
    int err = ss__log_walk(log, before, &visitor, check);
    if (err == SS_E_CORRUPT) {
        ss__check_found(check, "log", before->needed_serial, "a file from log-%08llx on is missing",
                        (unsigned long long)before->needed_serial);
        return 0;
    }
    if (err == 0 && log->next_batch < before->next_batch) {
        ss__check_found(check, "log", log->next_batch, "batches %llu to %llu are missing",
                        (unsigned long long)log->next_batch,
                        (unsigned long long)(before->next_batch - 1));
    }
    return err;
}

static void free_tails(struct ss_check *check)
{
    size_t at = 0;
    for (void *tail; (tail = ss__map_next(&check->tails, &at)) != NULL;) {
        free(tail);
    }
    ss__map_deinit(&check->tails);
}

static bool sid_matches(const void *value, struct ss_str key)
{
    return memcmp(value, key.data, key.len) == 0;    /* a tail begins with its sid */
}

int ss__check_log(struct ss_check *check, const char *dir, uint64_t directory_id,
                  struct ss_failure *failure)
{
    struct ss_log log;
    int err = ss__log_open(&log, dir, check->shard, directory_id, 0, true, failure);
    if (err != 0) {
        return err;
    }
    ss__map_init(&check->tails, sid_matches);
    err = walk(check, &log);
    free_tails(check);
    ss__log_close(&log);
    return err;
}
