#include <errno.h>

#include "command_fixture.h"
#include "store/delete.h"

SS_TEST(commands, result_is_found_when_staged_and_after_the_commit)
{
    struct fixture f;
    fixture_open(&f);
    ss_check(fixture_find_command(&f, "s", "k") == -1);
    fixture_stage_command(&f, "s", "k", 3);
    ss_check(ss__store_staged_bytes(f.store) > 0);
    ss_check(fixture_find_command(&f, "s", "k") == 3);
    ss_check(ss__store_commit(f.store) == 0);
    ss_check(fixture_find_command(&f, "s", "k") == 3 && fixture_live(&f) == 1);
    ss_check(fixture_find_command(&f, "s", "l") == -1);
    ss_check(fixture_find_command(&f, "sk", "") == -1);
    fixture_end(&f);
}

SS_TEST(commands, session_and_key_do_not_run_into_each_other)
{
    struct fixture f;
    fixture_open(&f);
    fixture_keep_command(&f, "ab", "c", 1);
    fixture_keep_command(&f, "a", "bc", 2);
    ss_check(fixture_find_command(&f, "ab", "c") == 1);
    ss_check(fixture_find_command(&f, "a", "bc") == 2);
    fixture_end(&f);
}

SS_TEST(commands, aborted_or_failed_batch_leaves_nothing)
{
    struct fixture f;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "old", 1);
    fixture_stage_command(&f, "s", "k", 2);
    ss__store_abort(f.store);
    ss_check(fixture_find_command(&f, "s", "k") == -1 && fixture_commands_kept(&f) == 1);
    fixture_stage_command(&f, "s", "k", 2);
    ss__fault_arm("log.write", 1, 2, EIO);
    ss_check(ss__store_commit(f.store) == SS_E_STOREIO);
    ss_check(fixture_find_command(&f, "s", "k") == -1 && fixture_live(&f) == 1);
    ss_check(fixture_find_command(&f, "s", "old") == 1);
    fixture_end(&f);
}

SS_TEST(commands, without_memory_nothing_is_staged)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_command_value value = fixture_command(&f, "s", "k", 1);
    ss__fault_arm("store.command", 1, 1, SS_E_NOMEM);
    ss_check(ss__store_stage_command(f.store, &value) == SS_E_NOMEM);
    ss_check(ss__store_staged_bytes(f.store) == 0 && fixture_commands_kept(&f) == 0);
    fixture_end(&f);
}

SS_TEST(commands, result_is_in_the_same_batch_as_its_events)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_store_session *s = fixture_session(&f, "s");
    fixture_stage(&f, s, 1, 20);
    struct ss_command_value value = fixture_command(&f, "s", "k", 1);
    value.sid = ss__store_row(s)->sid;
    ss_check(ss__store_stage_command(f.store, &value) == 0);
    ss_check(ss__store_commit(f.store) == 0 && fixture_stats(&f).commits == 1);
    ss__store_put_session(f.store, s);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    fixture_verify(&f, "s", 1, 20);
    ss_check(ss__store_find_command(f.store, ss_str("s"), value.sid, ss_str("k"),
                                    value.time_us) != NULL);
    fixture_end(&f);
}

SS_TEST(commands, result_of_an_earlier_life_does_not_count)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_command_value value = fixture_command(&f, "s", "k", 1);
    value.sid = 5;
    ss_check(ss__store_stage_command(f.store, &value) == 0);
    ss_check(ss__store_find_command(f.store, ss_str("s"), 5, ss_str("k"), value.time_us) != NULL);
    ss_check(ss__store_find_command(f.store, ss_str("s"), 0, ss_str("k"), value.time_us) == NULL);
    ss_check(ss__store_find_command(f.store, ss_str("s"), 6, ss_str("k"), value.time_us) == NULL);
    value.sid = 6;    /* in the same batch: a record nobody stands for must not hold its file */
    value.ordinal = 2;
    ss_check(ss__store_stage_command(f.store, &value) == 0);
    ss_check(ss__store_commit(f.store) == 0);
    ss_check(fixture_live(&f) == 1 && fixture_commands_kept(&f) == 1);
    fixture_flush_all(&f);
    ss_check(fixture_live(&f) == 0);
    fixture_end(&f);
}

