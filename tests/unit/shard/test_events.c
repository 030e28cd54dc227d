/* Pages of stored events: what is in them, where they end, and what is told instead. */
#include "shard/events.h"

#include <string.h>

#include <sessionstream/history.h>

#include "as_of_notes.h"
#include "notes_app.h"

struct page {
    unsigned calls;
    int err;
    char message[200];
    uint64_t first;       /* ordinal of the first event */
    uint64_t last;
    uint64_t first_retained;
    uint64_t ordinal;
    size_t count;
    size_t unreadable;
    bool more;
    char text[256];       /* name, type and payload of the last one */
    uint64_t time_us;
};

static void on_page(const struct ss_result *result, const struct ss_event_page *page, void *ctx)
{
    struct page *seen = ctx;
    seen->calls++;
    seen->err = result->err;
    snprintf(seen->message, sizeof seen->message, "%s", result->message);
    ss_check((page == NULL) == (result->err != 0));
    if (page == NULL) {
        return;
    }
    seen->first_retained = page->first_retained;
    seen->ordinal = page->ordinal;
    seen->count = page->count;
    seen->more = page->more;
    for (size_t i = 0; i < page->count; i++) {
        const struct ss_stored_event *event = &page->events[i];
        ss_check(i == 0 || event->ordinal == event[-1].ordinal + 1);
        seen->unreadable += !event->readable;
        seen->last = event->ordinal;
        seen->time_us = event->time_us;
        snprintf(seen->text, sizeof seen->text, "%.*s %.*s %.*s", (int)event->name.len,
                 event->name.data, (int)event->type.len, event->type.data,
                 (int)(event->payload.len < 64 ? event->payload.len : 64), event->payload.data);
    }
    seen->first = page->count == 0 ? 0 : page->events[0].ordinal;
}

static struct ss_request *ask(struct fixture *f, const char *session, uint64_t after,
                              uint32_t limit, struct page *page)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_EVENTS, ss_str(session), none, none);
    ss_check(request != NULL);
    *page = (struct page){ .calls = 0 };
    request->at = after;
    request->limit = limit;
    request->events_done = on_page;
    request->ctx = page;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    return request;
}

static struct page read_page(struct fixture *f, const char *session, uint64_t after,
                             uint32_t limit)
{
    struct page page;
    (void)ask(f, session, after, limit, &page);
    step_jobs(f);
    ss_check(page.calls == 1);
    return page;
}

static void put(struct fixture *f, const char *text)
{
    post_put(f, "s", "x", text);
    step_all(f);
    ss_check(f->done_err == 0);
}

/* In the log, in segments, in both, after a crash; with and without a pool. */
static void pages_join(struct ss_pool *pool, unsigned flushed)
{
    struct fixture f;
    char text[16];
    fixture_init(&f);
    with_pool(&f, pool);
    for (unsigned i = 1; i <= 50; i++) {
        snprintf(text, sizeof text, "t%u", i);
        put(&f, text);
        if (i == flushed) {
            step_jobs(&f);
            flush_everything(&f);
        }
    }
    for (unsigned crashed = 0; crashed < 2; crashed++) {
        for (unsigned after = 0; after < 50; after += 7) {
            struct page page = read_page(&f, "s", after, 7);
            unsigned want = 50 - after < 7 ? 50 - after : 7;
            snprintf(text, sizeof text, "t%u", after + want);
            ss_check_msg(page.err == 0 && page.count == want && page.first == after + 1 &&
                             page.more == (after + want < 50) && page.ordinal == 50 &&
                             page.first_retained == 1 && page.unreadable == 0 &&
                             strncmp(page.text, "Put sessionstream.test.notes.Note ", 34) == 0 &&
                             strstr(page.text, text) != NULL && page.time_us != 0,
                         "after %u: %d, %zu events, %s", after, page.err, page.count, page.text);
        }
        ss__shard_free(f.shard);
        fixture_open(&f);
    }
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.shard = NULL;
    f.pool = NULL;
    fixture_deinit(&f);
}

