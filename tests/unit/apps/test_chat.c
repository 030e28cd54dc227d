/* The chat application over a fake session: no engine is linked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/chat/chat.h"
#include "apps/chat/names.h"
#include "apps/chat/options.h"
#include "apps/chat/project.h"
#include "apps/chat/run.h"
#include "apps/chat/text.h"
#include "sessionstream/examples/chatdemo/v1/chat.pb-c.h"
#include "ss_test.h"
#include "unit/apps/fake_registry.h"
#include "unit/apps/fake_session.h"

/* ---- settings ---- */

static const char *chunk_ms_setting = "20";
static const char *chunk_bytes_setting = "10";

const char *ss_app_setting(const struct ss_app_settings *settings, const char *name)
{
    (void)settings;
    return strcmp(name, "chunk_ms") == 0      ? chunk_ms_setting
           : strcmp(name, "chunk_bytes") == 0 ? chunk_bytes_setting
                                              : NULL;
}

/* ---- driving it ---- */

static const struct ss_chat_options options = { .chunk_ms = 20, .chunk_bytes = 10 };

static struct fake *new_session(void)
{
    return fake_new(SS_CHAT_ENTITY, ss__chat_project_ui, ss__chat_project_timeline);
}

static int start(struct fake *fake, const char *prompt)
{
    Sessionstream__Examples__Chatdemo__V1__StartInferenceCommand payload;
    sessionstream__examples__chatdemo__v1__start_inference_command__init(&payload);
    payload.prompt = (char *)(uintptr_t)prompt;
    struct ss_command command = { .name = ss_str(SS_CHAT_COMMAND_START), .payload = &payload.base };
    return ss__chat_start(fake_context(fake), &command, (void *)(uintptr_t)&options);
}

static int stop(struct fake *fake)
{
    Sessionstream__Examples__Chatdemo__V1__StopInferenceCommand payload;
    sessionstream__examples__chatdemo__v1__stop_inference_command__init(&payload);
    struct ss_command command = { .name = ss_str(SS_CHAT_COMMAND_STOP), .payload = &payload.base };
    return ss__chat_stop(fake_context(fake), &command, (void *)(uintptr_t)&options);
}

static const Sessionstream__Examples__Chatdemo__V1__ChatMessageEntity *message(struct fake *fake,
                                                                              const char *id)
{
    return (const Sessionstream__Examples__Chatdemo__V1__ChatMessageEntity *)fake_entity(fake, id)
        ->payload;
}

static const Sessionstream__Examples__Chatdemo__V1__ChatMessageUpdate *update(struct fake *fake,
                                                                              size_t at)
{
    ss_check(at < fake->updates_count);
    return (const Sessionstream__Examples__Chatdemo__V1__ChatMessageUpdate *)fake->updates[at]
        .payload;
}

static bool events_are(struct fake *fake, const char *const *names, size_t count)
{
    bool same = fake->ordinal == count;
    for (size_t i = 0; same && i < count; i++) {
        same = strcmp(fake->events[i].name, names[i]) == 0;
    }
    return same;
}

