/* Moving what the log holds into LMDB: what is moved, and what follows from it. Nothing waits for
 * it and nothing is lost with it: what it has not moved stays in the log. */
#include "store/flush.h"

#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/kill_point.h"
#include "core/log.h"
#include "store/past.h"

#define SID_BLOCK 1024u
#define FLUSH_BYTES (512u << 10)
#define FLUSH_BYTES_MAX (1u << 20)
#define FLUSH_BORN 2048u
#define RETRY_NS UINT64_C(100000000)
#define ARENA_CHUNK_BYTES (64u << 10)
/* Two seconds and what the reads take. */
#define UNREAD_MAX 20u

int ss__store_stage_checkpoint(struct ss_store *store, struct ss_store_session *session,
                               const struct ss_timeline_checkpoint *timelines, uint32_t count)
{
    bool closed = session->closed || session->deleted;
    if (closed || session->now.row.quarantined) {
        return closed ? SS_E_CLOSED : SS_E_CORRUPT;
    }
    SS_REQUIRE(store->batch.len == 0 && count <= SS_PROJECTIONS_MAX);
    SS_KILL_POINT(CHECKPOINT_STAGED);
    for (uint32_t i = 0; i < count; i++) {
        SS_REQUIRE(timelines[i].row.ordinal <= session->now.row.ordinal);
    }
    struct ss_staged_checkpoint *staged = ss__arena_alloc(&store->arena, sizeof *staged);
    if (staged == NULL) {
        return SS_E_NOMEM;
    }
    *staged = (struct ss_staged_checkpoint){ NULL, session, timelines, count };
    *store->checkpoints_end = staged;
    store->checkpoints_end = &staged->next;
    return 0;
}

void ss__checkpoints_forget(struct ss_store *store)
{
    ss__arena_reset(&store->arena);
    store->checkpoints = NULL;
    store->checkpoints_end = &store->checkpoints;
}

/* ---- planning ---- */

struct ss_flush_item *ss__flush_item(struct ss_flush *flush, struct ss_store_session *session)
{
    if (session->item != NULL) {
        return session->item;
    }
    struct ss_flush_item *item = ss__arena_calloc(&flush->arena, sizeof *item);
    if (item != NULL) {
        item->session = session;
        item->epoch_counter = session->epoch_stored;
        item->values = session->now;
        item->timelines = session->timelines;    /* replaced only when it is settled */
        session->item = item;
        *flush->end = item;
        flush->end = &item->next;
    }
    return item;
}

int ss__flush_add_tail(struct ss_store *store, struct ss_flush *flush,
                       struct ss_store_session *session)
{
    struct ss_flush_item *item = ss__flush_item(flush, session);
    uint32_t count = session->now.tail_count;
    struct ss_str *tail =
        item == NULL ? NULL : ss__arena_alloc(&flush->arena, count * sizeof *tail);
    if (tail == NULL) {
        return SS_E_NOMEM;
    }
    SS_INSIST(item->tail_count == 0);    /* it is in one list, and not looked for behind it */
    for (uint32_t i = 0; i < count; i++) {
        tail[i] = ss__log_bytes_from(&store->log, session->tail[i]);
        ss__log_file_at(&store->log, session->tail[i])->leaving++;
    }
    item->tail = tail;
    item->tail_count = count;
    return 0;
}

/* Before all others: the catalog entry of a new life comes after that of the old one. */
static int add_dead(struct ss_store *store, struct ss_flush *flush)
{
    for (struct ss_list *link = store->dead.next; link != &store->dead; link = link->next) {
        struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, dead_link);
        if (session->dead_aside) {
            continue;    /* a restart tries again */
        }
        struct ss_flush_item *item = ss__flush_item(flush, session);
        if (item == NULL) {
            return SS_E_NOMEM;
        }
        item->dead = true;
        item->deleted_at = session->deleted_at;
        ss__log_file_at(&store->log, session->deleted_at)->leaving++;
        for (uint32_t i = 0; i < session->now.tail_count; i++) {
            ss__log_file_at(&store->log, session->tail[i])->leaving++;
        }
    }
    return 0;
}