/* Deletes the session and keeps another result of the same key in one batch, twice if so asked. */
static void stage_another_life(struct fixture *f, struct ss_store_session *session, bool twice)
{
    ss_check(ss__store_stage_delete(f->store, session, 77) == 0);
    fixture_stage_command(f, "s", "k", 8);
    if (twice) {
        struct ss_store_session *next = fixture_session(f, "s");
        ss_check(ss__store_stage_delete(f->store, next, 77) == 0);
        ss__store_put_session(f->store, next);
        fixture_stage_command(f, "s", "k", 9);
    }
    ss_check(fixture_find_command(f, "s", "k") == (twice ? 9 : 8));
}

static int64_t find_of(struct fixture *f, uint64_t sid)
{
    const struct ss_command_value *value = ss__store_find_command(
        f->store, ss_str("s"), sid, ss_str("k"), test_clock_us(&f->clock.clock));
    return value == NULL ? -1 : (int64_t)value->ordinal;
}

static void undone_or_not(bool stored, bool twice, bool fails)
{
    struct fixture f;
    fixture_open(&f);
    struct ss_store_session *session = fixture_session(&f, "s");
    fixture_stage(&f, session, 1, 20);
    uint64_t sid = ss__store_row(session)->sid;
    struct ss_command_value value = fixture_command(&f, "s", "k", 1);
    value.sid = sid;
    ss_check(ss__store_stage_command(f.store, &value) == 0 && ss__store_commit(f.store) == 0);
    if (stored) {
        fixture_flush_all(&f);
    }
    uint64_t live = fixture_live(&f);
    stage_another_life(&f, session, twice);
    ss__fault_arm("log.write", 1, fails ? 2 : 0, EIO);
    ss_check(ss__store_commit(f.store) == (fails ? SS_E_STOREIO : 0));
    ss__fault_reset();
    ss__store_put_session(f.store, session);
    ss_check(fixture_commands_kept(&f) == 1);
    if (fails) {
        ss_check(find_of(&f, sid) == 1 && fixture_live(&f) == live);
    } else {
        ss_check(find_of(&f, sid) == (twice ? 9 : 8));
    }
    fixture_flush_all(&f);
    fixture_crash(&f);
    ss_check(fixture_command_rows(&f) == 1);
    fixture_reopen(&f);
    ss_check(find_of(&f, sid) == (fails ? 1 : twice ? 9 : 8) && fixture_commands_kept(&f) == 1);
    fixture_end(&f);
}

SS_TEST(commands, key_that_was_used_again_has_its_result_back_when_the_deletion_is_undone)
{
    undone_or_not(false, false, true);
    undone_or_not(false, true, true);
    undone_or_not(true, false, true);
    undone_or_not(true, true, true);
}

SS_TEST(commands, key_that_was_used_again_has_the_newest_result_once_that_is_committed)
{
    undone_or_not(false, false, false);
    undone_or_not(false, true, false);
    undone_or_not(true, false, false);
    undone_or_not(true, true, false);
}

SS_TEST(commands, without_memory_the_older_result_stays)
{
    struct fixture f;
    fixture_open(&f);
    fixture_keep_command(&f, "s", "k", 1);
    struct ss_command_value value = fixture_command(&f, "s", "k", 2);
    ss__fault_arm("store.command", 1, 1, SS_E_NOMEM);
    ss_check(ss__store_stage_command(f.store, &value) == SS_E_NOMEM);
    ss_check(fixture_find_command(&f, "s", "k") == 1 && fixture_commands_kept(&f) == 1);
    ss_check(ss__store_stage_command(f.store, &value) == 0);
    ss_check(fixture_commands_kept(&f) == 2);
    ss__store_forget_commands(f.store, ss_str("s"));    /* the one that is hidden as well */
    ss_check(fixture_commands_kept(&f) == 1);
    ss__store_abort(f.store);
    ss_check(fixture_find_command(&f, "s", "k") == -1 && fixture_commands_kept(&f) == 0);
    fixture_end(&f);
}

SS_TEST(commands, result_ends_with_its_time_to_live)
{
    struct fixture f;
    fixture_init(&f);
    f.options.command_ttl_ms = 1000;
    fixture_reopen(&f);
    fixture_keep_command(&f, "s", "k", 1);
    f.clock.now_ns += 999 * UINT64_C(1000000);
    ss_check(fixture_find_command(&f, "s", "k") == 1);
    f.clock.now_ns += 1000000;
    ss_check(fixture_find_command(&f, "s", "k") == -1);
    fixture_keep_command(&f, "s", "k", 9);    /* takes its place */
    ss_check(fixture_find_command(&f, "s", "k") == 9 && fixture_commands_kept(&f) == 1);
    ss_check(fixture_live(&f) == 1);
    fixture_end(&f);
}