#define EVENTS_ARE(fake, ...)                                                  \
    events_are((fake), (const char *const[]){ __VA_ARGS__ },                   \
               sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* ---- text ---- */

SS_TEST(chat_text, chunks_end_at_characters)
{
    ss_check(ss__chat_chunk_len(ss_str(""), 10) == 0);
    ss_check(ss__chat_chunk_len(ss_str("short"), 10) == 5);
    ss_check(ss__chat_chunk_len(ss_str("exactly 10"), 10) == 10);
    ss_check(ss__chat_chunk_len(ss_str("eleven bytes"), 10) == 10);
    ss_check(ss__chat_chunk_len(ss_str("123456789\xC3\xA9."), 10) == 9);
    ss_check(ss__chat_chunk_len(ss_str("12345678\xC3\xA9."), 10) == 10);
    ss_check(ss__chat_chunk_len(ss_str("12345678\xE2\x82\xAC."), 10) == 8);
    ss_check(ss__chat_chunk_len(ss_str("1234567\xF0\x9F\x98\x80."), 10) == 7);
    ss_check(ss__chat_chunk_len(ss_str("123456\xF0\x9F\x98\x80."), 10) == 10);
}

SS_TEST(chat_text, a_chunk_holds_at_least_one_character)
{
    ss_check(ss__chat_chunk_len(ss_str("\xF0\x9F\x98\x80z"), 1) == 4);
    ss_check(ss__chat_chunk_len(ss_str("\xE2\x82\xACz"), 2) == 3);
    ss_check(ss__chat_chunk_len(ss_str("\xC3\xA9z"), 1) == 2);
}

SS_TEST(chat_text, chunks_of_every_size_rejoin_and_are_whole)
{
    const char *text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"
                       "\xF0\x9F\x98\x80\xE2\x82\xAC\xC3\xA9";
    size_t len = strlen(text);
    for (size_t size = 1; size <= len + 1; size++) {
        size_t at = 0;
        while (at < len) {
            size_t n = ss__chat_chunk_len(ss_str(text + at), size);
            ss_check(n > 0 && n <= (size > 4 ? size : 4));
            at += n;
            ss_check(((unsigned char)text[at] & 0xC0) != 0x80);
        }
        ss_check(at == len);
    }
}

SS_TEST(chat_text, trim_takes_white_space_of_every_width)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        { "", "" },
        { " \t\r\n\v\f", "" },
        { "plain", "plain" },
        { "  in  ner  ", "in  ner" },
        { "\xC2\xA0\xE3\x80\x80 x\xC3\xA9 \xE2\x80\xA8\xC2\x85", "x\xC3\xA9" },
        { "\xE2\x82\xAC", "\xE2\x82\xAC" },
        { "\xE2\x80\x8Bkept: zero width space\xE2\x80\x8B",
          "\xE2\x80\x8Bkept: zero width space\xE2\x80\x8B" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ss_check(ss_str_equal(ss__chat_trim(ss_str(cases[i].text)), ss_str(cases[i].want)));
    }
}

/* ---- options ---- */

static int read_options(const char *chunk_ms, const char *chunk_bytes,
                        struct ss_chat_options *ret_options)
{
    chunk_ms_setting = chunk_ms;
    chunk_bytes_setting = chunk_bytes;
    fake_registry.error[0] = '\0';
    return ss__chat_options_read(NULL, NULL, ret_options);
}

SS_TEST(chat_options, accept_their_range)
{
    struct ss_chat_options read;
    ss_check(read_options("20", "10", &read) == 0);
    ss_check(read.chunk_ms == 20 && read.chunk_bytes == 10);
    ss_check(read_options("0", "4", &read) == 0);
    ss_check(read.chunk_ms == 0 && read.chunk_bytes == 4);
    ss_check(read_options("10000", "1024", &read) == 0);
    ss_check(read.chunk_ms == 10000 && read.chunk_bytes == 1024);
}

SS_TEST(chat_options, refuse_the_rest_with_name_value_and_range)
{
    static const char *const bad[] = { "",    "-1", "x",  "20ms", " 20", "20 ",
                                       "1.5", "+5", "3 ", "99999999999999999999" };
    struct ss_chat_options read = { 1, 2 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ss_check(read_options(bad[i], "10", &read) == SS_E_CONFIG);
        ss_check(strstr(fake_registry.error, "chunk_ms") != NULL && strstr(fake_registry.error, "10000") != NULL);
        ss_check(read_options("20", bad[i], &read) == SS_E_CONFIG);
        ss_check(strstr(fake_registry.error, "chunk_bytes") != NULL && strstr(fake_registry.error, "1024") != NULL);
        ss_check(strstr(fake_registry.error, bad[i]) != NULL);
    }
    ss_check(read_options("10001", "10", &read) == SS_E_CONFIG);
    ss_check(read_options("20", "3", &read) == SS_E_CONFIG);
    ss_check(read_options("20", "1025", &read) == SS_E_CONFIG);
    ss_check(read_options(NULL, "10", &read) == SS_E_CONFIG);
    ss_check(read.chunk_ms == 1 && read.chunk_bytes == 2);
}

/* ---- the application ---- */

