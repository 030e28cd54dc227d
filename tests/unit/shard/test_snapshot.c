/* What a snapshot shows, in which order, and when one is made anew. */
#include <sessionstream/limits.h>

#include "notes_app.h"

static void subscribe(struct fixture *f, char *out, size_t cap)
{
    post_subscribe(f, "s", 7, 1);
    step_all(f);
    ss__msg_free(&take_snapshot(f, out, cap)->base);
}

/* True if @words stand in @text in this order. */
static bool in_order(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        text = strstr(text, words[i]);
        if (text == NULL) {
            return false;
        }
        text += strlen(words[i]);
    }
    return true;
}

SS_TEST(snapshot, entities_come_in_the_order_of_their_creation)
{
    static const char *const want[] = { "\"id\":\"z\"", "\"id\":\"m\"", "\"id\":\"a\"",
                                        "\"id\":\"y\"" };
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_put(&f, "s", "y", "1");
    post_put(&f, "s", "z", "1");
    post_put(&f, "s", "m", "1");
    post_put(&f, "s", "a", "1");
    post_put(&f, "s", "z", "2");
    post_put(&f, "s", "y", "delete");
    post_put(&f, "s", "y", "3");    /* a new life is a new creation */
    step_all(&f);
    subscribe(&f, text, sizeof text);
    ss_check_msg(in_order(text, want, 4), "%s", text);
    fixture_deinit(&f);
}

SS_TEST(snapshot, i10_of_the_same_ordinal_is_encoded_once)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    for (int i = 0; i < 5; i++) {
        subscribe(&f, text, sizeof text);
    }
    ss_check(total_of(f.stats->snapshots) == 1 && atomic_load(&f.stats->snapshot_hits) == 4);
    fixture_deinit(&f);
}

SS_TEST(snapshot, an_old_one_is_not_used_again_even_if_the_ring_reaches_it)
{
    struct fixture f;
    char text[4096];
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    subscribe(&f, text, sizeof text);
    post_put(&f, "s", "a", "2");
    step_all(&f);
    (void)take_frame(&f);
    f.now_ns += 200000000;
    subscribe(&f, text, sizeof text);
    ss_check(strstr(text, "\"snapshotOrdinal\":\"2\"") != NULL);
    ss_check(total_of(f.stats->snapshots) == 2);
    fixture_deinit(&f);
}

static void post_document(struct fixture *f, const char *session)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request =
        ss__request_new(SS_REQUEST_SNAPSHOT, ss_str(session), none, none);
    ss_check(request != NULL);
    request->connection = (struct ss_connection_id){ 0, 1, 1 };
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

static struct ss_request *take_document(struct fixture *f, uint64_t ordinal)
{
    struct ss_msg *msg = next_message(f);
    ss_check(msg != NULL && msg->kind == SS_MSG_REPLY);
    struct ss_request *answer = (struct ss_request *)(void *)msg;
    ss_check(answer->err == 0 && answer->ordinal == ordinal && answer->snapshot != NULL);
    return answer;
}

SS_TEST(snapshot, one_for_http_is_encoded_and_counted_once_per_ordinal)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    step_all(&f);
    post_document(&f, "s");
    post_document(&f, "s");
    step_all(&f);
    struct ss_request *first = take_document(&f, 1);
    struct ss_request *second = take_document(&f, 1);
    ss_check(first->snapshot == second->snapshot && total_of(f.stats->snapshots) == 1);
    ss_check(atomic_load(&f.stats->snapshots[SS_STATS_DOCUMENT]) == 1);
    ss_check(first->base.node.bytes == first->memory_bytes + first->snapshot->len);
    ss_check(second->base.node.bytes == second->memory_bytes);
    post_put(&f, "s", "a", "2");
    post_document(&f, "s");
    step_all(&f);
    struct ss_request *third = take_document(&f, 2);
    ss_check(third->snapshot != first->snapshot && total_of(f.stats->snapshots) == 2);
    ss__msg_free(&first->base);
    ss__msg_free(&second->base);
    ss__msg_free(&third->base);
    fixture_deinit(&f);
}

/* Every look at the clock takes as long as handlers of a batch may. */
static uint64_t slow_monotonic(struct ss_clock *clock)
{
    struct fixture *f = ss__container_of(clock, struct fixture, clock);
    f->now_ns += SS_BATCH_HANDLER_NS_MAX;
    return f->now_ns;
}

SS_TEST(snapshot, encoding_counts_towards_the_time_of_a_batch)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    post_put(&f, "t", "a", "1");
    step_all(&f);
    f.clock.monotonic_ns = slow_monotonic;
    post_document(&f, "s");
    post_document(&f, "t");
    ss_check(ss__shard_step(f.shard));
    ss__msg_free(&take_document(&f, 1)->base);
    ss_check(next_message(&f) == NULL);
    step_all(&f);
    ss__msg_free(&take_document(&f, 1)->base);
    fixture_deinit(&f);
}

SS_TEST(snapshot, one_for_http_is_a_document_without_websocket_header)
{
    struct fixture f;
    fixture_init(&f);
    post_put(&f, "s", "a", "1");
    post_document(&f, "s");
    step_all(&f);
    struct ss_request *answer = take_document(&f, 1);
    ss_check(answer->snapshot->data[0] == '{' &&
             answer->snapshot->data[answer->snapshot->len - 1] == '}');
    ss__msg_free(&answer->base);
    fixture_deinit(&f);
}
