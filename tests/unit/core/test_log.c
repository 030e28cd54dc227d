#include "core/log.h"

#include <ctype.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "child_stderr.h"
#include "core/utf8.h"
#include "ss_test.h"

#define RECORD_BYTES 2048
#define THREADS 4
#define EACH 10

/* The text after the time stamp of the first record. */
static const char *after_time(const struct child_stderr *child)
{
    static const char shape[] = "ts=0000-00-00T00:00:00.000Z ";
    for (size_t i = 0; shape[i] != '\0'; i++) {
        char got = child->text[i];
        ss_check_msg(shape[i] == '0' ? isdigit((unsigned char)got) != 0 : got == shape[i], "%s",
                     child->text);
    }
    return child->text + strlen(shape);
}

static void log_two(void *context)
{
    (void)context;
    ss__log(SS_LOG_WARN, "disk is slow", "shard=%u ms=%u", 3u, 250u);
    ss__log(SS_LOG_ERROR, "stopping", "%s", "");
}

SS_TEST(log, a_record_is_one_line_of_time_level_message_and_fields)
{
    struct child_stderr child;
    child_stderr_run(log_two, NULL, &child);
    const char *rest = after_time(&child);
    static const char first[] = "level=warn msg=\"disk is slow\" shard=3 ms=250\n";
    ss_check_msg(strncmp(rest, first, strlen(first)) == 0, "%s", rest);
    ss_check(strstr(rest + strlen(first), "Z level=error msg=\"stopping\"\n") != NULL);
}

static void log_all_levels(void *context)
{
    ss__log_set_level(*(const enum ss_log_level *)context);
    for (int level = SS_LOG_ERROR; level <= SS_LOG_DEBUG; level++) {
        ss__log((enum ss_log_level)level, "seen", "enabled=%d",
                (int)ss__log_enabled((enum ss_log_level)level));
    }
}

SS_TEST(log, records_above_the_level_are_dropped)
{
    static const char *const names[] = { "=error ", "=warn ", "=info ", "=debug " };
    for (int max = SS_LOG_ERROR; max <= SS_LOG_DEBUG; max++) {
        struct child_stderr child;
        enum ss_log_level level = (enum ss_log_level)max;
        child_stderr_run(log_all_levels, &level, &child);
        for (int i = SS_LOG_ERROR; i <= SS_LOG_DEBUG; i++) {
            ss_check_msg((strstr(child.text, names[i]) != NULL) == (i <= max), "%s", child.text);
        }
        ss_check(strstr(child.text, "enabled=0") == NULL);
    }
}

SS_TEST(log, information_is_on_and_debugging_is_off_at_first)
{
    ss_check(ss__log_enabled(SS_LOG_ERROR) && ss__log_enabled(SS_LOG_INFO));
    ss_check(!ss__log_enabled(SS_LOG_DEBUG));
}

struct long_record {
    const char *filler;    /* one character */
    size_t before;         /* letters in front, so that the cut moves through it */
    bool in_message;
};

static void log_long(void *context)
{
    const struct long_record *record = context;
    static char text[3 * RECORD_BYTES];
    size_t len = record->before;
    size_t filler_len = strlen(record->filler);
    memset(text, 'a', len);
    while (len + filler_len < sizeof text) {
        memcpy(text + len, record->filler, filler_len);
        len += filler_len;
    }
    if (record->in_message) {
        ss__log(SS_LOG_ERROR, text, "lost=%d", 1);
    } else {
        ss__log(SS_LOG_ERROR, "long", "text=%s", text);
    }
}

SS_TEST(log, a_long_record_is_cut_between_characters_and_still_ends_its_line)
{
    for (size_t before = 0; before < 4; before++) {
        for (int in_message = 0; in_message < 2; in_message++) {
            struct child_stderr child;
            struct long_record record = { "\xF0\x9F\x98\x80", before, in_message != 0 };
            child_stderr_run(log_long, &record, &child);
            (void)after_time(&child);
            ss_check_msg(child.len > RECORD_BYTES - 5 && child.len < RECORD_BYTES, "%zu bytes",
                         child.len);
            ss_check(strchr(child.text, '\n') == child.text + child.len - 1);
            ss_check(ss__utf8_valid(child.text, child.len));
        }
    }
}

static void log_fitting(void *context)
{
    static char text[RECORD_BYTES];
    memset(text, 'x', *(const size_t *)context);
    ss__log(SS_LOG_ERROR, "m", "%s", text);
}

