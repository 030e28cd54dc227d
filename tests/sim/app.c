#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/registry.h"
#include "sim.descriptor.h"
#include "ss_test.h"

typedef Sessionstream__Test__Sim__Step step_message;
typedef Sessionstream__Test__Sim__Steps steps_message;

/* What a task or work publishes later. */
struct later {
    size_t len;
    uint8_t packed[64];
};

uint32_t app_session(struct ss_str id)
{
    return (uint32_t)(id.data[1] - '0');
}

/* ---- projections ---- */

static int project_ui(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                      void *ctx)
{
    (void)view;
    const step_message *step = (const void *)ss_event_payload(event);
    model_projected(ctx, app_session(event->session_id), event->ordinal, (uint32_t)step->token);
    return step->ui_fails ? SS_E_HANDLER : ss_emit_ui_packed(ui, "Shown", event->packed);
}

static int put_event(struct ss_timeline *timeline, const struct ss_event *event)
{
    char id[24];
    snprintf(id, sizeof id, "%06llu", (unsigned long long)event->ordinal);
    return ss_put_entity_packed(timeline, "Event", ss_str(id), event->packed);
}

/* A note has the tokens of all events that have written to it since it was deleted. */
static int put_note(struct ss_timeline *timeline, const step_message *step,
                    const struct ss_view *view)
{
    if (step->deletes) {
        return ss_tombstone(timeline, "Note", ss_str(step->note));
    }
    const struct ss_entity *old = ss_view_get(view, "Note", ss_str(step->note));
    const Sessionstream__Test__Sim__Note *before =
        old == NULL ? NULL : (const void *)ss_entity_payload(view, old);
    size_t len = before == NULL ? 0 : strlen(before->text);
    char *text = malloc(len + 16);
    ss_check(text != NULL);
    snprintf(text, len + 16, "%s%llu.", before == NULL ? "" : before->text,
             (unsigned long long)step->token);
    Sessionstream__Test__Sim__Note note = SESSIONSTREAM__TEST__SIM__NOTE__INIT;
    note.text = text;
    int err = ss_put_entity(timeline, "Note", ss_str(step->note), &note.base);
    free(text);
    return err;
}

static int project_events(struct ss_timeline *timeline, const struct ss_event *event,
                          const struct ss_view *view, void *ctx)
{
    (void)view;
    (void)ctx;
    return put_event(timeline, event);
}

static int project_notes(struct ss_timeline *timeline, const struct ss_event *event,
                         const struct ss_view *view, void *ctx)
{
    (void)ctx;
    return put_note(timeline, (const void *)ss_event_payload(event), view);
}

static int project_both(struct ss_timeline *timeline, const struct ss_event *event,
                        const struct ss_view *view, void *ctx)
{
    const struct model *model = ctx;
    const step_message *step = (const void *)ss_event_payload(event);
    if (step->timeline_fails && !model->healed) {
        return SS_E_HANDLER;
    }
    int err = put_event(timeline, event);
    return err != 0 ? err : put_note(timeline, step, view);
}

/* ---- handlers ---- */

static int put(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    const steps_message *steps = (const void *)command->payload;
    int first = 0;
    for (size_t i = 0; i < steps->n_steps; i++) {
        int err = ss_publish(context, "Step", &steps->steps[i]->base);
        first = first == 0 ? err : first;
    }
    return first;
}

static int put_and_fail(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    int err = put(context, command, ctx);
    return err != 0 ? err : ss_fail(context, SS_E_HANDLER, "on purpose");
}

static int put_batch(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    const steps_message *steps = (const void *)command->payload;
    struct ss_batch_event events[8];
    for (size_t i = 0; i < steps->n_steps && i < 8; i++) {
        events[i] = (struct ss_batch_event){ "Step", &steps->steps[i]->base };
    }
    return ss_publish_batch(context, events, steps->n_steps);
}

static int send_on(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    const steps_message *steps = (const void *)command->payload;
    return ss_send(context, ss_str(steps->other), "Put", &steps->base);
}

static int show_live(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    const steps_message *steps = (const void *)command->payload;
    return ss_publish_live(context, "Live", &steps->steps[0]->base);
}

static struct later *make_later(const struct ss_command *command)
{
    const steps_message *steps = (const void *)command->payload;
    struct later *later = malloc(sizeof *later);
    ss_check(later != NULL);
    ss_check(protobuf_c_message_get_packed_size(&steps->steps[0]->base) <= sizeof later->packed);
    later->len = protobuf_c_message_pack(&steps->steps[0]->base, later->packed);
    return later;
}

static int publish_later(struct ss_context *context, void *arg)
{
    struct later *later = arg;
    int err = ss_publish_packed(context, "Step", ss_str_of(later->packed, later->len));
    free(later);
    return err;
}

static void cancel_later(void *arg, int reason)
{
    (void)reason;
    free(arg);
}

static void work_run(void *arg)
{
    (void)arg;
}

static int put_later(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    static const struct ss_task_ops ops = { publish_later, cancel_later };
    struct later *later = make_later(command);
    const steps_message *steps = (const void *)command->payload;
    int err = ss_after(context, steps->delay_ms, &ops, later, NULL);
    if (err != 0) {
        free(later);
    }
    return err;
}

static int put_after_work(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    static const struct ss_work_ops ops = { work_run, publish_later, cancel_later };
    struct later *later = make_later(command);
    int err = ss_work(context, &ops, later);
    if (err != 0) {
        free(later);
    }
    return err;
}

static void register_timelines(struct ss_registry *registry, struct model *model, bool split,
                               uint32_t version)
{
    const char *events = split ? "events" : "both";
    const char *notes = split ? "notes" : "both";
    ss_check(ss_register_timeline_projection(registry, events, 1,
                                             split ? project_events : project_both, model) == 0);
    if (split) {
        ss_check(ss_register_timeline_projection(registry, notes, version, project_notes,
                                                 model) == 0);
    }
    ss_check(ss_register_entity(registry, "Event", SIM_STEP, events) == 0);
    ss_check(ss_register_entity(registry, "Note", "sessionstream.test.sim.Note", notes) == 0);
}

struct ss_registry *app_registry(struct model *model, bool split, uint32_t version)
{
    static const struct {
        const char *name;
        ss_command_fn *handler;
    } commands[] = { { "Put", put },           { "PutAndFail", put_and_fail },
                     { "Batch", put_batch },   { "Send", send_on },
                     { "Live", show_live },    { "Later", put_later },
                     { "Work", put_after_work } };
    struct ss_registry *registry = ss_registry_new();
    ss_check(registry != NULL);
    ss_check(ss_registry_load_descriptors(registry, sim_descriptor_set,
                                          sim_descriptor_set_len) == 0);
    ss_check(ss_registry_attach(registry, &sessionstream__test__sim__step__descriptor) == 0);
    ss_check(ss_registry_attach(registry, &sessionstream__test__sim__steps__descriptor) == 0);
    ss_check(ss_registry_attach(registry, &sessionstream__test__sim__note__descriptor) == 0);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        ss_check(ss_register_command(registry, commands[i].name, SIM_STEPS, commands[i].handler,
                                     NULL) == 0);
    }
    ss_check(ss_register_event(registry, "Step", SIM_STEP) == 0);
    ss_check(ss_register_ui_event(registry, "Shown", SIM_STEP) == 0);
    ss_check(ss_register_ui_event(registry, "Live", SIM_STEP) == 0);
    ss_check(ss_register_ui_projection(registry, "ui", project_ui, model) == 0);
    register_timelines(registry, model, split, version);
    return registry;
}