static int add_checkpoints(struct ss_store *store, struct ss_flush *flush)
{
    for (const struct ss_staged_checkpoint *at = store->checkpoints; at != NULL; at = at->next) {
        struct ss_flush_item *item = ss__flush_item(flush, at->session);
        if (item == NULL) {
            return SS_E_NOMEM;
        }
        item->checkpoint = true;
        item->epoch_counter = at->session->epoch_counter;
        item->checkpoints = at->timelines;
        item->checkpoints_count = at->count;
        for (uint32_t i = 0; i < at->count; i++) {
            uint32_t projection = at->timelines[i].row.projection;
            bool anew = ss__store_timeline_is_void(at->session, projection);
            bool first = ss__store_timeline_ordinal(at->session, projection) == 0;
            item->anew |= (uint8_t)(anew ? 1u << i : 0);
            item->first |= (uint8_t)(first ? 1u << i : 0);
        }
        int err = ss__timelines_merge(at->session->timelines, at->timelines, at->count,
                                      &item->timelines_then);
        if (err != 0) {
            return err;
        }
        item->timelines = item->timelines_then;
    }
    return 0;
}

static int add_pasts(struct ss_store *store, struct ss_flush *flush)
{
    flush->pasts = store->pasts;
    store->pasts = NULL;
    store->pasts_count = 0;
    for (const struct ss_past *past = flush->pasts; past != NULL; past = past->next) {
        /* One that is no longer true, or the second of a session, is forgotten. */
        if (!ss__past_is_of_now(past) || past->session->now.row.quarantined) {
            continue;
        }
        struct ss_flush_item *item = ss__flush_item(flush, past->session);
        if (item == NULL) {
            return SS_E_NOMEM;
        }
        item->past = past;
    }
    return 0;
}

static int add_born(struct ss_store *store, struct ss_flush *flush)
{
    for (struct ss_list *link = store->born.next; link != &store->born; link = link->next) {
        struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, born_link);
        if (session->born_aside && !session->deleted) {
            continue;    /* a restart tries again */
        }
        struct ss_flush_item *item = ss__flush_item(flush, session);
        if (item == NULL) {
            return SS_E_NOMEM;
        }
        item->born = true;
        ss__log_file_at(&store->log, session->born)->leaving++;
    }
    return 0;
}

static int add_full_tails(struct ss_store *store, struct ss_flush *flush)
{
    int err = 0;
    size_t bytes = 0;
    for (struct ss_list *link = store->full.next;
         link != &store->full && err == 0 && bytes < FLUSH_BYTES_MAX; link = link->next) {
        struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, full_link);
        bytes += session->now.tail_bytes;
        err = ss__flush_add_tail(store, flush, session);
    }
    return err;
}

static void nobody_leaves(struct ss_store *store)
{
    for (size_t i = 0; i < store->log.count; i++) {
        store->log.files[i]->leaving = 0;
    }
}

static void free_flush(struct ss_store *store, struct ss_flush *flush)
{
    ss__pasts_forget(store, flush->pasts);
    ss__cuts_settle(store, flush, SS_E_COMMIT);    /* those that are not settled */
    for (struct ss_flush_item *item = flush->first; item != NULL; item = item->next) {
        item->session->item = NULL;
        item->session->void_stays = false;
        free(item->timelines_then);
        ss__session_release(store, item->session);
    }
    nobody_leaves(store);
    ss__checkpoints_forget(store);
    ss__flush_drop_errors(flush);
    ss__arena_deinit(&flush->arena);
    ss__bytes_deinit(&flush->scratch);
    free(flush);
    store->flushing = false;
}

/* Remembers that it failed. Returns @err. */
static int give_up(struct ss_store *store, struct ss_flush *flush, int err)
{
    store->stats.flush_errors++;
    store->flush_retry_ns = ss__clock_monotonic_ns(store->options.clock) + RETRY_NS;
    store->walker = store->walker_saved;
    (void)ss__commands_flushed(store, flush, err);    /* an error: they stay in the log */
    if (err == SS_E_STOREFULL) {
        ss__space_refuse(store);
    }
    free_flush(store, flush);
    return err;
}

static bool nothing_to_do(const struct ss_store *store, unsigned forced)
{
    return store->checkpoints == NULL && store->pasts == NULL && ss__list_empty(&store->full) &&
           store->dead_count == store->dead_aside_count && !store->trash_left &&
           store->born_count == store->born_aside_count && !ss__commands_waiting(store) &&
           (forced == 0 || store->unflushed_bytes == 0) && !ss__log_over_window(store) &&
           !ss__store_errors_wait(store) && !ss__store_cuts_wait(store) &&
           store->tails_before_us == 0;
}

