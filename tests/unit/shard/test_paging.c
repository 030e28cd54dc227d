/* Snapshots in pages: one place, others served between them, and every way to end early. */
#include <errno.h>

#include "notes_app.h"
#include "resume_notes.h"

#include <sessionstream/limits.h>

#include "shard/frozen.h"
#include "shard/paging.h"
#include "shard/snapshot.h"

#define NOTES 300
#define PAGE SS_PAGE_BYTES_MIN
#define TEXT_BYTES 200

static void put_note(struct fixture *f, const char *session, unsigned i, char letter)
{
    char id[16];
    char text[TEXT_BYTES + 1];
    snprintf(id, sizeof id, "n%u", i);
    memset(text, letter, TEXT_BYTES);
    text[TEXT_BYTES] = '\0';
    post_put(f, session, id, text);
}

/* A session of some 90 KB of JSON: six pages. */
static void open_large(struct fixture *f)
{
    fixture_init(f);
    for (unsigned i = 0; i < NOTES; i++) {
        put_note(f, "s", i, 'a');
    }
    step_all(f);
    f->dones = 0;
}

static struct ss_channel *channel_of(struct fixture *f)
{
    return ss__channel_get(f->shard, ss_str("s"), ss__map_hash(ss_str("s")), false);
}

static void post(struct fixture *f, struct ss_request *request)
{
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_INSIDE) == 0);
}

static void post_paged(struct fixture *f, uint32_t handle, uint32_t page_bytes, const char *cursor)
{
    struct ss_request *request = make_resume("s", handle, SS_ENCODING_V2_JSON, cursor);
    request->page_bytes = page_bytes;
    request->delta = cursor != NULL;
    post(f, request);
}

/* The next answer to a subscribe; frames before it are dropped. */
static struct ss_request *take_reply(struct fixture *f)
{
    for (;;) {
        struct ss_msg *msg = next_message(f);
        ss_check(msg != NULL);
        if (msg->kind == SS_MSG_REPLY) {
            return (struct ss_request *)(void *)msg;
        }
        ss__msg_free(msg);
    }
}

/* As a gateway when the page is written. */
static void send_back(struct fixture *f, struct ss_request *request)
{
    ss_check(request->more && request->pages != NULL);
    ss__buf_unref(request->snapshot);
    request->snapshot = NULL;
    request->base.kind = SS_MSG_REQUEST;
    post(f, request);
}

static struct ss_request *next_page(struct fixture *f, struct ss_request *request)
{
    send_back(f, request);
    step_all(f);
    return take_reply(f);
}

static bool has(const struct ss_request *request, const char *text)
{
    struct ss_str body = ss__ws_payload(request->snapshot);
    return memmem(body.data, body.len, text, strlen(text)) != NULL;
}