SS_TEST(chat_app, registers_every_name_and_its_page)
{
    static const char *const names[] = {
        "command ChatStartInference\n", "command ChatStopInference\n",
        "event ChatUserMessageAccepted\n", "event ChatInferenceStarted\n",
        "event ChatTokensDelta\n", "event ChatInferenceTrace\n", "event ChatInferenceFinished\n",
        "event ChatInferenceStopped\n", "ui ChatMessageAccepted\n", "ui ChatMessageStarted\n",
        "ui ChatMessageAppended\n", "ui ChatMessageFinished\n", "ui ChatMessageStopped\n",
        "entity ChatMessage\n", "timeline projection timeline\n", "hooks recover\n", "asset /\n",
        "asset /app.js\n", "asset /style.css\n",
        "attach sessionstream.examples.chatdemo.v1.ChatMessageEntity\n"
    };
    void *state = NULL;
    fake_registry.registered[0] = '\0';
    chunk_ms_setting = "20";
    chunk_bytes_setting = "10";
    ss_check(ss__app_chat.abi == SS_APP_ABI && same(ss__app_chat.name, "chat"));
    ss_check(ss__app_chat.init(NULL, NULL, &state) == 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ss_check_msg(strstr(fake_registry.registered, names[i]) != NULL, "missing: %s", names[i]);
    }
    ss_check(fake_registry.command != NULL && fake_registry.command_ctx == state);
    ss_check(same(fake_registry.entity_projection, "timeline"));
    ss_check(fake_registry.project_ui == ss__chat_project_ui);
    ss_check(fake_registry.project_timeline == ss__chat_project_timeline);
    ss_check(fake_registry.hooks->recover == ss__chat_recover);
    ss_check(fake_registry.asset_type != NULL && fake_registry.asset.len > 0);
    ss__app_chat.deinit(state);
}

SS_TEST(chat_app, a_failed_init_leaves_nothing_behind)
{
    int steps = 0;
    chunk_ms_setting = "20";
    chunk_bytes_setting = "10";
    for (int err = SS_E_NOMEM; err != 0; steps++) {
        void *state = NULL;
        fake_registry.registered[0] = '\0';
        fake_registry.error_at = steps;
        err = ss__app_chat.init(NULL, NULL, &state);
        ss_check(err == 0 || (err == SS_E_NOMEM && state == NULL));
        ss__app_chat.deinit(state);
    }
    ss_check(steps > 30);
    fake_registry.error_at = -1;
    chunk_ms_setting = "soon";
    void *state = NULL;
    ss_check(ss__app_chat.init(NULL, NULL, &state) == SS_E_CONFIG && state == NULL);
    chunk_ms_setting = "20";
}

SS_TEST(chat_run, explain_ordinals_gives_six_events)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "  Explain ordinals\n") == 0);
    ss_check(fake->ordinal == 2 && fake->tasks_count == 1 && fake->tasks[0].delay_ms == 20);
    fake_run_tasks(fake);
    ss_check(EVENTS_ARE(fake, SS_CHAT_EVENT_ACCEPTED, SS_CHAT_EVENT_STARTED, SS_CHAT_EVENT_DELTA,
                        SS_CHAT_EVENT_DELTA, SS_CHAT_EVENT_DELTA, SS_CHAT_EVENT_FINISHED));
    static const char *const chunks[] = { "Answer: Ex", "plain ordi", "nals" };
    for (size_t i = 0; i < 3; i++) {
        ss_check(same(update(fake, 2 + i)->chunk, chunks[i]));
    }
    ss_check(fake->data == NULL);
    fake_free(fake);
}

SS_TEST(chat_run, explain_ordinals_leaves_two_entities)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "Explain ordinals") == 0);
    fake_run_tasks(fake);
    ss_check(fake->entities_count == 2);
    const __auto_type user = message(fake, "chat-msg-1-user");
    ss_check(same(user->message_id, "chat-msg-1-user") && same(user->role, "user"));
    ss_check(same(user->text, "Explain ordinals") && same(user->content, "Explain ordinals"));
    ss_check(same(user->prompt, "") && same(user->status, "") && !user->streaming);
    ss_check(fake_entity(fake, "chat-msg-1-user")->entity.created_ordinal == 1);
    ss_check(fake_entity(fake, "chat-msg-1-user")->entity.last_ordinal == 1);
    const __auto_type answer = message(fake, "chat-msg-1");
    ss_check(same(answer->message_id, "chat-msg-1") && same(answer->role, "assistant"));
    ss_check(same(answer->prompt, "Explain ordinals") && same(answer->status, "finished"));
    ss_check(same(answer->text, "Answer: Explain ordinals"));
    ss_check(same(answer->content, answer->text) && !answer->streaming);
    ss_check(fake_entity(fake, "chat-msg-1")->entity.created_ordinal == 2);
    ss_check(fake_entity(fake, "chat-msg-1")->entity.last_ordinal == 6);
    fake_free(fake);
}

