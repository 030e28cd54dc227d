/* Staging, and the one write that makes a batch durable. */
#include <string.h>

#include "core/contract.h"
#include "core/fault.h"
#include "core/kill_point.h"
#include "store/command.h"
#include "store/record.h"
#include "store/store_state.h"

#define BATCH_KEEP_BYTES (1u << 20)

/* ---- staging ---- */

/* Room for one record in the open batch. NULL when out of memory. */
static uint8_t *extend_batch(struct ss_store *store, size_t len, uint64_t *ret_position)
{
    struct ss_bytes *batch = &store->batch;
    size_t begin = batch->len;
    if (begin == 0) {
        const struct ss_log_file *file = ss__log_current(&store->log);
        store->batch_base = ss__log_position(file->head.serial, file->end);
        (void)ss__bytes_extend(batch, SS_LOG_BATCH_HEAD_BYTES);    /* sealed at the end */
    }
    size_t before = batch->len;
    uint8_t *at = ss__bytes_extend(batch, len);
    if (at == NULL) {
        batch->err = 0;
        batch->len = begin;
        return NULL;
    }
    *ret_position = store->batch_base + before;
    return at;
}

int ss__store_stage_event(struct ss_store *store, struct ss_store_session *session,
                          const struct ss_record *record)
{
    bool closed = session->closed || session->deleted;
    if (closed || session->now.row.quarantined) {
        return closed ? SS_E_CLOSED : SS_E_CORRUPT;
    }
    struct ss_session_values *now = &session->now;
    SS_REQUIRE(record->ordinal == now->row.ordinal + 1);
    size_t len = ss__log_event_bytes(record);
    uint64_t position;
    /* A session without staged events must not count as changed: no commit would settle it. */
    int err = ss__session_make_room(session);
    uint8_t *at = err != 0 ? NULL : extend_batch(store, len, &position);
    if (at == NULL) {
        return SS_E_NOMEM;
    }
    ss__session_change(store, session);
    (void)ss__session_push(session, position, (uint32_t)len);    /* there is room */
    ss__log_event_encode(at, store->log.seed, store->log.next_batch, now->row.sid, record);
    store->batch_records++;
    store->batch_events++;
    now->row.ordinal = record->ordinal;
    now->row.updated_us = record->time_us;
    now->row.running = (record->flags & SS_RECORD_RUNNING) != 0;
    now->row.was_running = false;
    return 0;
}

int ss__stage_birth(struct ss_store *store, struct ss_store_session *session)
{
    uint8_t *at = extend_batch(store, ss__log_session_bytes(session->id), &session->born);
    if (at == NULL) {
        return SS_E_NOMEM;
    }
    ss__log_session_encode(at, store->log.seed, store->log.next_batch, session->now.row.sid,
                           session->now.row.created_us, session->id);
    store->batch_records++;
    return 0;
}

int ss__stage_end(struct ss_store *store, struct ss_store_session *session, uint64_t now_us)
{
    uint64_t position;
    uint8_t *at = extend_batch(store, SS_LOG_DELETE_BYTES, &position);
    if (at == NULL) {
        return SS_E_NOMEM;
    }
    session->deleted_at = position;
    ss__log_delete_encode(at, store->log.seed, store->log.next_batch, session->now.row.sid,
                          now_us);
    store->batch_records++;
    return 0;
}

int ss__stage_result(struct ss_store *store, const struct ss_command_value *value,
                     uint64_t *ret_position)
{
    uint8_t *at = extend_batch(store, ss__log_command_bytes(value), ret_position);
    if (at == NULL) {
        return SS_E_NOMEM;
    }
    ss__log_command_encode(at, store->log.seed, store->log.next_batch, value);
    store->batch_records++;
    return 0;
}

size_t ss__store_staged_bytes(const struct ss_store *store)
{
    return store->batch.len;
}

static void forget_batch(struct ss_store *store)
{
    if (store->batch.cap > BATCH_KEEP_BYTES) {
        ss__bytes_deinit(&store->batch);
        ss__bytes_init(&store->batch, 0);
    }
    ss__bytes_clear(&store->batch);
    store->batch_records = 0;
    store->batch_events = 0;
}

/* ---- success and failure in memory ---- */

static struct ss_store_session *take_changed(struct ss_store *store)
{
    if (ss__list_empty(&store->changed)) {
        return NULL;
    }
    struct ss_store_session *session =
        ss__container_of(store->changed.next, struct ss_store_session, link);
    ss__list_remove(&session->link);
    session->changed = false;
    return session;
}

static void settle(struct ss_store *store)
{
    for (struct ss_store_session *session; (session = take_changed(store)) != NULL;) {
        store->unflushed_bytes += session->now.tail_bytes - session->saved.tail_bytes;
        if (session->created) {
            session->created = false;
            store->sessions++;
            ss__session_born(store, session, session->born);
        }
        if (session->deleting) {
            session->deleting = false;
            ss__store_forget_commands(store, session->id);
            store->sessions--;
            ss__session_dead(store, session);
        }
        ss__session_judge_tail(store, session);
        ss__session_release(store, session);
    }
    ss__commands_settle(store);
    store->stats.events += store->batch_events;
    forget_batch(store);
}