static int add_all(struct ss_store *store, struct ss_flush *flush, unsigned forced)
{
    /* Nothing in LMDB may be ahead of the log. */
    int err = ss__store_sync(store);
    err = err != 0 ? err : add_dead(store, flush);
    err = err != 0 ? err : add_checkpoints(store, flush);
    err = err != 0 ? err : ss__flush_add_errors(store, flush);
    err = err != 0 ? err : add_pasts(store, flush);
    err = err != 0 ? err : ss__cuts_plan(store, flush);
    err = err != 0 ? err : add_born(store, flush);
    err = err != 0 ? err : ss__commands_plan(store, flush);
    err = err != 0 ? err : add_full_tails(store, flush);
    err = err != 0 ? err : ss__flush_add_stragglers(store, flush, forced);
    if (store->next_sid > store->stored_next_sid) {
        flush->next_sid = store->next_sid + SID_BLOCK;
    }
    flush->oldest_serial = store->log.files[0]->head.serial;
    flush->log = (struct ss_meta_log){ ss__log_needed(&store->log), store->log.next_batch };
    return err;
}

int ss__store_flush_plan(struct ss_store *store, unsigned tails_max, struct ss_flush **ret_flush)
{
    SS_REQUIRE(store->batch.len == 0 && !store->flushing);
    if (nothing_to_do(store, tails_max)) {
        return 0;
    }
    struct ss_flush *flush = SS_FAULT("store.flush.plan") != 0 ? NULL : calloc(1, sizeof *flush);
    if (flush == NULL) {
        ss__checkpoints_forget(store);    /* the caller frees their rows */
        return SS_E_NOMEM;
    }
    store->flushing = true;
    flush->env = &store->env;
    flush->seed = store->log.seed;
    flush->impatient = store->flush_unread >= UNREAD_MAX;
    flush->end = &flush->first;
    ss__arena_init(&flush->arena, ARENA_CHUNK_BYTES);
    ss__bytes_init(&flush->scratch, 0);
    store->walker_saved = store->walker;
    ss__space_make_room(store);
    int err = add_all(store, flush, tails_max);
    if (err != 0) {
        return give_up(store, flush, err);
    }
    bool looked = store->walker.serial != store->walker_saved.serial ||
                  store->walker.offset != store->walker_saved.offset ||
                  store->walker.index != store->walker_saved.index;
    if (flush->first == NULL && !store->trash_left && flush->errors.first == 0 &&
        flush->cuts.leftovers_count == 0 &&
        !ss__command_flush_works(&flush->commands)) {
        free_flush(store, flush);
        *ret_flush = NULL;
        return looked;
    }
    SS_KILL_POINT(FLUSH_PLANNED);
    *ret_flush = flush;
    return 1;
}

/* ---- settling ---- */

static void set_aside(struct ss_store *store, const struct ss_flush_item *item)
{
    struct ss_store_session *session = item->session;
    uint64_t number = item->damaged_number;
    if (strcmp(item->damaged, "log") == 0) {
        number = session->tail[number];
    }
    if (!session->now.row.quarantined) {
        char id[SS_SESSION_ID_BYTES_MAX + 3];
        const char *text = !item->left  ? "a stored event is damaged, its session is set aside"
                           : item->born ? "a page cannot be used, a new session is set aside"
                                        : "a page cannot be used, a session is set aside";
        session->now.row.quarantined = true;
        ss__log(SS_LOG_ERROR, text, "shard=%u place=%s number=%llu session=%s",
                store->options.shard_index, item->damaged, (unsigned long long)number,
                ss__log_quote(id, sizeof id, session->id));
        struct ss_error_record record = {
            .kind = SS_ERROR_KIND_DECODE,
            .code = SS_E_CORRUPT,
            .session_id = session->id,
            .text = ss_str(text),
            .metadata_count = 1,
            .metadata = { { ss_str("place"), ss_str(item->damaged) } },
        };
        if (strcmp(item->damaged, "log") == 0) {
            record.raw = item->tail[item->damaged_number];    /* as much as is kept of it */
        }
        (void)ss__store_note_error(store, &record);    /* the log has it in any case */
    }
}

