#include "apps/chat/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/chat/entity.h"
#include "apps/chat/names.h"
#include "apps/chat/options.h"
#include "apps/chat/publish.h"
#include "apps/chat/text.h"
#include "sessionstream/examples/chatdemo/v1/chat.pb-c.h"

/* Until the store has room again. */
#define RETRY_MS 1000

/* Messages that one pass over a session's entities collects; another pass follows if it is full. */
#define RECOVER_PASS_MAX 16

struct step {
    const struct ss_chat_options *options;
    uint64_t number;
};

struct message_id {
    char text[48];
};

static struct message_id id_of(uint64_t number, const char *suffix)
{
    struct message_id id;
    (void)snprintf(id.text, sizeof id.text,    /* 9 + 20 + 5 bytes at most */
                   "chat-msg-%" PRIu64 "%s", number, suffix);
    return id;
}

static uint64_t active_number(const struct ss_context *context)
{
    return (uintptr_t)ss_context_data(context);
}

static void set_active_number(struct ss_context *context, uint64_t number)
{
    ss_context_set_data(context, (void *)(uintptr_t)number);
}

/* 0 if the message is still being said, SS_E_NOTFOUND if it is not or does not exist. */
static int find_streaming(struct ss_context *context, const char *id,
                          struct ss_chat_message *ret_message)
{
    struct ss_chat_message message;
    int err = ss__chat_message_get(ss_context_view(context), id, &message);
    if (err == 0 && !message.streaming) {
        err = SS_E_NOTFOUND;
    }
    if (err == 0) {
        *ret_message = message;
    }
    return err;
}

static int publish_stopped(struct ss_context *context, const char *id, const char *text,
                           const char *status)
{
    ss_set_running(context, false);
    int err = ss__chat_publish_stopped(context, id, text, status);
    if (err != 0) {
        ss_set_running(context, true);
    }
    return err;
}

/* A number whose event could not be stored stays active: the next command tries again. */
static int end_run(struct ss_context *context, const char *status)
{
    uint64_t number = active_number(context);
    if (number == 0) {
        return 0;
    }
    struct message_id id = id_of(number, "");
    struct ss_chat_message message;
    int err = find_streaming(context, id.text, &message);
    if (err == 0) {
        err = publish_stopped(context, id.text, message.text, status);
    } else if (err == SS_E_NOTFOUND) {
        ss_set_running(context, false);
        err = 0;
    }
    if (err == 0 || err == SS_E_PROJECTION) {
        set_active_number(context, 0);
    }
    return err;
}

/* ---- the answer ---- */

/* Publishes the next chunk of the answer, and its end after the last one. */
static int say_chunk(struct ss_context *context, const struct step *step, const char *id,
                     size_t said, char *answer, bool *ret_finished)
{
    size_t answer_len = strlen(answer);
    if (said < answer_len) {
        char chunk[SS_CHAT_CHUNK_BYTES_MAX + 1];
        size_t len = ss__chat_chunk_len(ss_str(answer + said), step->options->chunk_bytes);
        memcpy(chunk, answer + said, len);
        chunk[len] = '\0';
        said += len;
        char after = answer[said];
        answer[said] = '\0';
        int err = ss__chat_publish_delta(context, id, chunk, answer);
        answer[said] = after;
        if (err != 0) {
            return err;
        }
    }
    *ret_finished = said >= answer_len;
    if (!*ret_finished) {
        return 0;
    }
    ss_set_running(context, false);
    int err = ss__chat_publish_finished(context, id, answer);
    if (err != 0) {
        ss_set_running(context, true);
    }
    return err;
}

static int take_step(struct ss_context *context, const struct step *step, bool *ret_finished)
{
    struct message_id id = id_of(step->number, "");
    struct ss_chat_message message;
    int err = find_streaming(context, id.text, &message);
    if (err != 0) {
        return err;
    }
    size_t bytes = sizeof SS_CHAT_ANSWER_PREFIX + strlen(message.prompt);
    char *answer = malloc(bytes);
    if (answer == NULL) {
        return SS_E_NOMEM;
    }
    (void)snprintf(answer, bytes, "%s%s", SS_CHAT_ANSWER_PREFIX, message.prompt);    /* fits */
    err = say_chunk(context, step, id.text, strlen(message.text), answer, ret_finished);
    free(answer);
    return err;
}

static int on_step(struct ss_context *context, void *arg);

static void on_step_canceled(void *arg, int reason)
{
    (void)reason;
    free(arg);
}

static const struct ss_task_ops step_ops = { on_step, on_step_canceled };

static int on_step(struct ss_context *context, void *arg)
{
    struct step *step = arg;
    if (active_number(context) != step->number) {
        free(step);
        return 0;
    }
    bool finished = false;
    int err = take_step(context, step, &finished);
    bool retry = err == SS_E_STOREFULL;
    if ((err == 0 && !finished) || retry) {
        uint64_t delay_ms = retry ? RETRY_MS : step->options->chunk_ms;
        err = ss_after(context, delay_ms, &step_ops, step, NULL);
        if (err == 0) {
            return 0;
        }
    }
    free(step);
    if (err == 0) {
        set_active_number(context, 0);
    } else {
        (void)end_run(context, SS_CHAT_INTERRUPTED);    /* else the next command or recover */
    }
    return err;
}

