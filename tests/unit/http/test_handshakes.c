/* The cases of tests/conformance/websocket/handshakes.txt, which says what they mean, against parser
 * and handshake: whole and cut at every byte. The daemon gets them over sockets. */
#include "http/upgrade.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ss_test.h"

#define LINES_MAX 16
#define LINE_BYTES 512

struct handshake {
    char lines[LINES_MAX][LINE_BYTES];
    size_t count;
    char body[64];
};

static void put_line(struct handshake *handshake, size_t at, const char *text)
{
    ss_check(at < LINES_MAX && strlen(text) < LINE_BYTES);
    strcpy(handshake->lines[at], text);
    handshake->count = at == handshake->count ? at + 1 : handshake->count;
}

/* The index of the field, or the number of lines. */
static size_t field_of(const struct handshake *handshake, const char *name, size_t len)
{
    for (size_t i = 1; i < handshake->count; i++) {
        if (strncasecmp(handshake->lines[i], name, len) == 0 && handshake->lines[i][len] == ':') {
            return i;
        }
    }
    return handshake->count;
}

static void change(struct handshake *handshake, const char *text)
{
    if (strncmp(text, "= ", 2) == 0) {
        put_line(handshake, 0, text + 2);
    } else if (strncmp(text, "> ", 2) == 0) {
        (void)snprintf(handshake->body, sizeof handshake->body, "%.60s", text + 2);
    } else if (text[0] == '-') {
        size_t at = field_of(handshake, text + 1, strlen(text + 1));
        ss_check_msg(at < handshake->count, "%s", text);
        memmove(handshake->lines[at], handshake->lines[at + 1],
                (handshake->count - at - 1) * LINE_BYTES);
        handshake->count--;
    } else if (text[0] == '+') {
        put_line(handshake, handshake->count, text + 1);
    } else {
        put_line(handshake, field_of(handshake, text, strcspn(text, ":")), text);
    }
}

/* The request; %XX is a byte. */
static size_t write_request(const struct handshake *handshake, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < handshake->count; i++) {
        for (const char *at = handshake->lines[i]; *at != '\0'; at++) {
            char digits[3] = { 0 };
            if (*at == '%') {
                memcpy(digits, at + 1, 2);
                out[len++] = (char)strtoul(digits, NULL, 16);
                at += 2;
            } else {
                out[len++] = *at;
            }
        }
        out[len++] = '\r';
        out[len++] = '\n';
    }
    return len + (size_t)sprintf(out + len, "\r\n%s", handshake->body);
}

/* Feeds the request, cut at @cut. Returns the status and fills @answer. */
static unsigned judge(const char *text, size_t len, size_t cut, struct ss_bytes *answer)
{
    struct ss_http_parser parser;
    struct ss_http_upgrade upgrade;
    size_t used = 0;
    ss__http_parser_init(&parser, 64);
    int progress = ss__http_parser_feed(&parser, (const uint8_t *)text, cut, &used);
    if (progress == SS_HTTP_NEED_MORE) {
        progress = ss__http_parser_feed(&parser, (const uint8_t *)text + cut, len - cut, &used);
    }
    ss__bytes_clear(answer);
    unsigned status = parser.status;
    if (progress == SS_HTTP_DONE) {
        (void)ss__http_upgrade(ss__http_parser_request(&parser), &upgrade);    /* its status tells */
        ss__http_upgrade_response(&upgrade, answer);
        status = upgrade.status;
    }
    ss_check(progress != SS_HTTP_NEED_MORE);
    ss__bytes_byte(answer, '\0');
    ss__http_parser_deinit(&parser);
    return status;
}

/* "Name: value" is in the answer, "-Name" is not. */
static void check_rule(const char *name, const char *rule, const char *answer)
{
    char line[LINE_BYTES];
    bool absent = rule[0] == '-';
    (void)snprintf(line, sizeof line, "\r\n%.400s%s", absent ? rule + 1 : rule,
                   absent ? ":" : "\r\n");
    ss_check_msg((strstr(answer, line) == NULL) == absent, "%s: %s in\n%s", name, rule, answer);
}

static void check_case(const char *name, const struct handshake *handshake, char *back)
{
    static char text[LINES_MAX * LINE_BYTES];
    struct ss_bytes answer;
    ss__bytes_init(&answer, 0);
    size_t len = write_request(handshake, text);
    unsigned want = (unsigned)strtoul(back, NULL, 10);
    for (size_t cut = 0; cut < len; cut++) {
        unsigned status = judge(text, len, cut, &answer);
        ss_check_msg(status == want, "%s cut at %zu: %u", name, cut, status);
    }
    char *rest = strstr(back, " ; ");
    while (rest != NULL) {
        char *rule = rest + 3;
        rest = strstr(rule, " ; ");
        if (rest != NULL) {
            *rest = '\0';
        }
        check_rule(name, rule, (const char *)answer.data);
    }
    ss__bytes_deinit(&answer);
}

/* Cuts @text behind @mark off; "" if there is none. */
static char *cut_behind(char *text, const char *mark)
{
    char *at = strstr(text, mark);
    if (at == NULL) {
        return text + strlen(text);
    }
    *at = '\0';
    return at + strlen(mark);
}

static void play(char *line)
{
    static const char *const usual[] = {
        "GET /ws HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
    };
    static struct handshake handshake;
    handshake = (struct handshake){ 0 };
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        put_line(&handshake, i, usual[i]);
    }
    char *section = cut_behind(line, " | ");
    char *changes = cut_behind(section, " |");
    char *back = cut_behind(changes, "| ");
    changes += strspn(changes, " ");
    while (*changes != '\0') {
        char *next = cut_behind(changes, " ; ");
        size_t len = strlen(changes);
        while (len > 0 && changes[len - 1] == ' ') {
            changes[--len] = '\0';
        }
        change(&handshake, changes);
        changes = next;
    }
    check_case(line, &handshake, back);
}

SS_TEST(handshakes, every_case_of_the_list_holds_wherever_it_is_cut)
{
    char line[1024];
    size_t count = 0;
    FILE *file = fopen(SS_WS_HANDSHAKES, "r");
    ss_check_msg(file != NULL, "%s", SS_WS_HANDSHAKES);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '#' && line[0] != '\0') {
            play(line);
            count++;
        }
    }
    ss_check(fclose(file) == 0);
    ss_check_msg(count >= 50, "only %zu cases", count);
}