SS_TEST(chat_run, ui_updates_carry_their_fields)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "Explain ordinals") == 0);
    fake_run_tasks(fake);
    ss_check(fake->updates_count == 6);
    const __auto_type accepted = update(fake, 0);
    ss_check(same(fake->updates[0].name, SS_CHAT_UI_ACCEPTED) && same(accepted->ordinal, "1"));
    ss_check(same(accepted->message_id, "chat-msg-1-user") && same(accepted->role, "user"));
    ss_check(same(accepted->text, "Explain ordinals") && same(accepted->content, accepted->text));
    ss_check(same(accepted->status, "") && !accepted->streaming && same(accepted->prompt, ""));
    const __auto_type started = update(fake, 1);
    ss_check(same(fake->updates[1].name, SS_CHAT_UI_STARTED) && same(started->ordinal, "2"));
    ss_check(same(started->prompt, "Explain ordinals") && same(started->text, ""));
    ss_check(same(started->status, "streaming") && started->streaming);
    const __auto_type delta = update(fake, 3);
    ss_check(same(fake->updates[3].name, SS_CHAT_UI_APPENDED) && same(delta->ordinal, "4"));
    ss_check(same(delta->chunk, "plain ordi") && same(delta->text, "Answer: Explain ordi"));
    ss_check(same(delta->content, delta->text) && same(delta->prompt, ""));
    ss_check(same(delta->status, "streaming") && delta->streaming);
    const __auto_type finished = update(fake, 5);
    ss_check(same(fake->updates[5].name, SS_CHAT_UI_FINISHED) && same(finished->ordinal, "6"));
    ss_check(same(finished->text, "Answer: Explain ordinals") && same(finished->chunk, ""));
    ss_check(same(finished->status, "finished") && !finished->streaming);
    fake_free(fake);
}

SS_TEST(chat_run, says_running_from_started_to_the_end)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "Explain ordinals") == 0);
    fake_run_tasks(fake);
    for (size_t i = 0; i < 6; i++) {
        ss_check(fake->events[i].running == (i >= 1 && i <= 4));
    }
    fake_free(fake);
}

SS_TEST(chat_run, empty_prompt_is_replaced)
{
    struct fake *fake = new_session();
    ss_check(start(fake, " \n\t ") == 0);
    ss_check(same(message(fake, "chat-msg-1-user")->text, "Explain sessionstream"));
    fake_free(fake);
}

SS_TEST(chat_run, prompt_is_limited_after_trimming)
{
    struct fake *fake = new_session();
    size_t len = SS_CHAT_PROMPT_BYTES_MAX;
    char *prompt = malloc(len + 3);
    memset(prompt, 'x', len + 1);
    prompt[len + 1] = '\0';
    ss_check(start(fake, prompt) == SS_E_TOOBIG);
    ss_check(fake->ordinal == 0 && fake->tasks_count == 0);
    ss_check(strstr(fake->failure, "16384") != NULL && strstr(fake->failure, "16385") != NULL);
    prompt[len] = ' ';
    ss_check(start(fake, prompt) == 0);
    fake_run_tasks(fake);
    ss_check(strlen(message(fake, "chat-msg-1")->text) == len + 8);
    free(prompt);
    fake_free(fake);
}

SS_TEST(chat_run, an_accented_prompt_is_answered_to_its_end)
{
    struct fake *fake = new_session();
    const char *prompt = "\xC3\xA9t\xC3\xA9 \xE2\x82\xAC\xE2\x82\xAC "
                         "\xF0\x9F\x98\x80\xF0\x9F\x98\x80";
    ss_check(start(fake, prompt) == 0);
    fake_run_tasks(fake);
    const __auto_type answer = message(fake, "chat-msg-1");
    ss_check(same(answer->status, "finished") && same(answer->text + 8, prompt));
    fake_free(fake);
}

SS_TEST(chat_run, stop_ends_with_the_text_so_far)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "Explain ordinals") == 0);
    ss_check(fake_run_task(fake) == 0);
    ss_check(stop(fake) == 0);
    ss_check(EVENTS_ARE(fake, SS_CHAT_EVENT_ACCEPTED, SS_CHAT_EVENT_STARTED, SS_CHAT_EVENT_DELTA,
                        SS_CHAT_EVENT_STOPPED));
    const __auto_type answer = message(fake, "chat-msg-1");
    ss_check(same(answer->text, "Answer: Ex") && same(answer->content, "Answer: Ex"));
    ss_check(same(answer->status, "stopped") && !answer->streaming);
    ss_check(same(answer->prompt, "Explain ordinals"));
    ss_check(same(fake->updates[3].name, SS_CHAT_UI_STOPPED));
    ss_check(same(update(fake, 3)->text, "Answer: Ex") && !fake->events[3].running);
    fake_run_tasks(fake);
    ss_check(fake->ordinal == 4 && fake->data == NULL);
    fake_free(fake);
}