SS_TEST(events, pages_join_wherever_the_events_are)
{
    struct ss_pool *pool;
    ss_check(ss__pool_new(1, &pool) == 0);
    for (unsigned flushed = 0; flushed <= 50; flushed += 25) {
        pages_join(NULL, flushed);
        pages_join(pool, flushed);
    }
    ss__pool_free(pool);
}

SS_TEST(events, behind_the_newest_there_are_none_and_of_an_unknown_session_no_page)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "a");
    struct page page = read_page(&f, "s", 1, 10);
    ss_check(page.err == 0 && page.count == 0 && page.ordinal == 1 && !page.more);
    page = read_page(&f, "s", UINT64_MAX, 10);
    ss_check(page.err == 0 && page.count == 0 && !page.more);
    page = read_page(&f, "unknown", 0, 10);
    ss_check(page.err == SS_E_NOTFOUND && strstr(page.message, "no event") != NULL);
    fixture_deinit(&f);
}

SS_TEST(events, what_was_posted_before_is_in_the_page)
{
    struct fixture f;
    struct page page;
    fixture_init(&f);
    post_put(&f, "s", "x", "a");
    post_put(&f, "s", "x", "b");
    (void)ask(&f, "s", 0, 10, &page);
    step_jobs(&f);
    ss_check(page.calls == 1 && page.err == 0 && page.count == 2);
    fixture_deinit(&f);
}

static void publish_big(struct fixture *f, const char *id)
{
    static uint8_t packed[SS_PAYLOAD_BYTES_MAX];
    static char text[SS_PAYLOAD_BYTES_MAX - 64];
    memset(text, 'x', sizeof text - 1);
    Sessionstream__Test__Notes__Note note = make_note(id, "");
    note.text = text;
    struct ss_str payload = ss_str_of(packed, protobuf_c_message_pack(&note.base, packed));
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_PUBLISH, ss_str("s"), none, payload);
    ss_check(request != NULL);
    request->name = ss__registry_find(f->registry, SS_SPACE_EVENT, ss_str("Put"));
    request->done = on_done;
    request->ctx = f;
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
    step_all(f);
    ss_check(f->done_err == 0);
}

SS_TEST(events, page_ends_at_its_bytes)
{
    struct fixture f;
    fixture_init(&f);
    for (unsigned i = 0; i < 6; i++) {
        publish_big(&f, (const char *[]){ "a", "b", "c", "d", "e", "f" }[i]);
    }
    struct page page = read_page(&f, "s", 0, SS_EVENT_PAGE_MAX);
    ss_check_msg(page.err == 0 && page.count == 4 && page.more, "%d %zu", page.err, page.count);
    page = read_page(&f, "s", 4, SS_EVENT_PAGE_MAX);
    ss_check(page.err == 0 && page.count == 2 && page.last == 6 && !page.more);
    fixture_deinit(&f);
}

SS_TEST(events, one_that_a_projection_failed_is_there)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "a");
    post_fail(&f, "s", false, true);
    step_all(&f);
    struct page page = read_page(&f, "s", 0, 10);
    ss_check_msg(page.err == 0 && page.count == 2 && page.unreadable == 0 &&
                     strncmp(page.text, "Fail ", 5) == 0, "%s", page.text);
    fixture_deinit(&f);
}

