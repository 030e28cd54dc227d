/* Sessions whose oldest event is about to fall out of the log window: their tails become segments,
 * so that the files that hold them can go. */
#include "store/flush.h"
#include "store/record.h"

#define STRAGGLERS_MAX 32u
#define STRAGGLER_BYTES_MAX (256u << 10)
#define CROWD_STRAGGLERS_MAX 2048u    /* more than a batch of the shard adds */
#define CROWD_BYTES_MAX (8u << 20)
#define RECORDS_MAX 16384u    /* looked at in one flush */

/* Bytes of the log from the walker on. */
static uint64_t bytes_ahead(const struct ss_store *store)
{
    const struct ss_log_walker *walker = &store->walker;
    uint64_t bytes = ss__log_bytes(&store->log);
    for (size_t i = 0; i < store->log.count; i++) {
        const struct ss_log_file *file = store->log.files[i];
        if (file->head.serial < walker->serial) {
            bytes -= file->end - SS_LOG_BLOCK_BYTES;
        } else if (file->head.serial == walker->serial) {
            bytes -= walker->offset - SS_LOG_BLOCK_BYTES;
        }
    }
    return bytes;
}

/* Sessions of few events each fill memory sooner than the window. */
static bool many_held(const struct ss_store *store)
{
    return ss__store_held(store) > store->options.sessions_held_max;
}

bool ss__store_crowded(const struct ss_store *store)
{
    return ss__store_held(store) > 2 * store->options.sessions_held_max;
}

/* The window is wide while most of it is unflushed: then there is nothing cheap to give up. */
bool ss__log_over_window(const struct ss_store *store)
{
    if (many_held(store)) {
        return true;
    }
    uint64_t bytes = bytes_ahead(store);
    return bytes > (store->unflushed_bytes * 2 > bytes ? store->options.log_window_bytes_max
                                                       : store->options.log_window_bytes);
}

/* The session of the record if the record is still nowhere but in the log. */
static struct ss_store_session *holder(struct ss_store *store, const struct ss_log_record *record)
{
    struct ss_store_session *session =
        record->kind == SS_LOG_EVENT ? ss__session_by_sid(store, record->sid) : NULL;
    bool planned = session != NULL && session->item != NULL && session->item->tail_count > 0;
    bool waits = session != NULL && !planned && !session->deleted &&
                 !session->now.row.quarantined &&
                 session->now.tail_count > 0 &&
                 record->event.ordinal > session->now.flushed_ordinal;
    return waits ? session : NULL;
}

struct search {
    struct ss_store *store;
    struct ss_flush *flush;
    unsigned forced;
    unsigned stragglers_max;
    uint64_t bytes;
    uint64_t bytes_max;
    bool done;               /* what is older than it should be has been found */
};

/* 1: the walker may pass the record; 0: it stays. */
static int settle_record(struct search *search, const struct ss_log_record *record)
{
    struct ss_store *store = search->store;
    struct ss_store_session *session = holder(store, record);
    if (session == NULL) {
        return 1;
    }
    bool forced = search->forced > 0;
    bool old = record->event.time_us < store->tails_before_us;
    search->done |= !old;
    bool wanted = old || ss__log_over_window(store);
    if (!forced && (!wanted || search->flush->stragglers >= search->stragglers_max ||
                    search->bytes >= search->bytes_max)) {
        return 0;
    }
    search->bytes += session->now.tail_bytes;
    int err = ss__flush_add_tail(store, search->flush, session);
    if (err != 0) {
        return err;
    }
    search->flush->stragglers++;
    search->forced -= forced ? 1 : 0;
    return 1;
}

/* Walks on in @file. 1: to its end; 0: it stopped before. */
static int walk_file(struct search *search, struct ss_log_file *file, uint64_t *left)
{
    const struct ss_log *log = &search->store->log;
    struct ss_log_walker *walker = &search->store->walker;
    while (walker->offset < file->end) {
        struct ss_log_batch_head head;
        struct ss_str bytes = ss_str_of(file->map + walker->offset, file->end - walker->offset);
        if (ss__log_batch_decode(bytes, log->seed, &head) != 0 ||
            head.serial != file->head.serial) {
            walker->offset += SS_LOG_BLOCK_BYTES;    /* damage, which recovery has named */
            continue;
        }
        uint64_t at = walker->at == 0 ? SS_LOG_BATCH_HEAD_BYTES : walker->at;
        for (; walker->index < head.records; walker->index++) {
            struct ss_log_record record;
            walker->at = at;
            (void)ss__log_record_decode(ss_str_of(bytes.data + at, head.bytes - at), log->seed,
                                        &record);    /* a damaged one is of no session's tail */
            int settled = (*left)-- == 0 ? 0 : settle_record(search, &record);
            if (settled <= 0) {
                return settled;
            }
            at += record.len == 0 ? head.bytes - at : record.len;
        }
        walker->offset += ss__log_round(head.bytes);
        walker->at = 0;
        walker->index = 0;
    }
    return 1;
}

static void enter(struct ss_log_walker *walker, const struct ss_log_file *file)
{
    *walker = (struct ss_log_walker){ .serial = file->head.serial, .offset = SS_LOG_BLOCK_BYTES };
}

int ss__flush_add_stragglers(struct ss_store *store, struct ss_flush *flush, unsigned forced)
{
    bool many = many_held(store);
    struct search search = { .store = store,
                             .flush = flush,
                             .forced = forced,
                             .stragglers_max = many ? CROWD_STRAGGLERS_MAX : STRAGGLERS_MAX,
                             .bytes_max = many ? CROWD_BYTES_MAX : STRAGGLER_BYTES_MAX };
    struct ss_log *log = &store->log;
    uint64_t left = RECORDS_MAX;
    bool wanted = forced > 0 || store->tails_before_us != 0 || ss__log_over_window(store);
    int more = wanted ? 1 : 0;
    for (size_t i = 0; i < log->count && more == 1; i++) {
        struct ss_log_file *file = log->files[i];
        if (file->head.serial < store->walker.serial) {
            continue;
        }
        if (file->head.serial > store->walker.serial) {
            enter(&store->walker, file);
        }
        more = walk_file(&search, file, &left);
        if (more == 1 && i + 1 < log->count && file->live > file->leaving) {
            file->kept = true;    /* by sessions that are set aside */
        }
        more = more == 1 && forced > 0 && search.forced == 0 ? 0 : more;
    }
    if (search.done || more == 1) {
        store->tails_before_us = 0;
    }
    return more < 0 ? more : 0;
}

void ss__store_flush_before(struct ss_store *store, uint64_t time_us)
{
    store->tails_before_us = store->unflushed_bytes > 0 ? time_us : 0;
}