SS_TEST(chat_run, stop_without_a_run_does_nothing)
{
    struct fake *fake = new_session();
    ss_check(stop(fake) == 0 && fake->ordinal == 0);
    ss_check(start(fake, "x") == 0);
    fake_run_tasks(fake);
    uint64_t ordinal = fake->ordinal;
    ss_check(stop(fake) == 0 && stop(fake) == 0 && fake->ordinal == ordinal);
    fake_free(fake);
}

SS_TEST(chat_run, a_new_start_stops_the_old_run_first)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "first") == 0);
    ss_check(fake_run_task(fake) == 0);
    ss_check(start(fake, "2") == 0);
    ss_check(EVENTS_ARE(fake, SS_CHAT_EVENT_ACCEPTED, SS_CHAT_EVENT_STARTED, SS_CHAT_EVENT_DELTA,
                        SS_CHAT_EVENT_STOPPED, SS_CHAT_EVENT_ACCEPTED, SS_CHAT_EVENT_STARTED));
    ss_check(fake->tasks_count == 2);
    fake_run_tasks(fake);
    ss_check(fake->ordinal == 8);
    ss_check(same(message(fake, "chat-msg-1")->status, "stopped"));
    ss_check(same(message(fake, "chat-msg-1")->text, "Answer: fi"));
    ss_check(same(message(fake, "chat-msg-5")->status, "finished"));
    ss_check(same(message(fake, "chat-msg-5")->text, "Answer: 2"));
    ss_check(same(message(fake, "chat-msg-5-user")->text, "2"));
    fake_free(fake);
}

/* ---- what goes wrong ---- */

SS_TEST(chat_recover, marks_what_a_crash_cut_off)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "Explain ordinals") == 0);
    ss_check(fake_run_task(fake) == 0 && fake_run_task(fake) == 0);
    fake_cancel_tasks(fake, SS_E_STOPPING);
    fake->data = NULL;
    fake->running = false;
    ss__chat_recover(fake_context(fake), true, NULL);
    ss_check(fake->ordinal == 5 && same(fake->events[4].name, SS_CHAT_EVENT_STOPPED));
    ss_check(!fake->events[4].running);
    const __auto_type answer = message(fake, "chat-msg-1");
    ss_check(same(answer->status, "interrupted") && !answer->streaming);
    ss_check(same(answer->text, "Answer: Explain ordi"));
    ss_check(same(answer->prompt, "Explain ordinals"));
    ss__chat_recover(fake_context(fake), true, NULL);
    ss_check(fake->ordinal == 5);
    ss_check(start(fake, "again") == 0 && same(message(fake, "chat-msg-6-user")->text, "again"));
    fake_free(fake);
}

SS_TEST(chat_recover, waits_for_room_and_spares_what_began_meanwhile)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "first") == 0);
    fake_cancel_tasks(fake, SS_E_COMMIT);
    fake->publish_error = SS_E_STOREFULL;
    fake->publish_error_count = 1;
    ss__chat_recover(fake_context(fake), true, NULL);
    ss_check(fake->tasks_count == 1 && same(message(fake, "chat-msg-1")->status, "streaming"));
    ss_check(start(fake, "second") == 0 && fake_run_task(fake) == 0);
    ss_check(same(message(fake, "chat-msg-1")->status, "interrupted"));
    ss_check(same(message(fake, "chat-msg-3")->status, "streaming"));
    fake_free(fake);
}

SS_TEST(chat_recover, leaves_an_idle_session_alone)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "x") == 0);
    ss__chat_recover(fake_context(fake), false, NULL);
    ss_check(fake->ordinal == 2);
    fake_free(fake);
}

SS_TEST(chat_recover, takes_more_messages_than_one_pass_holds)
{
    struct fake *fake = new_session();
    for (int i = 0; i < 20; i++) {
        ss_check(start(fake, "x") == 0);
        fake_cancel_tasks(fake, SS_E_STOPPING);
        fake->data = NULL;
    }
    ss__chat_recover(fake_context(fake), true, NULL);
    ss_check(fake->ordinal == 60);
    for (size_t i = 0; i < fake->entities_count; i++) {
        ss_check(!message(fake, fake->entities[i].id)->streaming);
    }
    fake_free(fake);
}