SS_TEST(events, removed_ones_are_told_with_the_first_that_is_there)
{
    struct fixture f;
    fixture_init(&f);
    for (unsigned i = 0; i < 4; i++) {
        put(&f, "a");
    }
    struct ss_channel *channel =
        ss__channel_get(f.shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
    ss_check(channel != NULL);
    /* Nothing removes events yet. */
    struct ss_session_row *row =
        (struct ss_session_row *)(uintptr_t)ss__store_row(channel->state->stored);
    row->first_retained = 3;
    struct page page = read_page(&f, "s", 1, 10);
    ss_check(page.err == SS_E_GONE &&
             strcmp(page.message, "event 3 is the first that has been retained") == 0);
    page = read_page(&f, "s", 2, 10);
    ss_check(page.err == 0 && page.first_retained == 3 && page.first == 3 && page.last == 4);
    row->first_retained = 1;
    fixture_deinit(&f);
}

/* @raw: with the bytes as stored. */
static void check_document(bool raw, const char *want)
{
    struct fixture f;
    struct page page;
    fixture_init(&f);
    f.now_ns = 5123456000;
    put(&f, "a");
    struct ss_request *asked = ask(&f, "s", 0, 10, &page);
    asked->connection = (struct ss_connection_id){ 0, 1, 1 };
    asked->raw = raw;
    step_jobs(&f);
    struct ss_msg *msg = next_message(&f);
    ss_check(msg != NULL && msg->kind == SS_MSG_REPLY);
    const struct ss_request *request = (struct ss_request *)(void *)msg;
    ss_check_msg(request->err == 0 && request->snapshot->len == strlen(want) &&
                     memcmp(request->snapshot->data, want, strlen(want)) == 0,
                 "%.*s", (int)request->snapshot->len, (const char *)request->snapshot->data);
    ss__msg_free(msg);
    fixture_deinit(&f);
}

SS_TEST(events, gateway_gets_a_document_that_can_be_imported)
{
#define HEAD                                                                                 \
    "{\"sessionId\":\"s\",\"firstRetained\":\"1\",\"ordinal\":\"1\",\"events\":[\n"            \
    "{\"ordinal\":\"1\",\"time\":\"2023-11-14T22:13:25.123456Z\",\"event\":\"Put\","             \
    "\"payload\":{\"@type\":\"type.googleapis.com/sessionstream.test.notes.Note\","            \
    "\"id\":\"x\",\"text\":\"a\"}"
    check_document(false, HEAD "}],\"more\":false}");
    check_document(true, HEAD ",\"type\":\"sessionstream.test.notes.Note\",\"raw\":\"CgF4EgFh\"}],"
                              "\"more\":false}");
#undef HEAD
}

/* While the pool reads, the shard ends, or the session does. */
SS_TEST(events, end_of_shard_or_session_is_told)
{
    struct ss_pool *pool;
    ss_check(ss__pool_new(1, &pool) == 0);
    struct fixture f;
    struct page page;
    fixture_init(&f);
    with_pool(&f, pool);
    put(&f, "a");
    step_jobs(&f);
    (void)ask(&f, "s", 0, 10, &page);
    struct ss_str none = { NULL, 0 };
    struct ss_request *gone = ss__request_new(SS_REQUEST_DELETE, ss_str("s"), none, none);
    ss_check(ss__inbox_post(ss__shard_inbox(f.shard), &gone->base.node, SS_POST_OUTSIDE) == 0);
    step_jobs(&f);
    ss_check_msg(page.calls == 1 && (page.err == 0 || page.err == SS_E_DELETED), "%d", page.err);
    put(&f, "b");
    step_jobs(&f);
    (void)ask(&f, "s", 0, 10, &page);
    (void)ss__shard_step(f.shard);
    ss__shard_close(f.shard);
    ss_check_msg(page.calls == 1 && (page.err == 0 || page.err == SS_E_STOPPING), "%d", page.err);
    ss__shard_free(f.shard);
    f.shard = NULL;
    ss__pool_free(pool);
    fixture_deinit(&f);
}

#ifdef SS_FAULTS
SS_TEST(events, failing_reads_are_told)
{
    struct fixture f;
    fixture_init(&f);
    put(&f, "a");
    ss__fault_arm("store.history", 1, 1, SS_E_STOREIO);
    struct page page = read_page(&f, "s", 0, 10);
    ss__fault_reset();
    ss_check(page.err == SS_E_STOREIO);
    ss_check(read_page(&f, "s", 0, 10).err == 0);
    fixture_deinit(&f);
}
#endif