SS_TEST(commands, session_keeps_its_newest_and_others_theirs)
{
    struct fixture f;
    char key[32];
    fixture_open(&f);
    fixture_keep_command(&f, "other", "k", 1);
    for (unsigned i = 0; i < SS_SESSION_KEYS_MAX + 2; i++) {
        (void)snprintf(key, sizeof key, "k%u", i);
        fixture_stage_command(&f, "busy", key, i);
    }
    ss_check(ss__store_commit(f.store) == 0);
    struct ss_command_stats stats;
    ss__store_command_stats(f.store, &stats);
    ss_check(stats.kept == SS_SESSION_KEYS_MAX + 1 && stats.evicted == 2);
    ss_check(fixture_find_command(&f, "busy", "k0") == -1);
    ss_check(fixture_find_command(&f, "busy", "k1") == -1);
    ss_check(fixture_find_command(&f, "busy", "k2") == 2);
    ss_check(fixture_find_command(&f, "other", "k") == 1);
    ss_check(fixture_live(&f) == SS_SESSION_KEYS_MAX + 1);
    fixture_end(&f);
}

SS_TEST(commands, bytes_of_a_session_are_bounded_too)
{
    struct fixture f;
    char key[SS_IDEMPOTENCY_KEY_BYTES_MAX + 1];
    char text[SS_COMMAND_TEXT_BYTES_MAX + 1];
    memset(key, 'k', sizeof key - 1);
    memset(text, 't', sizeof text - 1);
    key[sizeof key - 1] = text[sizeof text - 1] = '\0';
    fixture_open(&f);
    for (unsigned i = 0; i < SS_SESSION_KEYS_MAX; i++) {
        (void)snprintf(key, 8, "%06u", i);
        key[6] = '-';
        struct ss_command_value value = fixture_command(&f, "busy", key, i);
        value.key = ss_str_of(key, sizeof key - 1);
        value.text = ss_str(text);
        ss_check(ss__store_stage_command(f.store, &value) == 0);
    }
    ss_check(ss__store_commit(f.store) == 0);
    struct ss_command_stats stats;
    ss__store_command_stats(f.store, &stats);
    ss_check(stats.bytes <= SS_SESSION_KEYS_BYTES_MAX && stats.evicted > 0);
    ss_check(stats.kept + stats.evicted == SS_SESSION_KEYS_MAX);
    fixture_end(&f);
}

SS_TEST(commands, shard_keeps_its_newest)
{
    struct fixture f;
    char session[32];
    fixture_open(&f);
    unsigned each = SS_SESSION_KEYS_MAX;
    for (unsigned i = 0; i < SS_SHARD_KEYS_MAX + each; i++) {
        char key[32];
        (void)snprintf(session, sizeof session, "s%u", i / each);
        (void)snprintf(key, sizeof key, "%u", i);
        fixture_stage_command(&f, session, key, i);
        if (i % 4096 == 4095) {
            ss_check(ss__store_commit(f.store) == 0);
        }
    }
    ss_check(ss__store_commit(f.store) == 0);
    struct ss_command_stats stats;
    ss__store_command_stats(f.store, &stats);
    ss_check(stats.kept == SS_SHARD_KEYS_MAX && stats.evicted == each);
    ss_check(fixture_find_command(&f, "s0", "0") == -1);
    (void)snprintf(session, sizeof session, "s%u", SS_SHARD_KEYS_MAX / each + 1);
    ss_check(fixture_live(&f) == SS_SHARD_KEYS_MAX);
    fixture_end(&f);
}

SS_TEST(commands, forgotten_session_has_none_and_others_keep_theirs)
{
    struct fixture f;
    fixture_open(&f);
    fixture_keep_command(&f, "gone", "a", 1);
    fixture_flush_all(&f);
    fixture_keep_command(&f, "gone", "b", 2);
    fixture_keep_command(&f, "stays", "a", 3);
    ss__store_forget_commands(f.store, ss_str("gone"));
    ss__store_forget_commands(f.store, ss_str("never there"));
    ss_check(fixture_find_command(&f, "gone", "a") == -1);
    ss_check(fixture_find_command(&f, "gone", "b") == -1);
    ss_check(fixture_find_command(&f, "stays", "a") == 3);
    fixture_flush_all(&f);
    fixture_close(&f);
    ss_check(fixture_command_rows(&f) == 1);
    fixture_reopen(&f);
    ss_check(fixture_commands_kept(&f) == 1);
    fixture_end(&f);
}