SS_TEST(chat_faults, a_failed_commit_is_healed_by_the_next_command)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "Explain ordinals") == 0);
    ss_check(fake_run_task(fake) == 0);
    fake_cancel_tasks(fake, SS_E_COMMIT);
    ss_check(stop(fake) == 0);
    ss_check(same(message(fake, "chat-msg-1")->status, "stopped"));
    fake_free(fake);
}

SS_TEST(chat_faults, a_start_lost_with_its_batch_is_forgotten)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "lost") == 0);
    fake_cancel_tasks(fake, SS_E_COMMIT);
    fake_forget(fake);
    ss_check(start(fake, "x") == 0);
    fake_run_tasks(fake);
    ss_check(EVENTS_ARE(fake, SS_CHAT_EVENT_ACCEPTED, SS_CHAT_EVENT_STARTED, SS_CHAT_EVENT_DELTA,
                        SS_CHAT_EVENT_FINISHED));
    fake_free(fake);
}

SS_TEST(chat_faults, a_full_store_delays_the_answer)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "Explain ordinals") == 0);
    fake->publish_error = SS_E_STOREFULL;
    fake->publish_error_count = 2;
    ss_check(fake_run_task(fake) == 0 && fake->tasks[0].delay_ms == 1000);
    ss_check(fake_run_task(fake) == 0 && fake->ordinal == 2);
    fake->publish_error_after = 3;
    fake->publish_error_count = 1;
    fake_run_tasks(fake);
    ss_check(fake->ordinal == 6 && same(fake->events[5].name, SS_CHAT_EVENT_FINISHED));
    ss_check(fake->events[4].running && !fake->events[5].running);
    ss_check(same(message(fake, "chat-msg-1")->text, "Answer: Explain ordinals"));
    fake_free(fake);
}

SS_TEST(chat_faults, another_error_interrupts_the_answer)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "Explain ordinals") == 0);
    fake->publish_error = SS_E_STOREIO;
    fake->publish_error_count = 1;
    ss_check(fake_run_task(fake) == SS_E_STOREIO && fake->tasks_count == 0);
    ss_check(same(message(fake, "chat-msg-1")->status, "interrupted") && fake->data == NULL);
    fake_free(fake);
}

SS_TEST(chat_faults, a_stop_that_cannot_be_stored_is_tried_again)
{
    struct fake *fake = new_session();
    ss_check(start(fake, "Explain ordinals") == 0);
    fake->publish_error = SS_E_STOREIO;
    fake->publish_error_count = 1;
    ss_check(stop(fake) == SS_E_STOREIO && fake->running);
    ss_check(stop(fake) == 0);
    ss_check(same(message(fake, "chat-msg-1")->status, "stopped"));
    fake_free(fake);
}

SS_TEST(chat_faults, start_reports_what_it_could_not_do)
{
    for (int published = 0; published < 2; published++) {
        struct fake *fake = new_session();
        fake->publish_error = SS_E_STOREFULL;
        fake->publish_error_after = published;
        fake->publish_error_count = 1;
        ss_check(start(fake, "x") == SS_E_STOREFULL);
        ss_check(fake->ordinal == (uint64_t)published && fake->tasks_count == 0);
        ss_check(fake->data == NULL && !fake->running);
        fake_free(fake);
    }
    struct fake *fake = new_session();
    fake->after_error = SS_E_LIMIT;
    ss_check(start(fake, "x") == SS_E_LIMIT && fake->data == NULL && !fake->running);
    ss_check(same(message(fake, "chat-msg-1")->status, "interrupted"));
    fake_free(fake);
}

SS_TEST(chat_projection, trace_events_make_nothing)
{
    struct fake *fake = new_session();
    Sessionstream__Examples__Chatdemo__V1__InferenceTraceEvent trace;
    sessionstream__examples__chatdemo__v1__inference_trace_event__init(&trace);
    trace.message_id = (char *)(uintptr_t)"chat-msg-1";
    ss_check(ss_publish(fake_context(fake), SS_CHAT_EVENT_TRACE, &trace.base) == 0);
    ss_check(fake->updates_count == 0 && fake->entities_count == 0);
    fake_free(fake);
}
