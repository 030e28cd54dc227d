/* A context where it does not belong ends a development build. */
#include <pthread.h>

#include "notes_app.h"

#include "unit/core/child_stderr.h"

#ifdef SS_DEV_CHECKS

static struct ss_context *kept;

static int keep(struct ss_context *context, struct fixture *fixture)
{
    (void)fixture;
    kept = context;
    return 0;
}

static void *use_kept(void *arg)
{
    (void)arg;
    (void)ss_context_ordinal(kept);
    return NULL;
}

static int use_elsewhere(struct ss_context *context, struct fixture *fixture)
{
    pthread_t thread;
    (void)fixture;
    kept = context;
    ss_check(pthread_create(&thread, NULL, use_kept, NULL) == 0);
    ss_check(pthread_join(thread, NULL) == 0);
    return 0;
}

static int use_in_projection(struct ss_timeline *timeline, const struct ss_event *event,
                             const struct ss_view *view, struct fixture *fixture)
{
    (void)timeline;
    (void)event;
    (void)view;
    (void)fixture;
    ss_set_running(kept, true);
    return 0;
}

static int publish_raw(struct ss_context *context, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Note note = make_note("a", "");
    kept = context;
    fixture->raw_timeline = use_in_projection;
    return ss_publish(context, "Raw", &note.base);
}

static void misuse_after_the_call(void *arg)
{
    call_in(arg, "s", keep);
    (void)use_kept(NULL);
}

static void misuse_on_another_thread(void *arg)
{
    call_in(arg, "s", use_elsewhere);
}

static void misuse_in_a_projection(void *arg)
{
    call_in(arg, "s", publish_raw);
}

SS_TEST(context_check, misuse_ends_the_process)
{
    void (*const misuses[])(void *) = { misuse_after_the_call, misuse_on_another_thread,
                                        misuse_in_a_projection };
    for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++) {
        struct fixture f;
        fixture_init(&f);
        struct child_stderr child;
        child_stderr_run(misuses[i], &f, &child);
        ss_check_msg(child.signal == SIGABRT && strstr(child.text, "requirement failed") != NULL,
                     "%zu: %d %s", i, child.signal, child.text);
        fixture_deinit(&f);
    }
}

#endif

static int use_properly(struct ss_context *context, struct fixture *fixture)
{
    Sessionstream__Test__Notes__Note note = make_note("a", "");
    (void)fixture;
    ss_check(ss_publish(context, "Put", &note.base) == 0);
    return ss_context_ordinal(context) == 1 ? 0 : SS_E_HANDLER;    /* after projections too */
}

SS_TEST(context_check, proper_use_goes_on)
{
    struct fixture f;
    fixture_init(&f);
    call_in(&f, "s", use_properly);
    ss_check(f.done_err == 0);
    fixture_deinit(&f);
}