static void drop_tail(struct ss_store *store, const struct ss_flush_item *item)
{
    struct ss_store_session *session = item->session;
    struct ss_session_values *now = &session->now;
    if (item->flushed == 0) {
        return;
    }
    for (uint32_t i = 0; i < item->flushed; i++) {
        ss__log_file_at(&store->log, session->tail[i])->live--;
    }
    now->tail_count -= item->flushed;
    memmove(session->tail, session->tail + item->flushed, now->tail_count * sizeof *session->tail);
    now->tail_bytes -= item->flushed_bytes;
    store->unflushed_bytes -= item->flushed_bytes;
    store->stats.segments_written += item->segments;
}

static void bury(struct ss_store *store, struct ss_store_session *session)
{
    struct ss_session_values *now = &session->now;
    for (uint32_t i = 0; i < now->tail_count; i++) {
        ss__log_file_at(&store->log, session->tail[i])->live--;
    }
    ss__log_file_at(&store->log, session->deleted_at)->live--;
    store->unflushed_bytes -= now->tail_bytes;
    now->tail_count = now->tail_bytes = 0;
    session->deleted_at = 0;
    ss__list_remove(&session->dead_link);
    store->dead_count--;
}

/* Nothing of it has been moved, and its log files stay. */
static void leave_in_log(struct ss_store *store, const struct ss_flush_item *item)
{
    struct ss_store_session *session = item->session;
    if (item->dead) {
        session->dead_aside = true;
        store->dead_aside_count++;
    } else if (session->born != 0) {
        store->born_aside_count += !session->born_aside;
        session->born_aside = true;
    }
    ss__session_judge_tail(store, session);
}

static void settle_item(struct ss_store *store, struct ss_flush_item *item)
{
    struct ss_store_session *session = item->session;
    struct ss_session_values *now = &session->now;
    const struct ss_session_values *done = &item->values;
    now->flushed_ordinal = done->flushed_ordinal;
    now->flushed_us = done->flushed_us;
    now->flushed_running = done->flushed_running;
    now->index_running = done->index_running;
    now->tip = done->tip;
    if (item->dead) {
        bury(store, session);
    } else {
        drop_tail(store, item);
    }
    if (item->cut != 0) {
        uint64_t first = done->row.first_retained;
        store->stats.retention_events += first - now->row.first_retained;
        now->row.first_retained = first;
    }
    if (item->checkpoint) {
        session->epoch_stored = item->epoch_counter;
        session->epoch_base = session->void_stays ? session->epoch_base : item->epoch_counter;
        ss__timelines_replace(session, item->timelines_then, item->checkpoints,
                              item->checkpoints_count);
        item->timelines_then = NULL;
    }
    if (item->born) {
        ss__log_file_at(&store->log, session->born)->live--;
        ss__list_remove(&session->born_link);
        session->born = 0;
        store->born_count--;
        store->born_aside_count -= session->born_aside;
        session->born_aside = false;
    }
    ss__session_judge_tail(store, session);
}

/* Behind the walker only sessions that are set aside still need a file, perhaps since this flush:
 * it stays for them and holds up no other. */
static void keep_set_aside(struct ss_store *store)
{
    for (size_t i = 0; i < store->log.count; i++) {
        struct ss_log_file *file = store->log.files[i];
        if (file->head.serial < store->walker.serial && file->live > 0) {
            file->kept = true;
        }
    }
}

static bool leaves_any(const struct ss_flush *flush)
{
    const struct ss_flush_item *item = flush->first;
    while (item != NULL && !item->left) {
        item = item->next;
    }
    return item != NULL;
}

/* A page that stays unreadable must not hold up for good what has nothing to do with it, nor must
 * one that was so once be why no other is waited for. */
static void count_unread(struct ss_store *store, const struct ss_flush *flush)
{
    if (flush->err == SS_E_STOREIO) {
        store->flush_unread += store->flush_unread < UNREAD_MAX;
    } else if (flush->err == 0 && store->flush_unread > 0 && !leaves_any(flush)) {
        store->flush_unread--;
    }
}

