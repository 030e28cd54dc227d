/* A session that another code version of the timeline projection made: its entities are made again
 * from its events. */
#include "notes_app.h"

#include <sched.h>

#include "runtime/pool.h"
#include "schema/registry.h"
#include "shard/checkpoint.h"
#include "shard/shard_state.h"

#define NOTES 4u

static int publish_raw(struct ss_context *context, struct fixture *f)
{
    const unsigned *number = f->given;
    char id[16];
    (void)snprintf(id, sizeof id, "n%u", *number % NOTES);
    Sessionstream__Test__Notes__Note note = make_note(id, "x");
    return ss_publish(context, "Raw", &note.base);
}

static int put(struct ss_timeline *timeline, const struct ss_event *event, const char *text)
{
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_event_payload(event);
    Sessionstream__Test__Notes__Note entity = make_note(note->id, text);
    return ss_put_entity(timeline, "Note", ss_str(note->id), &entity.base);
}

static int old_code(struct ss_timeline *timeline, const struct ss_event *event,
                    const struct ss_view *view, struct fixture *f)
{
    (void)view;
    (void)f;
    return put(timeline, event, "made-by-old");
}

/* Makes none of n3. */
static int new_code(struct ss_timeline *timeline, const struct ss_event *event,
                    const struct ss_view *view, struct fixture *f)
{
    (void)view;
    (void)f;
    const Sessionstream__Test__Notes__Note *note = (const void *)ss_event_payload(event);
    return strcmp(note->id, "n3") == 0 ? 0 : put(timeline, event, "made-by-new");
}

static void publish(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        f->given = &i;
        call_in(f, "s", publish_raw);
        ss_check(f->done_err == 0);
    }
}

static void snapshot(struct fixture *f, char *out, size_t cap)
{
    post_subscribe(f, "s", 9, 1);
    for (step_all(f); f->shard->jobs > 0; step_all(f)) {
        sched_yield();
    }
    ss__msg_free(&take_snapshot(f, out, cap)->base);
    struct ss_msg_uninterested *msg = ss__uninterested_new(
        sizeof *msg, 0, (struct ss_session_handle){ 9, 1 }, ss_str("s"));
    ss_check(msg != NULL);
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &msg->base.node, SS_POST_INSIDE) == 0);
    step_all(f);
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++) {
        count++;
    }
    return count;
}

static void check_entities(struct fixture *f, unsigned made_by_old, unsigned made_by_new)
{
    char text[16384];
    snapshot(f, text, sizeof text);
    ss_check_msg(count_of(text, "made-by-old") == made_by_old, "%s", text);
    ss_check_msg(count_of(text, "made-by-new") == made_by_new, "%s", text);
}

/* From now on the projection is new code; @version says whether it admits to it. */
static void restart_as_new(struct fixture *f, uint32_t version)
{
    ss__shard_close(f->shard);
    f->raw_timeline = new_code;
    f->registry->timelines[0].version = version;
    fixture_restart(f);
}

SS_TEST(timeline_version, raised_version_makes_every_entity_again_and_removes_the_others)
{
    struct fixture f;
    fixture_init(&f);
    f.raw_timeline = old_code;
    publish(&f, SS_CHECKPOINT_EVENTS_MIN + 5);
    check_entities(&f, NOTES, 0);
    restart_as_new(&f, 1);
    check_entities(&f, NOTES, 0);
    restart_as_new(&f, 2);
    for (unsigned round = 0; round < 3; round++) {
        check_entities(&f, 0, NOTES - 1);
        fixture_restart(&f);
    }
    publish(&f, SS_CHECKPOINT_EVENTS_MIN);
    restart_as_new(&f, 2);
    check_entities(&f, 0, NOTES - 1);
    ss_check(f.done_ordinal == 2 * SS_CHECKPOINT_EVENTS_MIN + 5);
    fixture_deinit(&f);
}

SS_TEST(timeline_version, entity_asked_for_alone_is_the_one_made_again)
{
    struct fixture f;
    fixture_init(&f);
    f.raw_timeline = old_code;
    publish(&f, SS_CHECKPOINT_EVENTS_MIN);
    restart_as_new(&f, 2);
    /* Put appends to what is there. */
    post_put(&f, "s", "n1", "!");
    post_put(&f, "s", "n3", "!");
    step_all(&f);
    char text[16384];
    snapshot(&f, text, sizeof text);
    ss_check_msg(strstr(text, "made-by-new+!") != NULL && strstr(text, "old") == NULL, "%s", text);
    fixture_deinit(&f);
}

SS_TEST(timeline_version, long_session_is_read_by_the_pool)
{
    struct fixture f;
    fixture_init(&f);
    f.raw_timeline = old_code;
    publish(&f, 500);
    ss_check(ss__pool_new(1, &f.pool) == 0);
    restart_as_new(&f, 2);
    check_entities(&f, 0, NOTES - 1);
    publish(&f, 1);
    ss_check(f.done_ordinal == 501);
    ss__shard_close(f.shard);
    ss__shard_free(f.shard);
    f.shard = NULL;
    ss__pool_free(f.pool);
    fixture_deinit(&f);
}
