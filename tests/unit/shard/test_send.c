/* Commands to other sessions: after the commit, in order, bounded. */
#include <errno.h>

#include "notes_app.h"

#include "shard/send.h"

static struct ss_str other = { "other", 5 };

static int send_note(struct ss_context *context, const char *text)
{
    Sessionstream__Test__Notes__Note note = make_note("a", text);
    return ss_send(context, other, "Put", &note.base);
}

static int send_three(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    ss_check(send_note(context, "1") == 0 && send_note(context, "2") == 0);
    return send_note(context, "3");
}

static int put_and_send(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    Sessionstream__Test__Notes__Note note = make_note("b", "own");
    ss_check(ss_publish(context, "Put", &note.base) == 0);
    return send_note(context, "sent");
}

/* The texts of the note that was sent to, as its entity shows them. */
static void text_of_other(struct fixture *f, char *text, size_t cap)
{
    post_subscribe(f, "other", 7, 1);
    step_all(f);
    ss__msg_free(&take_snapshot(f, text, cap)->base);
}

SS_TEST(send, commands_arrive_in_order)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    call_in(&f, "s", send_three);
    ss_check(f.done_err == 0);
    text_of_other(&f, text, sizeof text);
    ss_check(strstr(text, "1+2+3") != NULL);
    fixture_deinit(&f);
}

#ifdef SS_FAULTS
SS_TEST(send, nothing_leaves_when_the_commit_fails)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    ss__fault_arm("log.write", 1, 2, EIO);
    call_in(&f, "s", put_and_send);
    ss_check(f.done_err == SS_E_COMMIT);
    text_of_other(&f, text, sizeof text);
    ss_check(strstr(text, "sent") == NULL);
    fixture_deinit(&f);
}
#endif

static int send_wrong(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    Sessionstream__Test__Notes__Note note = make_note("a", "x");
    Sessionstream__Test__Notes__Fail fail = SESSIONSTREAM__TEST__NOTES__FAIL__INIT;
    Sessionstream__Test__Notes__Note broken = make_note("a", "\xff");
    static char big[SS_PAYLOAD_BYTES_MAX + 1];
    memset(big, 'x', sizeof big - 1);
    Sessionstream__Test__Notes__Note huge = make_note("a", big);
    char id[SS_SESSION_ID_BYTES_MAX + 1];
    memset(id, 'x', sizeof id);
    ss_check(ss_send(context, ss_str(""), "Put", &note.base) == SS_E_SESSION_ID);
    ss_check(ss_send(context, ss_str_of("a\0b", 3), "Put", &note.base) == SS_E_SESSION_ID);
    ss_check(ss_send(context, ss_str("\xff"), "Put", &note.base) == SS_E_SESSION_ID);
    ss_check(ss_send(context, ss_str_of(id, sizeof id), "Put", &note.base) == SS_E_SESSION_ID);
    ss_check(ss_send(context, other, "Nope", &note.base) == SS_E_UNKNOWN_COMMAND);
    ss_check(ss_send(context, other, NULL, &note.base) == SS_E_UNKNOWN_COMMAND);
    ss_check(ss_send(context, other, "Put", &fail.base) == SS_E_TYPE);
    ss_check(ss_send(context, other, "Put", NULL) == SS_E_PAYLOAD);
    ss_check(ss_send(context, other, "Put", &broken.base) == SS_E_PAYLOAD);
    ss_check(ss_send(context, other, "Put", &huge.base) == SS_E_TOOBIG);
    return 0;
}

SS_TEST(send, refuses_what_the_other_session_would)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", send_wrong);
    ss_check(f.done_err == 0);
    fixture_deinit(&f);
}

static int send_much(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    for (unsigned i = 0; i < SS_HANDLER_EVENTS_MAX; i++) {
        ss_check(send_note(context, "") == 0);
    }
    return send_note(context, "") == SS_E_LIMIT ? 0 : SS_E_HANDLER;
}

SS_TEST(send, counts_towards_the_limits_of_the_call)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", send_much);
    ss_check(f.done_err == 0);
    fixture_deinit(&f);
}

static int send_after_all_shares(struct ss_context *context, struct fixture *fixture)
{
    fixture->shard->effects.sends = SS_BATCH_SENDS_MAX;
    ss_check(send_note(context, "x") == SS_E_BUSY);
    fixture->shard->effects.sends = 0;
    fixture->shard->effects.send_bytes = SS_BATCH_BYTES_MAX;
    ss_check(send_note(context, "x") == SS_E_BUSY);
    fixture->shard->effects.send_bytes = 0;
    fixture->shard->phase = SS_SHARD_DRAINING;
    ss_check(send_note(context, "x") == SS_E_STOPPING);
    fixture->shard->phase = SS_SHARD_RUNNING;
    return 0;
}

SS_TEST(send, is_refused_over_the_share_of_a_batch_and_at_the_end)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", send_after_all_shares);
    ss_check(f.done_err == 0);
    fixture_deinit(&f);
}
