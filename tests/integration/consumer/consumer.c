/* A program outside the project: an engine in its own process, one command, one event, one stop.
 * It uses the installed headers and library only. */
#include <semaphore.h>
#include <stdio.h>

#include <sessionstream/sessionstream.h>

#include "note.descriptor.h"
#include "note.pb-c.h"

static sem_t handled;
static struct ss_result answer;

static int on_write(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    return ss_publish(context, "Written", command->payload);
}

static int project_ui(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                      void *ctx)
{
    (void)view;
    (void)ctx;
    return ss_emit_ui(ui, "Written", ss_event_payload(event));
}

static int project_timeline(struct ss_timeline *timeline, const struct ss_event *event,
                            const struct ss_view *view, void *ctx)
{
    (void)view;
    (void)ctx;
    return ss_put_entity(timeline, "Note", ss_str("newest"), ss_event_payload(event));
}

static void on_done(const struct ss_result *result, void *ctx)
{
    (void)ctx;
    answer = *result;
    sem_post(&handled);
}

static int fill(struct ss_registry *registry)
{
    int failed = 0;
    failed |= ss_registry_load_descriptors(registry, note_descriptor_set, note_descriptor_set_len);
    failed |= ss_registry_attach(registry, &consumer__note__descriptor);
    failed |= ss_register_command(registry, "Write", "consumer.Note", on_write, NULL);
    failed |= ss_register_event(registry, "Written", "consumer.Note");
    failed |= ss_register_ui_event(registry, "Written", "consumer.Note");
    failed |= ss_register_entity(registry, "Note", "consumer.Note", "notes");
    failed |= ss_register_ui_projection(registry, "ui", project_ui, NULL);
    failed |= ss_register_timeline_projection(registry, "notes", 1, project_timeline, NULL);
    return failed;
}

static int run(struct ss_engine *engine)
{
    Consumer__Note note = CONSUMER__NOTE__INIT;
    char text[] = "hello";
    note.text = text;
    if (ss_engine_start(engine) != 0) {
        fprintf(stderr, "start: %s\n", ss_engine_error(engine));
        return 1;
    }
    int err = ss_engine_submit(engine, ss_str("s"), "Write", &note.base, on_done, NULL);
    if (err != 0) {
        fprintf(stderr, "submit: %s\n", ss_error_text(err));
        return 1;
    }
    sem_wait(&handled);
    printf("ordinal %llu, %s\n", (unsigned long long)answer.ordinal, ss_error_text(answer.err));
    return answer.err != 0 || answer.ordinal != 1;
}

int main(int argc, char **argv)
{
    struct ss_engine_options options;
    struct ss_engine *engine = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: consumer DATA_DIR\n");
        return 2;
    }
    ss_engine_options_init(&options);
    options.data_dir = argv[1];
    options.shard_count = 1;
    options.store_map_bytes = 64u << 20;
    options.min_free_bytes = 0;
    options.listen_host = NULL;
    struct ss_registry *registry = ss_registry_new();
    if (registry == NULL || sem_init(&handled, 0, 0) != 0) {
        return 1;
    }
    int status = 1;
    if (fill(registry) != 0) {
        fprintf(stderr, "registry: %s\n", ss_registry_error(registry));
    } else if (ss_engine_new(&options, registry, &engine) == 0) {
        status = run(engine);
        ss_engine_stop(engine);
    }
    ss_engine_free(engine);
    ss_registry_free(registry);
    return status;
}