void ss__store_abort(struct ss_store *store)
{
    for (struct ss_store_session *session; (session = take_changed(store)) != NULL;) {
        bool quarantined = session->now.row.quarantined;
        session->now = session->saved;
        session->now.row.quarantined = quarantined;
        if (session->deleting) {
            session->deleted = session->deleting = false;
            session->deleted_at = 0;
        }
        if (session->created) {
            session->closed = true;
            session->now.tail_count = 0;
            (void)ss__map_remove(&store->by_sid, session->sid_hash, session);
            (void)ss__map_remove(&store->by_id, session->id_hash, session);
        }
        ss__session_release(store, session);
    }
    ss__commands_abort(store);
    if (!store->flushing) {
        ss__checkpoints_forget(store);    /* their sessions may be gone */
    }
    forget_batch(store);
}

/* ---- committing ---- */

/* The batch goes to another file than was thought. */
static void move_batch(struct ss_store *store)
{
    const struct ss_log_file *file = ss__log_current(&store->log);
    uint64_t base = ss__log_position(file->head.serial, file->end);
    uint64_t distance = base - store->batch_base;
    store->batch_base = base;
    for (struct ss_list *link = store->changed.next; link != &store->changed; link = link->next) {
        struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, link);
        for (uint32_t i = session->saved.tail_count; i < session->now.tail_count; i++) {
            session->tail[i] += distance;
        }
        session->born += session->created ? distance : 0;
        session->deleted_at += session->deleting ? distance : 0;
    }
    ss__commands_move(store, distance);
}

/* Nobody knows what the disk has of the file that ends, or of names, when a sync of these fails. */
static int roll(struct ss_store *store, uint64_t bytes)
{
    int err = ss__log_roll(&store->log, bytes);
    if (store->log.sync_failed || store->log.names_failed) {
        ss__space_latch(store, "a sync of the log failed");
    }
    return err;
}

static int pad_batch(struct ss_store *store)
{
    struct ss_bytes *batch = &store->batch;
    struct ss_log_batch_head head = { .number = store->log.next_batch,
                                      .records = store->batch_records,
                                      .bytes = batch->len };
    size_t padding = ss__log_round(batch->len) - batch->len;
    uint8_t *at = ss__bytes_extend(batch, padding);
    if (at == NULL) {
        return SS_E_NOMEM;
    }
    memset(at, 0, padding);
    if (batch->len > ss__log_room(&store->log)) {
        int err = roll(store, batch->len);
        if (err != 0) {
            return err;
        }
        move_batch(store);
        SS_KILL_POINT(COMMIT_MOVED);
    }
    head.serial = ss__log_current(&store->log)->head.serial;
    ss__log_batch_encode(batch->data, store->log.seed, &head);
    return 0;
}

static int write_batch(struct ss_store *store)
{
    int err = pad_batch(store);
    if (err != 0) {
        return err;
    }
    const struct ss_bytes *batch = &store->batch;
    err = ss__log_append(&store->log, batch->data, batch->len, store->batch_records);
    if (err == SS_E_STOREIO) {    /* the same bytes to the same place: harmless */
        err = ss__log_append(&store->log, batch->data, batch->len, store->batch_records);
    }
    return err != 0 || store->options.durability != SS_DURABILITY_FSYNC ? err
                                                                        : ss__store_sync(store);
}

int ss__store_commit(struct ss_store *store)
{
    if (store->batch.len == 0) {
        return 0;
    }
    uint64_t begin_ns = ss__clock_monotonic_ns(store->options.clock);
    SS_KILL_POINT(COMMIT_BEFORE);
    int err = store->failed ? SS_E_STOREIO : SS_FAULT("store.commit.before");
    err = err != 0 ? err : write_batch(store);
    if (err == 0 && SS_FAULT("store.commit.after") != 0) {
        ss__space_latch(store, "the answer of the disk was lost");
        err = SS_E_STOREIO;
    }
    store->stats.last_commit_ns = ss__clock_monotonic_ns(store->options.clock) - begin_ns;
    if (err != 0) {
        store->stats.commit_errors++;
        if (err == SS_E_STOREFULL) {
            ss__space_refuse(store);
        }
        ss__store_abort(store);
        return err;
    }
    SS_KILL_POINT(COMMIT_AFTER);
    store->stats.commits++;
    settle(store);
    ss__space_check(store);
    return 0;
}

int ss__store_sync(struct ss_store *store)
{
    if (!store->failed && ss__log_sync(&store->log) != 0) {
        ss__space_latch(store, "a sync of the log failed");
    }
    return store->failed ? SS_E_STOREIO : 0;
}

int ss__store_writable(struct ss_store *store)
{
    if (store->failed) {
        return SS_E_STOREIO;
    }
    if (store->refusal != 0) {
        ss__space_check(store);
    }
    return store->refusal;
}
