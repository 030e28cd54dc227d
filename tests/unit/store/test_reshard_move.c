/* A working copy that goes bad when the old directory has been found sound. */
#include "reshard_damage.h"

#include "store/error_ring.h"
#include "store/history.h"
#include "store/past.h"

SS_TEST(reshard_move, what_names_an_unknown_type_is_not_moved)
{
    static bool (*const acts[])(struct attack *, MDB_env *, MDB_txn *) = { attack_outcome,
                                                                            attack_entity };
    struct attack attack;
    struct ss_failure failure = { 0 };
    char id[16];
    attack_begin(&attack);
    attack_name(&attack, 1, 1, id);    /* of the shard whose numbers change */
    close_all(&attack.many);
    attack.at = "settled";
    attack.session = id;
    for (size_t i = 0; i < 2; i++) {
        attack.act = acts[i];
        failure = (struct ss_failure){ 0 };
        int err = attack_reshard(&attack, &failure);
        ss_check_msg(err == SS_E_CORRUPT && strstr(failure.text, "cannot be moved") != NULL,
                     "%s %s", ss_error_name(err), failure.text);
        ss_check(attack.done && access(attack.many.to, F_OK) != 0);
    }
    open_all(&attack.many, attack.many.root, 2);
    close_all(&attack.many);
    end(&attack.many);
}

/* The last byte of what @db has last. */
static void flip_last(MDB_env *env, MDB_txn *txn, enum ss_db db)
{
    static uint8_t copy[4096];
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    ss_check(mdb_cursor_open(txn, attack_dbi(txn, db), &cursor) == 0);
    ss_check(mdb_cursor_get(cursor, &key, &value, MDB_LAST) == 0 && value.mv_size <= sizeof copy);
    memcpy(copy, value.mv_data, value.mv_size);
    copy[value.mv_size - 1] ^= 0x10;
    attack_patch(env, value, copy);
    mdb_cursor_close(cursor);
}

static bool cache_and_error(struct attack *attack, MDB_env *env, MDB_txn *txn)
{
    if (attack_sid(txn, attack->session) == 0) {
        return false;
    }
    flip_last(env, txn, SS_DB_CHECKPOINT);
    flip_last(env, txn, SS_DB_ERROR);
    return true;
}

static int pass_entity(const struct ss_entity_row *row, void *ctx)
{
    (void)row;
    (void)ctx;
    return 0;
}

/* What the session was as of event 65. */
static void keep_past(struct many *m, const char *id)
{
    struct ss_history *history;
    struct ss_history_base base;
    struct ss_store_session *session;
    struct ss_history_query query = { .at = 65, .base_max = 65, .code = 7, .timelines = 3 };
    ss_check(ss__store_get_session(m->stores[0], ss_str(id), &session) == 0);
    ss_check(ss__history_new(m->stores[0], session, &query, &history) == 0);
    ss_check(ss__history_base(history, pass_entity, NULL, &base) == 0);
    struct ss_past *past = ss__past_new(history);
    ss_check(past != NULL);
    ss__store_stage_past(m->stores[0], past);
    ss__history_free(m->stores[0], history);
    ss__store_put_session(m->stores[0], session);
}

/* What is a cache, and error records, are left behind when they are damaged. */
SS_TEST(reshard_move, cache_and_error_record_that_went_bad_are_left_behind)
{
    struct attack attack;
    struct ss_failure failure = { 0 };
    struct ss_error_record record = { .text = ss_str("it did not") };
    char id[16];
    attack_begin(&attack);
    attack_name(&attack, 0, 1, id);    /* of the shard whose numbers stay */
    keep_past(&attack.many, id);
    for (unsigned i = 0; i < 2; i++) {
        ss_check(ss__store_note_error(attack.many.stores[0], &record) == 0);
    }
    ss_check(ss__store_flush(attack.many.stores[0], 0) >= 0);
    close_all(&attack.many);
    attack.at = "settled";
    attack.session = id;
    attack.act = cache_and_error;
    int err = attack_reshard(&attack, &failure);
    ss_check_msg(err == 0 && attack.done && attack.finding[0] == '\0', "%s %s", failure.text,
                 attack.finding);
    open_all(&attack.many, attack.many.to, 3);
    ss_check(ss__store_errors_next(attack.many.stores[0]) == 2);
    close_all(&attack.many);
    end(&attack.many);
}