SS_TEST(log, what_just_fits_is_whole)
{
    /* ts=…Z is 27 bytes, then " level=error msg=\"m\" " */
    static const size_t head = 27 + 21;
    for (size_t len = RECORD_BYTES - head - 6; len < RECORD_BYTES - head + 3; len++) {
        struct child_stderr child;
        child_stderr_run(log_fitting, &len, &child);
        size_t whole = head + len + 1;
        size_t want = whole < RECORD_BYTES ? whole : RECORD_BYTES - 1;
        ss_check_msg(child.len == want, "%zu letters: %zu bytes", len, child.len);
        ss_check(child.text[child.len - 1] == '\n' && child.text[child.len - 2] == 'x');
    }
}

static void *log_each(void *argument)
{
    char text[101];
    memset(text, 'a' + *(const int *)argument, 100);
    text[100] = '\0';
    for (int i = 0; i < EACH; i++) {
        ss__log(SS_LOG_INFO, "t", "%s", text);
    }
    return NULL;
}

static void log_from_threads(void *context)
{
    (void)context;
    pthread_t threads[THREADS];
    int indexes[THREADS];
    for (int i = 0; i < THREADS; i++) {
        indexes[i] = i;
        ss_check(pthread_create(&threads[i], NULL, log_each, &indexes[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ss_check(pthread_join(threads[i], NULL) == 0);
    }
}

SS_TEST(log, records_of_several_threads_do_not_mix)
{
    struct child_stderr child;
    int seen[THREADS] = { 0 };
    child_stderr_run(log_from_threads, NULL, &child);
    char *line = child.text;
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        const char *field = strstr(line, "msg=\"t\" ");
        ss_check(field != NULL && end - field == 8 + 100);
        int index = field[8] - 'a';
        ss_check(index >= 0 && index < THREADS);
        for (int i = 0; i < 100; i++) {
            ss_check(field[8 + i] == 'a' + index);
        }
        seen[index]++;
    }
    for (int i = 0; i < THREADS; i++) {
        ss_check(seen[i] == EACH);
    }
}

static void log_to_nobody(void *context)
{
    (void)context;
    (void)close(STDERR_FILENO);
    ss__log(SS_LOG_ERROR, "unread", "n=%d", 1);
}

SS_TEST(log, a_record_that_cannot_be_written_stops_nothing)
{
    struct child_stderr child;
    child_stderr_run(log_to_nobody, NULL, &child);
    ss_check(child.signal == 0 && child.len == 0);
}

SS_TEST(log_quote, a_value_is_quoted_and_what_breaks_a_line_is_escaped)
{
    char out[64];
    ss_check(strcmp(ss__log_quote(out, sizeof out, ss_str("a b=\xC3\xA4")),
                    "\"a b=\xC3\xA4\"") == 0);
    ss_check(strcmp(ss__log_quote(out, sizeof out, ss_str("\"\\\n\x1b\x7f")),
                    "\"\\\"\\\\\\x0a\\x1b\\x7f\"") == 0);
    ss_check(strcmp(ss__log_quote(out, sizeof out, ss_str_of("\0a", 2)), "\"\\x00a\"") == 0);
    ss_check(strcmp(ss__log_quote(out, sizeof out, ss_str(NULL)), "\"\"") == 0);
}

SS_TEST(log_quote, every_room_is_kept_and_the_quote_closed)
{
    static const char *const texts[] = { "\n\n\n\n\n\n\n",
                                         "\"\"\"\"\"\"\"\"\"\"",
                                         "abcdefghijklmnop",
                                         "\xF0\x9F\x98\x80\xE2\x82\xAC\xC3\xA4\xC3\xA4" };
    for (int i = 0; i < 4; i++) {
        for (size_t cap = 0; cap < 24; cap++) {
            char out[32];
            memset(out, 0x5A, sizeof out);
            ss_check(ss__log_quote(out, cap, ss_str(texts[i])) == out);
            for (size_t at = cap; at < sizeof out; at++) {
                ss_check_msg(out[at] == 0x5A, "text %d room %zu", i, cap);
            }
            size_t len = cap == 0 ? 0 : strlen(out);
            ss_check(cap < 3 ? len == 0 : len >= 2 && out[0] == '"' && out[len - 1] == '"');
            ss_check_msg(ss__utf8_valid(out, len), "text %d room %zu", i, cap);
        }
    }
}

SS_TEST(log_quote, no_escape_is_cut_in_two)
{
    char out[16];
    ss_check(strcmp(ss__log_quote(out, 7, ss_str("\n\n")), "\"\\x0a\"") == 0);
    ss_check(strcmp(ss__log_quote(out, 6, ss_str("\n\n")), "\"\"") == 0);
    ss_check(strcmp(ss__log_quote(out, 11, ss_str("\n\n")), "\"\\x0a\\x0a\"") == 0);
    ss_check(strcmp(ss__log_quote(out, 10, ss_str("\n\n")), "\"\\x0a\"") == 0);
}
