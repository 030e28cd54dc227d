/* paged_snapshots.h - a shard that answers subscribes of the session "s" in pages. */
#ifndef SS_TESTS_GATEWAY_PAGED_SNAPSHOTS_H
#define SS_TESTS_GATEWAY_PAGED_SNAPSHOTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway_fixture.h"
#include "ss_test.h"
#include "wire/ws_header.h"

#define V2 "sessionstream.v2.json"
#define PAGED "{\"subscribe\":{\"sessionId\":\"s\",\"pageBytes\":65536}}"
#define SUBSCRIBED "{\"subscribed\":{\"sessionId\":\"s\",\"cursor\":\"0:0\"}}"

/* What a shard would be holding for the request. */
struct source {
    struct ss_page_source base;
    atomic_uint *freed;
};

static inline void unref_source(struct ss_page_source *base)
{
    struct source *source = (struct source *)(void *)base;
    (void)atomic_fetch_add(source->freed, 1);
    free(source);
}

static atomic_uint freed;

static inline struct ss_request *take_subscribe(struct fixture *fixture)
{
    return fixture_take_request(fixture, SS_REQUEST_SUBSCRIBE, "s");
}

static inline struct ss_buf *text_message(const char *text, size_t bytes)
{
    uint8_t header[SS_WS_HEADER_BYTES_MAX];
    size_t header_len = ss__ws_header_write(SS_WS_TEXT, bytes, header);
    struct ss_buf *buf = ss__buf_new(header_len + bytes);
    ss_check(buf != NULL);
    memcpy(buf->data, header, header_len);
    memset(buf->data + header_len, ' ', bytes);
    memcpy(buf->data + header_len, text, strlen(text));
    return buf;
}

/* The next page, of @bytes bytes; @more: others follow. */
static inline void reply_page(struct fixture *fixture, struct ss_request *request, size_t bytes,
                              bool more)
{
    char text[32];
    if (request->pages == NULL) {
        struct source *source = calloc(1, sizeof *source);
        ss_check(source != NULL);
        source->base.unref = unref_source;
        source->freed = &freed;
        request->pages = &source->base;
    }
    (void)snprintf(text, sizeof text, "{\"page\":%u}", ++request->page);
    request->snapshot = text_message(text, bytes);
    request->more = more;
    request->ordinal = 5;
    fixture_reply(fixture, request);
}

static inline void expect_page(struct ws_test_client *client, unsigned page)
{
    char text[32];
    (void)snprintf(text, sizeof text, "{\"page\":%u}", page);
    ws_test_expect_part(client, text);
}

/* The request that comes back is the same one, not withdrawn, and asks for the next page. */
static inline void take_back(struct fixture *fixture, const struct ss_request *request)
{
    struct ss_request *back = take_subscribe(fixture);
    ss_check(back == request && !back->withdrawn && back->snapshot == NULL);
}

static inline void open_v2(struct fixture *fixture, struct ws_test_client *client)
{
    ws_test_open(client, fixture->port, V2);
}

/* The same of a client that soon takes no more when it does not read. */
static inline void open_v2_small(struct fixture *fixture, struct ws_test_client *client,
                                 int receive_buffer)
{
    ws_test_connect(client, fixture->port, receive_buffer);
    ws_test_upgrade(client, "/", V2);
    ws_test_expect_part(client, "hello");
}

/* A gateway and a client that has asked for pages. */
static inline struct ss_request *open_paged(struct fixture *fixture, struct ws_test_client *client)
{
    fixture_open_with(fixture, client, V2);
    ws_test_send_text(client, PAGED);
    return take_subscribe(fixture);
}

static inline void end_request(struct fixture *fixture, struct ss_request *request)
{
    request->more = false;
    ss__request_fail(request, SS_E_CANCELED, NULL);
    fixture_reply(fixture, request);
}

static inline void take_uninterested(struct fixture *fixture)
{
    struct ss_msg *msg = fixture_take(fixture);
    ss_check(msg->kind == SS_MSG_UNINTERESTED);
    ss__msg_free(msg);
}

#endif
