#include <sessionstream/sessions.h>

#include "engine_fixture.h"

struct listed {
    sem_t given;
    int err;
    bool more;
    char ids[256];    /* a space behind each */
};

static void on_list(const struct ss_session_list *list, void *ctx)
{
    struct listed *listed = ctx;
    listed->err = list->err;
    listed->more = list->more;
    for (size_t i = 0; i < list->count; i++) {
        const struct ss_session_info *info = &list->sessions[i];
        ss_check(info->ordinal == 1 && info->created_us > 0 && info->updated_us > 0);
        (void)snprintf(listed->ids + strlen(listed->ids), sizeof listed->ids - strlen(listed->ids),
                       "%.*s ", (int)info->id.len, info->id.data);
    }
    (void)sem_post(&listed->given);
}

static void list(struct fixture *fixture, const char *prefix, const char *after, uint32_t limit,
                 bool more, const char *ids)
{
    struct listed listed = { .err = -1 };
    struct ss_session_query query = { ss_str(prefix), ss_str(after), limit };
    ss_check(sem_init(&listed.given, 0, 0) == 0);
    ss_check(ss_engine_list(fixture->engine, &query, on_list, &listed) == 0);
    while (sem_wait(&listed.given) != 0) {
    }
    ss_check(listed.err == 0 && listed.more == more);
    ss_check_msg(strcmp(listed.ids, ids) == 0, "got %s, want %s", listed.ids, ids);
    (void)sem_destroy(&listed.given);
}

static void publish(struct fixture *fixture, const char *session)
{
    struct answer answer;
    answer_init(&answer);
    ss_check(ss_engine_publish(fixture->engine, ss_str(session), "Put", note(), on_done,
                               &answer) == 0);
    wait_for(&answer);
    ss_check(answer.err == 0);
}

SS_TEST(sessions, are_listed_over_all_shards_and_pages_and_after_a_restart)
{
    struct fixture fixture;
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    list(&fixture, "", "", 0, false, "");
    for (const char *const *id = (const char *const[]){ "c", "a", "b", "ba", "bb", "d", NULL };
         *id != NULL; id++) {
        publish(&fixture, *id);
    }
    list(&fixture, "", "", 0, false, "a b ba bb c d ");
    list(&fixture, "", "", 4, true, "a b ba bb ");
    list(&fixture, "", "bb", 4, false, "c d ");
    list(&fixture, "b", "", 2, true, "b ba ");
    list(&fixture, "b", "ba", 2, false, "bb ");
    ss_engine_stop(fixture.engine);
    ss_engine_free(fixture.engine);
    ss_registry_free(fixture.registry);
    fixture.registry = new_registry();
    make(&fixture);
    start(&fixture);
    list(&fixture, "", "", 0, false, "a b ba bb c d ");
    fixture_end(&fixture);
}

SS_TEST(sessions, a_list_is_refused_when_the_query_or_the_engine_is_not_ready)
{
    struct fixture fixture;
    struct ss_session_query query = { .limit = 1001 };
    fixture_init(&fixture);
    make(&fixture);
    ss_check(ss_engine_list(fixture.engine, &query, on_list, NULL) == SS_E_STOPPING);
    start(&fixture);
    ss_check(ss_engine_list(fixture.engine, &query, on_list, NULL) == SS_E_INVAL);
    fixture_end(&fixture);
}

static void end(struct fixture *fixture, const char *session, bool delete, int err)
{
    struct answer answer;
    answer_init(&answer);
    int posted = delete ? ss_engine_delete(fixture->engine, ss_str(session), on_done, &answer)
                        : ss_engine_close(fixture->engine, ss_str(session), on_done, &answer);
    ss_check(posted == 0);
    wait_for(&answer);
    ss_check_msg(answer.err == err, "%s", ss_error_name(answer.err));
    ss_check(answer.ordinal == (err == 0 ? 1 : 0));
    (void)sem_destroy(&answer.given);
}

SS_TEST(sessions, are_closed_and_deleted)
{
    struct fixture fixture;
    fixture_init(&fixture);
    make(&fixture);
    start(&fixture);
    end(&fixture, "a", true, SS_E_NOTFOUND);
    end(&fixture, "a", false, SS_E_NOTFOUND);
    publish(&fixture, "a");
    publish(&fixture, "b");
    end(&fixture, "a", false, 0);
    list(&fixture, "", "", 0, false, "a b ");
    end(&fixture, "a", true, 0);
    list(&fixture, "", "", 0, false, "b ");
    end(&fixture, "a", false, SS_E_NOTFOUND);
    ss_check(ss_engine_delete(fixture.engine, ss_str(""), NULL, NULL) == SS_E_SESSION_ID);
    ss_check(ss_engine_close(fixture.engine, ss_str(""), NULL, NULL) == SS_E_SESSION_ID);
    fixture_end(&fixture);
}
