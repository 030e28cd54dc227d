#include "engine_fixture.h"

static void not_done(const struct ss_result *result, void *ctx)
{
    (void)result;
    (void)ctx;
    abort();
}

static struct answer import(struct fixture *fixture, uint64_t ordinal, const char *packed)
{
    struct answer answer;
    answer_init(&answer);
    ss_check(ss_engine_import(fixture->engine, ss_str("s"), ordinal, 1, "Put", ss_str(packed),
                              on_done, &answer) == 0);
    wait_for(&answer);
    ss_check(answer.calls == 1);
    return answer;
}

SS_TEST(import, events_are_appended_compared_or_refused)
{
    struct fixture fixture;
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    struct answer answer = import(&fixture, 1, "\x0a\x01" "a");
    ss_check(answer.err == 0 && answer.ordinal == 1);
    ss_check(import(&fixture, 2, "").err == 0);
    answer = import(&fixture, 1, "\x0a\x01" "a");
    ss_check(answer.err == 0 && answer.ordinal == 1);
    ss_check(import(&fixture, 1, "\x0a\x01" "b").err == SS_E_CONFLICT);
    answer = import(&fixture, 4, "");
    ss_check(answer.err == SS_E_INVAL && strstr(answer.message, "is 3") != NULL);
    fixture_end(&fixture);
}

SS_TEST(import, what_cannot_be_right_is_refused_at_once)
{
    struct fixture fixture;
    struct ss_str id = ss_str("s");
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    struct ss_engine *engine = fixture.engine;
    ss_check(ss_engine_import(engine, ss_str(""), 1, 0, "Put", id, not_done, NULL) ==
             SS_E_SESSION_ID);
    ss_check(ss_engine_import(engine, id, 1, 0, "put", id, not_done, NULL) == SS_E_UNKNOWN_EVENT);
    ss_check(ss_engine_import(engine, id, 1, 0, "Put", ss_str("\x0a"), not_done, NULL) ==
             SS_E_PAYLOAD);
    ss_check(ss_engine_import(engine, id, 0, 0, "Put", ss_str(NULL), not_done, NULL) ==
             SS_E_INVAL);
    char *big = calloc(1, SS_PAYLOAD_BYTES_MAX + 1);
    ss_check(big != NULL);
    ss_check(ss_engine_import(engine, id, 1, 0, "Put", ss_str_of(big, SS_PAYLOAD_BYTES_MAX + 1),
                              not_done, NULL) == SS_E_TOOBIG);
    free(big);
    ss_engine_stop(engine);
    ss_check(ss_engine_import(engine, id, 1, 0, "Put", ss_str(NULL), not_done, NULL) ==
             SS_E_STOPPING);
    fixture_end(&fixture);
}
