/* The dialects of peers: what they say to a server, and its bytes at every split. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "load/dialect.h"
#include "load/peer_body.h"
#include "ss_test.h"

#define ITEMS(array) (sizeof(array) / sizeof *(array))
#define LOG_BYTES 2048

/* ---- what came ---- */

struct log {
    char text[LOG_BYTES];
    size_t len;
};

static void log_item(void *ctx, const struct ss_load_item *item)
{
    static const char *const names[] = { "open", "snapshot", "subscribed", "delivery", "ack",
                                         "error", "closed" };
    struct log *log = ctx;
    log->len += (size_t)snprintf(log->text + log->len, LOG_BYTES - log->len,
                                 "%s %" PRIu64 " %" PRId64 " %.*s\n", names[item->kind],
                                 item->ordinal, item->sent_ns, (int)item->text.len,
                                 item->text.data);
    ss_check(log->len < LOG_BYTES);
}

/* ---- what servers send ---- */

struct bytes {
    const char *data;
    size_t len;
};

#define BYTES(text) { text, sizeof(text) - 1 }

static const struct {
    const struct ss_load_dialect *dialect;
    const char *session;       /* "" for a publisher */
    bool handshake;            /* of a websocket comes first */
    struct bytes in;
    const char *items;
    struct bytes reply;        /* to what came */
} cases[] = {
    { &ss__load_nats, "load-0", false,
      BYTES("INFO {\"server_id\":\"X\"}\r\nPONG\r\nPONG\r\nMSG load-0 1 12\r\n1 123456 abc\r\n"
            "PING\r\n+OK\r\nMSG load-0 1 _INBOX.1 7\r\n2 7 \r\nx\r\n-ERR 'Slow Consumer'\r\n"),
      "open 0 0 \nsubscribed 0 0 \ndelivery 1 123456 \ndelivery 2 7 \n"
      "error 0 0 'Slow Consumer'\n", BYTES("PONG\r\n") },
    { &ss__load_mqtt, "load-0", false,
      BYTES("\x20\x02\x00\x00" "\x90\x03\x00\x01\x00" "\x30\x14\x00\x06load-0" "1 123456 abc"
            "\x30\x8c\x01\x00\x06load-0" "22 123456 "
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
      "open 0 0 \nsubscribed 0 0 \ndelivery 1 123456 \ndelivery 22 123456 \n", BYTES("") },
    { &ss__load_redis, "", false,
      BYTES("+PONG\r\n$15\r\n1700000000000-0\r\n-OOM command not allowed\r\n"
            "$15\r\n1700000000000-1\r\n"),
      "open 0 0 \nack 0 0 \nerror 0 0 OOM command not allowed\nack 0 0 \n", BYTES("") },
    { &ss__load_nchan, "", false,
      BYTES("HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Length: 4\r\n"
            "Connection: keep-alive\r\n\r\nnone"
            "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n\r\n"
            "HTTP/1.1 201 Created\r\ncontent-length:0\r\n\r\n"
            "HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\n\r\n"),
      "open 0 0 \nack 0 0 \nack 0 0 \nerror 0 0 HTTP 507\n", BYTES("") },
    { &ss__load_nchan, "load-0", true,
      BYTES("\x81\x0c" "1 123456 abc" "\x82\x06" "2 7 \r\n"),
      "open 0 0 \nsubscribed 0 0 \ndelivery 1 123456 \ndelivery 2 7 \n", BYTES("") },
};

static void begin(size_t which, struct ss_load_link *ret_link, struct ss_bytes *in)
{
    struct ss_load_purpose purpose = { ss_str("host:1"), ss_str(cases[which].session),
                                       "sixteen of these" };
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__bytes_clear(in);
    *ret_link = (struct ss_load_link){ 0 };
    cases[which].dialect->greet(ret_link, &purpose, &out);
    ss_check(out.len > 0 && ret_link->publishes == (cases[which].session[0] == '\0'));
    if (cases[which].handshake) {
        ss__bytes_text(in, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
        ss__bytes_text(in, ret_link->accept);
        ss__bytes_text(in, "\r\n\r\n");
    }
    ss__bytes_append(in, cases[which].in.data, cases[which].in.len);
    ss__bytes_deinit(&out);
}

/* In a block of its own, so that reading beyond it is found. */
static ptrdiff_t take_alone(size_t which, struct ss_load_link *link, const uint8_t *in, size_t len,
                            struct log *log, struct ss_bytes *out)
{
    const char *flaw = NULL;
    uint8_t *copy = malloc(len + (len == 0));
    if (len > 0) {
        memcpy(copy, in, len);
    }
    ptrdiff_t taken = cases[which].dialect->take(link, copy, len, log_item, log, out, &flaw);
    free(copy);
    ss_check_msg(taken >= 0 && (size_t)taken <= len, "case %zu: %td of %zu, %s", which, taken, len,
                 flaw == NULL ? "" : flaw);
    return taken;
}

static void check_all(size_t which, const struct log *log, const struct ss_bytes *out, size_t split)
{
    ss_check_msg(strcmp(log->text, cases[which].items) == 0, "case %zu, split at %zu:\n%s", which,
                 split, log->text);
    ss_check(out->len == cases[which].reply.len);
    ss_check(out->len == 0 || memcmp(out->data, cases[which].reply.data, out->len) == 0);
}

SS_TEST(peers, every_split_gives_the_same_items_and_replies)
{
    for (size_t which = 0; which < ITEMS(cases); which++) {
        struct ss_bytes in;
        struct ss_bytes out;
        struct ss_load_link link;
        ss__bytes_init(&in, 0);
        ss__bytes_init(&out, 0);
        begin(which, &link, &in);
        for (size_t split = 0; split <= in.len; split++) {
            struct log log = { .len = 0 };
            ss__bytes_clear(&out);
            begin(which, &link, &in);
            size_t taken = (size_t)take_alone(which, &link, in.data, split, &log, &out);
            taken += (size_t)take_alone(which, &link, in.data + taken, in.len - taken, &log, &out);
            ss_check(taken == in.len);
            check_all(which, &log, &out, split);
        }
        ss__bytes_deinit(&in);
        ss__bytes_deinit(&out);
    }
}

SS_TEST(peers, one_byte_at_a_time_gives_the_same_items)
{
    for (size_t which = 0; which < ITEMS(cases); which++) {
        struct ss_bytes in;
        struct ss_bytes out;
        struct ss_load_link link;
        struct log log = { .len = 0 };
        size_t at = 0;
        ss__bytes_init(&in, 0);
        ss__bytes_init(&out, 0);
        begin(which, &link, &in);
        for (size_t end = 1; end <= in.len; end++) {
            at += (size_t)take_alone(which, &link, in.data + at, end - at, &log, &out);
        }
        ss_check(at == in.len);
        check_all(which, &log, &out, 1);
        ss__bytes_deinit(&in);
        ss__bytes_deinit(&out);
    }
}

SS_TEST(peers, bytes_that_break_the_protocol_are_a_flaw)
{
    static const struct {
        const struct ss_load_dialect *dialect;
        bool publishes;
        struct bytes in;
    } bad[] = {
        { &ss__load_nats, false, BYTES("MSG load-0 1 x\r\n") },
        { &ss__load_nats, false, BYTES("MSG load-0 1 99999999\r\n") },
        { &ss__load_nats, false, BYTES("MSG load-0 1 4\r\n1 2 xx") },
        { &ss__load_nats, false, BYTES("MSG load-0 1 3\r\nabc\r\n") },
        { &ss__load_mqtt, false, BYTES("\x20\x02\x00\x05") },
        { &ss__load_mqtt, false, BYTES("\x90\x03\x00\x01\x80") },
        { &ss__load_mqtt, false, BYTES("\x32\x0c\x00\x06load-0" "1 2 ") },
        { &ss__load_mqtt, false, BYTES("\x30\x03\x00\x06l") },
        { &ss__load_mqtt, false, BYTES("\x30\x00") },
        { &ss__load_mqtt, false, BYTES("\x30\x09\x00\x06load-0x") },
        { &ss__load_mqtt, false, BYTES("\x30\xff\xff\xff\xff\x01") },
        { &ss__load_mqtt, false, BYTES("\x30\xff\xff\xff\x7f") },
        { &ss__load_mqtt, false, BYTES("\xe0\x00") },
        { &ss__load_redis, true, BYTES("-NOAUTH\r\n") },
        { &ss__load_redis, true, BYTES(":1\r\n") },
        { &ss__load_redis, true, BYTES("\r\n") },
        { &ss__load_redis, true, BYTES("$-1\r\n") },
        { &ss__load_redis, true, BYTES("$9999\r\n") },
        { &ss__load_nchan, true, BYTES("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n") },
        { &ss__load_nchan, true, BYTES("HTTP/1.1 200 OK\r\n\r\n") },
        { &ss__load_nchan, true, BYTES("HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n") },
        { &ss__load_nchan, true, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n") },
        { &ss__load_nchan, true,
          BYTES("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") },
    };
    for (size_t i = 0; i < ITEMS(bad); i++) {
        struct log log = { .len = 0 };
        struct ss_load_link link = { .publishes = bad[i].publishes };
        struct ss_bytes out;
        const char *flaw = NULL;
        ss__bytes_init(&out, 0);
        ptrdiff_t taken = bad[i].dialect->take(&link, (const uint8_t *)bad[i].in.data,
                                               bad[i].in.len, log_item, &log, &out, &flaw);
        ss_check_msg(taken == SS_E_PROTO && flaw != NULL, "%zu: %td", i, taken);
        ss_check(log.len == 0);
        ss__bytes_deinit(&out);
    }
}

/* What never ends is a flaw, and not kept for ever. */
SS_TEST(peers, what_does_not_end_is_a_flaw)
{
    static const struct ss_load_dialect *const dialects[] = { &ss__load_nats, &ss__load_redis,
                                                              &ss__load_nchan };
    static uint8_t in[100000];
    memset(in, 'H', sizeof in);
    for (size_t i = 0; i < ITEMS(dialects); i++) {
        struct log log = { .len = 0 };
        struct ss_load_link link = { .publishes = true };
        struct ss_bytes out;
        const char *flaw = NULL;
        ss__bytes_init(&out, 0);
        ss_check(dialects[i]->take(&link, in, sizeof in, log_item, &log, &out, &flaw) ==
                 SS_E_PROTO);
        ss__bytes_deinit(&out);
    }
}

static void ignore_item(void *ctx, const struct ss_load_item *item)
{
    size_t *bytes = ctx;
    for (size_t i = 0; i < item->text.len; i++) {
        *bytes += item->text.data[i] != '\0';
    }
}

SS_TEST(peers, damaged_bytes_are_taken_without_harm)
{
    static const char fill[] = { 0, ' ', '9', '\r', '\x7f', '\xff' };
    for (size_t which = 0; which < ITEMS(cases); which++) {
        size_t len = cases[which].in.len;
        for (size_t at = 0; at < len * sizeof fill; at++) {
            size_t bytes = 0;
            struct ss_load_link link = { .open = cases[which].handshake,
                                         .publishes = cases[which].session[0] == '\0' };
            struct ss_bytes out;
            const char *flaw = NULL;
            uint8_t *copy = malloc(len);
            ss__bytes_init(&out, 0);
            memcpy(copy, cases[which].in.data, len);
            copy[at / sizeof fill] = (uint8_t)fill[at % sizeof fill];
            ptrdiff_t taken = cases[which].dialect->take(&link, copy, len, ignore_item, &bytes,
                                                         &out, &flaw);
            ss_check(taken == SS_E_PROTO || (taken >= 0 && (size_t)taken <= len));
            ss_check(taken >= 0 || flaw != NULL);
            ss__bytes_deinit(&out);
            free(copy);
        }
    }
}

/* ---- writing ---- */

static void check_said(const struct ss_bytes *out, const char *text, size_t len)
{
    ss_check_msg(out->len == len && memcmp(out->data, text, len) == 0, "%.*s", (int)out->len,
                 (const char *)out->data);
}

static void check_publish(const struct ss_load_dialect *dialect, const char *text, size_t len)
{
    struct ss_bytes out;
    struct ss_bytes payload;
    ss__bytes_init(&out, 0);
    ss__bytes_init(&payload, 0);
    dialect->pack_payload(ss_str("0123456789abcdef"), &payload);
    struct ss_load_message message = { .session_id = ss_str("load-7"), .session = 7, .number = 3,
                                       .sent_ns = 1234567, .payload = ss__bytes_view(&payload) };
    dialect->publish(&message, &out);
    check_said(&out, text, len);
    ss__bytes_deinit(&out);
    ss__bytes_deinit(&payload);
}

#define CHECK_PUBLISH(dialect, text) check_publish(dialect, text, sizeof(text) - 1)

SS_TEST(peers, each_publishes_in_its_own_form)
{
    CHECK_PUBLISH(&ss__load_nats, "PUB load-7 16\r\n3 1234567 abcdef\r\n");
    CHECK_PUBLISH(&ss__load_mqtt, "\x30\x18\x00\x06load-7" "3 1234567 abcdef");
    CHECK_PUBLISH(&ss__load_redis, "*5\r\n$4\r\nXADD\r\n$6\r\nload-7\r\n$1\r\n*\r\n$1\r\nf\r\n"
                  "$16\r\n3 1234567 abcdef\r\n");
    CHECK_PUBLISH(&ss__load_nchan, "POST /pub/load-7 HTTP/1.1\r\nHost: peer\r\n"
                  "Content-Length: 16\r\n\r\n3 1234567 abcdef");
}

SS_TEST(peers, subscribe_names_the_session)
{
    struct ss_bytes out;
    ss__bytes_init(&out, 0);
    ss__load_nats.subscribe(ss_str("load-7"), &out);
    check_said(&out, "SUB load-7 1\r\nPING\r\n", strlen("SUB load-7 1\r\nPING\r\n"));
    ss__bytes_clear(&out);
    ss__load_mqtt.subscribe(ss_str("load-7"), &out);
    check_said(&out, "\x82\x0b\x00\x01\x00\x06load-7\x00", 13);
    ss__bytes_clear(&out);
    struct ss_load_purpose purpose = { ss_str("host:1"), ss_str("load-7"), "sixteen of these" };
    struct ss_load_link link = { 0 };
    ss__load_nchan.greet(&link, &purpose, &out);
    static const char request[] = "GET /sub/load-7 HTTP/1.1\r\n";
    ss_check(out.len > strlen(request) && memcmp(out.data, request, strlen(request)) == 0);
    ss_check(memmem(out.data, out.len, "Protocol", 8) == NULL);
    ss__bytes_deinit(&out);
}

SS_TEST(peers, a_body_is_as_long_as_asked_for_but_never_loses_its_head)
{
    static const char filler[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (size_t len = 0; len < sizeof filler; len++) {
        struct ss_load_peer_body body;
        struct ss_load_item item = { .ordinal = 0 };
        struct ss_bytes out;
        struct ss_load_message message = { .number = 12, .sent_ns = 3456789,
                                           .payload = ss_str_of(filler, len) };
        ss__bytes_init(&out, 0);
        ss__load_peer_body(&message, &body);
        ss__load_peer_body_append(&body, &out);
        size_t head = strlen("12 3456789 ");
        ss_check(out.len == body.len && out.len == (len < head ? head : len));
        ss_check(ss__load_peer_body_read(ss__bytes_view(&out), &item));
        ss_check(item.ordinal == 12 && item.sent_ns == 3456789);
        ss__bytes_deinit(&out);
    }
}

SS_TEST(peers, a_body_of_somebody_else_is_refused)
{
    static const char *const bodies[] = { "", " ", "1", "1 ", "1 2", "x 2 ", "1 x ", "1  ", "-1 2 ",
                                          "0 2 ", "1234567890123456789 2 " };
    for (size_t i = 0; i < ITEMS(bodies); i++) {
        struct ss_load_item item = { .ordinal = 9, .sent_ns = 8 };
        ss_check_msg(!ss__load_peer_body_read(ss_str(bodies[i]), &item), "%s", bodies[i]);
        ss_check(item.ordinal == 9 && item.sent_ns == 8);
    }
}
