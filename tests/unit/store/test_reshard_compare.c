/* A new directory that is not what the old one was: it is noticed, and the old one stays. */
#include "reshard_damage.h"

static bool no_events(struct attack *attack, MDB_env *env, MDB_txn *txn)
{
    static uint8_t copy[FIXTURE_PAYLOAD_MAX];
    struct ss_segment segment;
    uint64_t sid = attack_sid(txn, attack->session);
    if (sid == 0) {
        return false;
    }
    MDB_val value = attack_segment(txn, sid, copy, &segment);
    memset(copy + SS_SEGMENT_HEAD_BYTES, 0xff, value.mv_size - SS_SEGMENT_HEAD_BYTES);
    ss__segment_seal(copy, value.mv_size, sid, 1, segment.count);
    attack_patch(env, value, copy);
    return true;
}

/* A session without events leaves no trace. */
static bool no_session(struct attack *attack, MDB_env *env, MDB_txn *txn)
{
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    uint8_t sid_bytes[8];
    uint64_t sid = attack_sid(txn, attack->session);
    (void)env;
    if (sid == 0) {
        return false;
    }
    MDB_val key = ss__val_of(key_bytes, ss__catalog_key(key_bytes, ss_str(attack->session)));
    ss_check(mdb_del(txn, attack_dbi(txn, SS_DB_CATALOG), &key, NULL) == 0);
    ss__put_be64(sid_bytes, sid);
    key = ss__val_of(sid_bytes, sizeof sid_bytes);
    ss_check(mdb_del(txn, attack_dbi(txn, SS_DB_SESSION), &key, NULL) == 0);
    return true;
}

static void is_refused(struct attack *attack, const char *part)
{
    struct ss_failure failure = { 0 };
    int err = attack_reshard(attack, &failure);
    ss_check_msg(err == SS_E_CORRUPT && strstr(failure.text, part) != NULL, "%s %s %s",
                 ss_error_name(err), failure.text, attack->finding);
    ss_check(attack->done && access(attack->many.to, F_OK) != 0);
}

SS_TEST(reshard_compare, copy_that_changes_while_others_are_compared_is_found)
{
    static bool (*const acts[])(struct attack *, MDB_env *, MDB_txn *) = {
        attack_entity, attack_outcome, no_events
    };
    struct attack attack;
    char id[16];
    attack_begin(&attack);
    attack_name(&attack, 0, 2, id);    /* the first has been compared then */
    close_all(&attack.many);
    attack.at = "compared";
    attack.session = id;
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        attack.act = acts[i];
        is_refused(&attack, "not the same in the copy");
    }
    attack.at = "nothing";
    struct ss_failure failure = { 0 };
    ss_check_msg(attack_reshard(&attack, &failure) == 0, "%s", failure.text);
    end(&attack.many);
}

/* The last thing that is looked at: whether there are as many as before. */
SS_TEST(reshard_compare, session_that_vanishes_behind_the_comparison_is_missed)
{
    struct attack attack;
    attack_begin(&attack);
    close_all(&attack.many);
    attack.at = "compared";
    attack.session = "none";
    attack.act = no_session;
    attack.pass = 7;    /* all of them */
    attack.writes = true;
    is_refused(&attack, "sessions in the copy instead of");
    end(&attack.many);
}