static int schedule_first_step(struct ss_context *context, const struct ss_chat_options *options,
                               uint64_t number)
{
    struct step *step = malloc(sizeof *step);
    if (step == NULL) {
        return SS_E_NOMEM;
    }
    step->options = options;
    step->number = number;
    int err = ss_after(context, options->chunk_ms, &step_ops, step, NULL);
    if (err != 0) {
        free(step);
    }
    return err;
}

/* ---- commands ---- */

static int begin_run(struct ss_context *context, const struct ss_chat_options *options,
                     const char *prompt)
{
    uint64_t number = ss_context_ordinal(context) + 1;
    struct message_id user_id = id_of(number, "-user");
    struct message_id id = id_of(number, "");
    int err = ss__chat_publish_accepted(context, user_id.text, prompt);
    if (err != 0) {
        return err;
    }
    ss_set_running(context, true);
    err = ss__chat_publish_started(context, id.text, prompt);
    if (err != 0) {
        ss_set_running(context, false);
        return err;
    }
    set_active_number(context, number);
    err = schedule_first_step(context, options, number);
    if (err != 0) {
        (void)end_run(context, SS_CHAT_INTERRUPTED);    /* else the next command or recover */
    }
    return err;
}

int ss__chat_start(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    const struct ss_chat_options *options = ctx;
    const Sessionstream__Examples__Chatdemo__V1__StartInferenceCommand *start =
        (const Sessionstream__Examples__Chatdemo__V1__StartInferenceCommand *)command->payload;
    struct ss_str prompt = ss__chat_trim(ss_str(start->prompt));
    if (prompt.len == 0) {
        prompt = ss_str(SS_CHAT_PROMPT_DEFAULT);
    }
    if (prompt.len > SS_CHAT_PROMPT_BYTES_MAX) {
        return ss_fail(context, SS_E_TOOBIG, "prompt has %zu bytes, at most %d are accepted",
                       prompt.len, SS_CHAT_PROMPT_BYTES_MAX);
    }
    char *copy = strndup(prompt.data, prompt.len);
    if (copy == NULL) {
        return SS_E_NOMEM;
    }
    int err = end_run(context, SS_CHAT_STOPPED);
    if (err == 0) {
        err = begin_run(context, options, copy);
    }
    free(copy);
    return err;
}

int ss__chat_stop(struct ss_context *context, const struct ss_command *command, void *ctx)
{
    (void)command;
    (void)ctx;
    return end_run(context, SS_CHAT_STOPPED);
}

/* ---- recovery ---- */

struct streaming_list {
    const struct ss_view *view;
    struct message_id active;    /* begun since: not cut off */
    struct ss_chat_message messages[RECOVER_PASS_MAX];
    size_t count;
};

static bool collect_streaming(const struct ss_entity *entity, void *ctx)
{
    struct streaming_list *list = ctx;
    struct ss_chat_message message;
    if (ss__chat_message_read(list->view, entity, &message) == 0 && message.streaming &&
        strcmp(message.id, list->active.text) != 0) {
        list->messages[list->count++] = message;
    }
    return list->count < RECOVER_PASS_MAX;
}

static int interrupt_streaming(struct ss_context *context)
{
    size_t found = RECOVER_PASS_MAX;
    while (found == RECOVER_PASS_MAX) {
        struct streaming_list list = { .view = ss_context_view(context),
                                       .active = id_of(active_number(context), "") };
        int err = ss_view_each(list.view, SS_CHAT_ENTITY, collect_streaming, &list);
        for (size_t i = 0; err == 0 && i < list.count; i++) {
            const struct ss_chat_message *message = &list.messages[i];
            err = publish_stopped(context, message->id, message->text, SS_CHAT_INTERRUPTED);
        }
        if (err != 0) {
            return err;
        }
        found = list.count;
    }
    return 0;
}

static int on_recover_again(struct ss_context *context, void *arg);

static void on_recover_canceled(void *arg, int reason)
{
    (void)arg;
    (void)reason;    /* the session is recovered again, or its process ends */
}

static const struct ss_task_ops recover_ops = { on_recover_again, on_recover_canceled };

/* What cannot be stored yet is tried again. */
static int on_recover_again(struct ss_context *context, void *arg)
{
    (void)arg;
    int err = interrupt_streaming(context);
    return err != SS_E_STOREFULL ? err : ss_after(context, RETRY_MS, &recover_ops, NULL, NULL);
}

void ss__chat_recover(struct ss_context *context, bool was_running, void *ctx)
{
    (void)ctx;
    set_active_number(context, 0);
    if (was_running) {
        (void)on_recover_again(context, NULL);    /* else the next process */
    }
}