/* What LMDB's codes mean. */
static int judge(struct ss_store *store, const struct ss_flush *flush)
{
    count_unread(store, flush);
    if (flush->err != 0 || flush->code == 0) {
        return flush->err;
    }
    int err = SS_E_STOREIO;
    if (flush->code == MDB_PANIC) {
        ss__space_latch(store, "the write of a meta page failed");
    } else {
        err = ss__space_judge(store, flush->code, flush->disk_full);
    }
    if (store->failed) {
        ss__space_keep_reading(store);
    }
    return err;
}

int ss__store_flush_settle(struct ss_store *store, struct ss_flush *flush)
{
    SS_REQUIRE(store->batch.len == 0);
    ss__env_reader_stale(&store->env);
    int err = judge(store, flush);
    int moved = flush->errors.first != 0;
    for (struct ss_flush_item *item = flush->first; item != NULL; item = item->next) {
        if (item->damaged != NULL) {
            set_aside(store, item);
        }
        if (err == 0 && item->left) {
            leave_in_log(store, item);
        } else if (err == 0) {
            settle_item(store, item);
            moved += item->dead || item->born || item->checkpoint || item->past != NULL ||
                     item->flushed > 0 || item->cut != 0;
        }
    }
    if (err != 0) {
        return give_up(store, flush, err);
    }
    moved += ss__commands_flushed(store, flush, 0);
    if (flush->errors.first != 0) {
        store->errors.stored = flush->errors.next;
    }
    store->stored_next_sid = flush->next_sid != 0 ? flush->next_sid : store->stored_next_sid;
    store->trash_left = flush->trash_left;
    moved += flush->trash_removed > 0 || flush->retention_bytes > 0;
    ss__cuts_settle(store, flush, 0);
    nobody_leaves(store);    /* they have left */
    keep_set_aside(store);
    store->stats.stragglers_flushed += flush->stragglers;
    /* Not what became needless since the plan: LMDB has been told of no more. */
    store->log_told = flush->log.needed_serial;
    store->stats.records_trimmed += ss__log_trim(&store->log, store->log_told);
    SS_KILL_POINT(FLUSH_SETTLED);
    store->stats.flushes++;
    store->flush_retry_ns = 0;
    free_flush(store, flush);
    ss__cut_judge(store);
    ss__space_check(store);
    return moved;
}

int ss__store_flush(struct ss_store *store, unsigned tails_max)
{
    struct ss_flush *flush;
    int planned = ss__store_flush_plan(store, tails_max, &flush);
    if (planned != 1 || flush == NULL) {
        return planned;
    }
    ss__store_flush_run(flush);
    return ss__store_flush_settle(store, flush);
}

bool ss__store_flush_due(const struct ss_store *store)
{
    return store->full_bytes >= FLUSH_BYTES ||
           store->born_count - store->born_aside_count >= FLUSH_BORN ||
           ss__commands_due(store) || store->tails_before_us != 0 || ss__store_cuts_wait(store) ||
           ss__log_over_window(store);
}

bool ss__store_may_flush(const struct ss_store *store)
{
    return !store->failed && !store->flushing &&
           (store->flush_retry_ns == 0 ||
            ss__clock_monotonic_ns(store->options.clock) >= store->flush_retry_ns);
}

bool ss__store_checkpointing(const struct ss_store_session *session)
{
    return session->item != NULL && session->item->checkpoint;
}

bool ss__store_flushing(const struct ss_store *store)
{
    return store->flushing;
}

int ss__store_forget_log(struct ss_store *store)
{
    MDB_txn *txn;
    struct ss_meta_log log = { ss__log_needed(&store->log), store->log.next_batch };
    ss__env_reader_stale(&store->env);
    int err = ss__err_from_lmdb(mdb_txn_begin(store->env.env, NULL, 0, &txn));
    if (err != 0) {
        return err;
    }
    err = ss__flush_put_log(&store->env, txn, &log);
    if (err != 0) {
        mdb_txn_abort(txn);
        return err;
    }
    SS_KILL_POINT(FORGET_BEFORE);
    err = ss__err_from_lmdb(mdb_txn_commit(txn));
    SS_KILL_POINT(FORGET_AFTER);
    if (err == 0) {
        /* Records of the process before do not count here. */
        (void)ss__log_trim(&store->log, log.needed_serial);
    }
    return err;
}
