#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "notes.descriptor.h"
#include "notes.pb-c.h"

typedef Sessionstream__Test__Notes__Note note_message;

size_t app_mark_len(const char *text)
{
    const char *colon = strchr(text, ':');
    return colon == NULL ? strlen(text) : (size_t)(colon - text) + 1;
}

static int project_ui(struct ss_ui *ui, const struct ss_event *event, const struct ss_view *view,
                      void *ctx)
{
    (void)view;
    (void)ctx;
    return ss_emit_ui_packed(ui, "Shown", event->packed);
}

static int project(struct ss_timeline *timeline, const struct ss_event *event,
                   const struct ss_view *view, void *ctx)
{
    (void)ctx;
    const note_message *note = (const void *)ss_event_payload(event);
    if (note == NULL) {
        return SS_E_NOMEM;
    }
    const struct ss_entity *old = ss_view_get(view, "Note", ss_str(note->id));
    const note_message *before = NULL;
    if (old != NULL) {
        before = (const void *)ss_entity_payload(view, old);
        if (before == NULL) {
            return SS_E_NOMEM;
        }
    }
    size_t len = before == NULL ? 0 : strlen(before->text);
    size_t mark = app_mark_len(note->text);
    char *text = malloc(len + mark + 1);
    if (text == NULL) {
        return SS_E_NOMEM;
    }
    memcpy(text, before == NULL ? "" : before->text, len);
    memcpy(text + len, note->text, mark);
    text[len + mark] = '\0';
    note_message entity = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    entity.id = note->id;
    entity.text = text;
    int err = ss_put_entity(timeline, "Note", ss_str(note->id), &entity.base);
    free(text);
    return err;
}

static int on_put(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    return ss_publish(context, "Put", command->payload);
}

/* The same note with a letter before the colon of its mark. */
static note_message another(const note_message *note, char letter, char text[APP_MARK_BYTES])
{
    note_message other = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    (void)snprintf(text, APP_MARK_BYTES, "%.*s%c:", (int)app_mark_len(note->text) - 1, note->text,
                   letter);
    other.id = note->id;
    other.text = text;
    return other;
}

static int on_many(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)ctx;
    const note_message *note = (const void *)command->payload;
    char texts[2][APP_MARK_BYTES];
    note_message second = another(note, 'b', texts[0]);
    note_message third = another(note, 'c', texts[1]);
    struct ss_batch_event events[] = { { "Put", command->payload }, { "Put", &second.base },
                                       { "Put", &third.base } };
    return ss_publish_batch(context, events, 3);
}

/* ---- tasks and works ---- */

struct later {
    char id[APP_MARK_BYTES];
    char text[APP_MARK_BYTES];
};

static int publish_later(struct ss_context *context, void *arg)
{
    struct later *later = arg;
    note_message note = SESSIONSTREAM__TEST__NOTES__NOTE__INIT;
    note.id = later->id;
    note.text = later->text;
    int err = ss_publish(context, "Put", &note.base);
    free(later);
    return err;
}

static void forget_later(void *arg, int reason)
{
    (void)reason;
    free(arg);
}

static void work(void *arg)
{
    (void)arg;
}

static struct later *later_new(const note_message *note, char letter)
{
    struct later *later = calloc(1, sizeof *later);
    if (later != NULL) {
        (void)another(note, letter, later->text);
        (void)snprintf(later->id, sizeof later->id, "%s", note->id);
    }
    return later;
}

static int on_later(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    static const struct ss_task_ops tasks = { publish_later, forget_later };
    static const struct ss_work_ops works = { work, publish_later, forget_later };
    (void)ctx;
    const note_message *note = (const void *)command->payload;
    struct later *task = later_new(note, 't');
    struct later *worker = later_new(note, 'w');
    int err = task == NULL || worker == NULL ? SS_E_NOMEM
                                             : ss_publish(context, "Put", command->payload);
    struct ss_task *handle;
    err = err != 0 ? err : ss_after(context, 1, &tasks, task, &handle);
    if (err == 0) {
        task = NULL;    /* it belongs to the task now */
        err = ss_work(context, &works, worker);
        worker = err == 0 ? NULL : worker;
    }
    free(task);
    free(worker);
    return err;
}

struct ss_registry *app_registry(void)
{
    struct ss_registry *registry = ss_registry_new();
    if (registry == NULL) {
        return NULL;
    }
    int err = ss_registry_load_descriptors(registry, notes_descriptor_set,
                                           notes_descriptor_set_len);
    err = err != 0 ? err
                   : ss_registry_attach(registry, &sessionstream__test__notes__note__descriptor);
    err = err != 0 ? err : ss_register_command(registry, "Put", APP_NOTE, on_put, NULL);
    err = err != 0 ? err : ss_register_command(registry, "Many", APP_NOTE, on_many, NULL);
    err = err != 0 ? err : ss_register_command(registry, "Later", APP_NOTE, on_later, NULL);
    err = err != 0 ? err : ss_register_event(registry, "Put", APP_NOTE);
    err = err != 0 ? err : ss_register_ui_event(registry, "Shown", APP_NOTE);
    err = err != 0 ? err : ss_register_entity(registry, "Note", APP_NOTE, "notes");
    err = err != 0 ? err : ss_register_ui_projection(registry, "shown", project_ui, NULL);
    err = err != 0 ? err : ss_register_timeline_projection(registry, "notes", 1, project, NULL);
    if (err != 0) {
        ss_registry_free(registry);
        return NULL;
    }
    return registry;
}