static unsigned count_in(const struct ss_request *request, const char *text)
{
    struct ss_str body = ss__ws_payload(request->snapshot);
    unsigned count = 0;
    for (const char *at = body.data, *end = at + body.len;
         (at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL; at++) {
        count++;
    }
    return count;
}

/* Reads on to the last page, which is returned; *notes counts entities, from this page on. */
static struct ss_request *read_rest(struct fixture *f, struct ss_request *request,
                                    unsigned *ret_notes)
{
    unsigned notes = 0;
    for (uint32_t page = request->page;; page++) {
        ss_check(request->err == 0 && request->page == page && request->snapshot != NULL);
        ss_check(request->snapshot->len <= PAGE + 128);
        ss_check(has(request, "\"lastPage\":true") == !request->more);
        ss_check(has(request, "\"cursor\"") == !request->more);
        notes += count_in(request, "\"kind\":\"Note\"");
        if (!request->more) {
            *ret_notes = notes;
            return request;
        }
        request = next_page(f, request);
    }
}

static void check_nothing_left(struct fixture *f)
{
    ss_check(atomic_load(&f->stats->frozen_bytes) == 0 && ss__list_empty(&f->shard->frozen));
}

SS_TEST(paging, i3_pages_show_one_place_and_the_frames_after_it_follow_the_last)
{
    struct fixture f;
    unsigned notes;
    open_large(&f);
    post_paged(&f, 7, PAGE, NULL);
    step_all(&f);
    struct ss_request *request = take_reply(&f);
    ss_check(request->page == 1 && request->more && has(request, "\"page\":1"));
    put_note(&f, "s", 0, 'b');
    put_note(&f, "s", NOTES - 1, 'b');
    put_note(&f, "s", NOTES, 'b');
    post_put(&f, "s", "n298", "delete");
    step_all(&f);
    request = read_rest(&f, request, &notes);
    ss_check(notes == NOTES && request->page > 4 && request->pages == NULL && !request->missed);
    ss_check(!has(request, "bbb") && has(request, "\"id\":\"n298\""));
    ss_check(request->ordinal == NOTES && request->place.ordinal == NOTES + 4);
    ss_check(request->frames_count == 4);
    ss_check(number_in(request->frames[0], "eventOrdinal") == NOTES + 1);
    ss_check(number_in(request->frames[3], "eventOrdinal") == NOTES + 4);
    ss__msg_free(&request->base);
    put_note(&f, "s", 1, 'c');
    step_all(&f);
    ss_check(take_frame(&f) == NOTES + 5);
    check_nothing_left(&f);
    ss_check(atomic_load(&f.stats->snapshots[SS_ENCODING_V2_JSON]) == 1);
    fixture_deinit(&f);
}

SS_TEST(paging, a_snapshot_that_fits_into_a_page_is_one_frame_as_ever)
{
    struct fixture f;
    fixture_init(&f);
    put_note(&f, "s", 0, 'a');
    step_all(&f);
    post_paged(&f, 7, PAGE, NULL);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    struct ss_request *paged = take_reply(&f);
    struct ss_request *plain = take_reply(&f);
    ss_check(paged->page == 0 && !paged->more && paged->snapshot == plain->snapshot);
    ss_check(!has(paged, "page") && atomic_load(&f.stats->snapshots[SS_ENCODING_V2_JSON]) == 1);
    ss__msg_free(&paged->base);
    ss__msg_free(&plain->base);
    fixture_deinit(&f);
}

/* From one look at the clock to the next, parked requests use up half of their time in a batch. */
static uint64_t slow_monotonic(struct ss_clock *clock)
{
    struct fixture *f = ss__container_of(clock, struct fixture, clock);
    f->now_ns += SS_BATCH_HANDLER_NS_MAX / 6;
    return f->now_ns;
}

static int publish_many(struct ss_context *context, struct fixture *f)
{
    unsigned *next = f->given;
    for (unsigned i = 0; i < 1000; i++, (*next)++) {
        char id[16];
        snprintf(id, sizeof id, "m%u", *next);
        Sessionstream__Test__Notes__Note note = make_note(id, "x");
        int err = ss_publish(context, "Put", &note.base);
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

SS_TEST(paging, i5_other_sessions_are_served_between_two_slices)
{
    struct fixture f;
    unsigned next = 0;
    fixture_init(&f);
    f.given = &next;
    while (next < 8000) {
        call_in(&f, "s", publish_many);
    }
    f.clock.monotonic_ns = slow_monotonic;
    post_paged(&f, 7, SS_PAGE_BYTES_MAX, NULL);
    struct ss_request *request = NULL;
    unsigned turns = 0;
    unsigned pages = 0;
    for (f.dones = 0; pages < 3; turns++) {
        put_note(&f, "other", 0, 'o');
        (void)ss__shard_step(f.shard);
        for (struct ss_msg *msg; (msg = next_message(&f)) != NULL;) {
            ss_check(msg->kind == SS_MSG_REPLY && request == NULL);
            request = (struct ss_request *)(void *)msg;
            ss_check(request->err == 0 && request->page == ++pages);
        }
        /* Whatever the shard did for the snapshot in this turn, the publish was not left behind. */
        ss_check_msg(f.dones + 2 > turns, "%u of %u", f.dones, turns);
        if (request != NULL && pages < 3) {
            send_back(&f, request);
            request = NULL;
        }
    }
    ss_check_msg(turns >= 5, "%u", turns);    /* sorting takes turns of its own */
    ss__msg_free(&request->base);
    fixture_deinit(&f);
}

SS_TEST(paging, i10_a_page_is_encoded_once_for_all_who_wait_and_a_slow_one_delays_nobody)
{
    struct fixture f;
    unsigned notes;
    open_large(&f);
    post_paged(&f, 7, PAGE, NULL);
    post_paged(&f, 8, PAGE, NULL);
    step_all(&f);
    struct ss_request *fast = take_reply(&f);
    struct ss_request *slow = take_reply(&f);
    ss_check(fast->snapshot == slow->snapshot && slow->snapshot_shared);
    fast = read_rest(&f, fast, &notes);
    ss_check(notes == NOTES);
    uint64_t pages = fast->page;
    ss__msg_free(&fast->base);
    slow = read_rest(&f, slow, &notes);
    ss_check(notes == NOTES && slow->page == pages);
    ss_check(atomic_load(&f.stats->pages[SS_ENCODING_V2_JSON]) == pages);
    ss_check(atomic_load(&f.stats->snapshots[SS_ENCODING_V2_JSON]) == 1);
    ss_check(atomic_load(&f.stats->snapshot_hits) == 1);
    ss__msg_free(&slow->base);
    check_nothing_left(&f);
    fixture_deinit(&f);
}

SS_TEST(paging, another_size_or_a_later_place_makes_another_one)
{
    struct fixture f;
    open_large(&f);
    post_paged(&f, 7, PAGE, NULL);
    post_paged(&f, 7, 2 * PAGE, NULL);
    step_all(&f);
    struct ss_request *one = take_reply(&f);
    struct ss_request *two = take_reply(&f);
    ss_check(one->pages != two->pages);
    f.now_ns += SS_SNAPSHOT_REUSE_NS;
    put_note(&f, "s", 0, 'b');
    post_paged(&f, 7, PAGE, NULL);
    step_all(&f);
    struct ss_request *three = take_reply(&f);
    ss_check(three->pages != one->pages && three->ordinal == NOTES + 1);
    ss__msg_free(&one->base);
    ss__msg_free(&two->base);
    ss__msg_free(&three->base);
    fixture_deinit(&f);
}

SS_TEST(paging, who_does_not_ask_for_pages_hears_of_them_and_w40_keeps_what_he_has)
{
    struct fixture f;
    fixture_init(&f);
    f.snapshot_frame_bytes = 64u << 10;
    fixture_restart(&f);
    post_resume(&f, "s", 7, NULL);
    for (unsigned i = 0; i < NOTES; i++) {
        put_note(&f, "s", i, 'a');
    }
    step_all(&f);
    drop_messages(&f);
    for (uint8_t encoding = 0; encoding < SS_ENCODING_COUNT; encoding++) {
        post_resume_as(&f, "s", 7, encoding, NULL);
        step_all(&f);
        struct ss_request *request = take_reply(&f);
        ss_check(request->err == SS_E_SNAPSHOT_SIZE && request->snapshot == NULL);
        const char *text = (const char *)request->text->data;
        ss_check_msg(strstr(text, "pageBytes") != NULL && strstr(text, "300 entities") != NULL &&
                         strstr(text, "65536 bytes") != NULL, "%s", text);
        ss__msg_free(&request->base);
    }
    put_note(&f, "s", 0, 'b');
    step_all(&f);
    ss_check(take_frame(&f) == NOTES + 1);
    fixture_deinit(&f);
}

SS_TEST(paging, goes_on_when_the_session_leaves_memory)
{
    struct fixture f;
    unsigned notes;
    open_large(&f);
    post_paged(&f, 7, PAGE, NULL);
    step_all(&f);
    struct ss_request *request = take_reply(&f);
    ss__state_free(f.shard, channel_of(&f)->state);
    request = read_rest(&f, request, &notes);
    ss_check(notes == NOTES && request->frames_count == 0 && !request->missed);
    ss__msg_free(&request->base);
    check_nothing_left(&f);
    fixture_deinit(&f);
}

SS_TEST(paging, ends_when_nobody_wants_the_rest)
{
    struct fixture f;
    open_large(&f);
    post_paged(&f, 7, PAGE, NULL);
    step_all(&f);
    struct ss_request *request = take_reply(&f);
    post_uninterested(&f, "s", 7);
    ss__state_free(f.shard, channel_of(&f)->state);
    step_all(&f);
    f.now_ns += SS_RING_LINGER_NS;
    put_note(&f, "other", 0, 'a');
    step_all(&f);
    ss_check(channel_of(&f) != NULL);    /* as long as the request is out */
    request->withdrawn = true;
    request = next_page(&f, request);
    ss_check(request->err == SS_E_CANCELED && request->pages == NULL);
    ss__msg_free(&request->base);
    ss_check(channel_of(&f) == NULL);
    check_nothing_left(&f);
    fixture_deinit(&f);
}

SS_TEST(paging, says_when_frames_were_missed_or_what_it_shows_is_over)
{
    struct fixture f;
    unsigned notes;
    open_large(&f);
    for (int round = 0; round < 3; round++) {
        f.now_ns += SS_SNAPSHOT_REUSE_NS;
        put_note(&f, "s", 0, 'b');
        post_paged(&f, 7, PAGE, NULL);
        step_all(&f);
        struct ss_request *request = take_reply(&f);
        struct ss_channel *channel = channel_of(&f);
        put_note(&f, "s", 0, 'c');
        step_all(&f);
        struct ss_interest *interest =
            ss__channel_interest(channel, 0, (struct ss_session_handle){ 7, 1 });
        if (round == 0) {
            channel->ring->complete_after.ordinal++;    /* as after more frames than it keeps */
        } else if (round == 1) {
            ss__outbox_resync(&f.shard->outboxes[0], &interest->mark, interest->handle);
        }
        request = read_rest(&f, request, &notes);
        ss_check(request->missed == (round < 2) && request->frames_count == (round == 2));
        ss__msg_free(&request->base);
        drop_messages(&f);
    }
    fixture_deinit(&f);
}

/* Nothing of its last life comes behind the word of its end. */
SS_TEST(paging, a_session_that_is_deleted_in_the_middle_is_shown_anew)
{
    static const unsigned lives[] = { 0, 1, NOTES };
    struct fixture f;
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
        open_large(&f);
        post_paged(&f, 7, PAGE, NULL);
        step_all(&f);
        struct ss_request *request = next_page(&f, take_reply(&f));
        struct ss_str none = { NULL, 0 };
        unsigned notes = 0;
        ss_check(request->page == 2);
        post(&f, ss__request_new(SS_REQUEST_DELETE, ss_str("s"), none, none));
        step_all(&f);
        for (unsigned note = 0; note < lives[i]; note++) {
            put_note(&f, "s", note, 'b');
        }
        step_all(&f);
        request = next_page(&f, request);
        ss_check(request->page == (lives[i] == NOTES ? 1 : 0) && request->err == 0);
        ss_check(!has(request, "aaaa") && request->more == (lives[i] == NOTES));
        if (request->more) {
            request = read_rest(&f, request, &notes);
            ss_check(notes == NOTES);
        }
        ss_check(!request->missed && request->frames_count == 0);
        ss__msg_free(&request->base);
        check_nothing_left(&f);
        fixture_deinit(&f);
    }
}

SS_TEST(paging, more_frames_are_kept_while_it_lasts)
{
    struct fixture f;
    unsigned notes;
    open_large(&f);
    post_paged(&f, 7, PAGE, NULL);
    step_all(&f);
    struct ss_request *request = take_reply(&f);
    for (unsigned i = 0; i < SS_RING_FRAMES_MAX + 100; i++) {
        post_put(&f, "s", "x", "delete");
        step_all(&f);
    }
    drop_messages(&f);
    request = read_rest(&f, request, &notes);
    ss_check(!request->missed && request->frames_count == SS_RING_FRAMES_MAX + 100);
    ss__msg_free(&request->base);
    post_put(&f, "s", "x", "delete");
    step_all(&f);
    ss_check(channel_of(&f)->ring->count == SS_RING_FRAMES_MAX);
    fixture_deinit(&f);
}

SS_TEST(paging, a_delta_that_is_large_comes_in_pages_too)
{
    struct fixture f;
    unsigned notes;
    fixture_init(&f);
    put_note(&f, "s", NOTES, 'o');
    struct answer first = resume_from(&f, "s", 7, NULL);
    leave(&f, "s", 7);
    f.now_ns += SS_RING_LINGER_NS;
    put_note(&f, "other", 0, 'a');
    for (unsigned i = 0; i < NOTES; i++) {
        put_note(&f, "s", i, 'a');
    }
    post_put(&f, "s", "n1", "delete");
    step_all(&f);
    post_paged(&f, 8, PAGE, first.cursor);
    step_all(&f);
    struct ss_request *request = take_reply(&f);
    ss_check(request->reason == SS_RESUME_TOO_OLD && has(request, "\"delta\":true"));
    request = read_rest(&f, request, &notes);
    ss_check(notes == NOTES && has(request, "\"delta\":true"));
    ss__msg_free(&request->base);
    fixture_deinit(&f);
}

SS_TEST(paging, the_shard_may_end_in_the_middle)
{
    struct fixture f;
    open_large(&f);
    post_paged(&f, 7, PAGE, NULL);
    post_paged(&f, 7, PAGE, NULL);
    step_all(&f);
    struct ss_request *one = take_reply(&f);
    struct ss_request *two = take_reply(&f);
    send_back(&f, two);    /* still in the inbox */
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.shard = NULL;
    ss__msg_free(&one->base);
    ss_check(atomic_load(&f.stats->frozen_bytes) == 0);
    fixture_deinit(&f);
}

#ifdef SS_FAULTS
SS_TEST(paging, a_failed_commit_before_the_first_page_begins_anew)
{
    struct fixture f;
    unsigned notes;
    open_large(&f);
    put_note(&f, "s", NOTES, 'b');
    post_paged(&f, 7, PAGE, NULL);
    ss__fault_arm("log.write", 1, 2, EIO);    /* the try and its repetition */
    step_all(&f);
    ss__fault_reset();
    ss_check(f.done_err == SS_E_COMMIT);
    struct ss_request *request = read_rest(&f, take_reply(&f), &notes);
    ss_check(notes == NOTES && request->ordinal == NOTES);    /* without the event that failed */
    ss__msg_free(&request->base);
    check_nothing_left(&f);
    fixture_deinit(&f);
}

SS_TEST(paging, a_failed_commit_between_two_pages_sends_the_page_again)
{
    struct fixture f;
    unsigned notes;
    open_large(&f);
    post_paged(&f, 7, PAGE, NULL);
    step_all(&f);
    struct ss_request *request = take_reply(&f);
    send_back(&f, request);
    put_note(&f, "s", 0, 'b');
    ss__fault_arm("log.write", 1, 2, EIO);
    step_all(&f);
    ss__fault_reset();
    ss_check(f.done_err == SS_E_COMMIT);
    request = take_reply(&f);
    ss_check(request->err == 0 && request->page == 2);
    request = read_rest(&f, request, &notes);
    ss_check(request->frames_count == 0 && request->ordinal == NOTES && !request->missed);
    ss__msg_free(&request->base);
    check_nothing_left(&f);
    fixture_deinit(&f);
}

SS_TEST(paging, a_page_that_fails_is_an_error_and_w40_frames_go_on)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    post_paged(&f, 7, PAGE, NULL);
    step_all(&f);
    ss__msg_free(&take_reply(&f)->base);
    struct ss_request *request = take_reply(&f);
    ss__fault_arm("shard.page", 1, 1, SS_E_NOMEM);
    request = next_page(&f, request);
    ss__fault_reset();
    ss_check(request->err == SS_E_NOMEM && request->pages == NULL);
    ss__msg_free(&request->base);
    check_nothing_left(&f);
    put_note(&f, "s", 0, 'b');
    step_all(&f);
    ss_check(take_frame(&f) == NOTES + 1);
    fixture_deinit(&f);
}

SS_TEST(paging, w40_a_snapshot_that_fails_leaves_the_follower_as_it_was)
{
    struct fixture f;
    open_large(&f);
    post_resume(&f, "s", 7, NULL);
    step_all(&f);
    ss__msg_free(&take_reply(&f)->base);
    put_note(&f, "s", 0, 'b');
    step_all(&f);
    drop_messages(&f);
    f.now_ns += SS_SNAPSHOT_REUSE_NS;
    post_resume(&f, "s", 7, NULL);
    ss__fault_arm("shard.snapshot", 1, 1, SS_E_NOMEM);
    step_all(&f);
    ss__fault_reset();
    struct ss_request *request = take_reply(&f);
    ss_check(request->err == SS_E_NOMEM);
    ss__msg_free(&request->base);
    put_note(&f, "s", 0, 'c');
    step_all(&f);
    ss_check(take_frame(&f) == NOTES + 2);
    fixture_deinit(&f);
}
#endif
