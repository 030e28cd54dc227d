#include "message/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/map.h"
#include "core/utf8.h"
#include "message/error_listing.h"
#include "message/import.h"
#include "message/listing.h"

static struct ss_str place(char **at, struct ss_str text)
{
    struct ss_str copy = { *at, text.len };
    if (text.len > 0) {
        memcpy(*at, text.data, text.len);
    }
    *at += text.len;
    return copy;
}

void *ss__msg_new(enum ss_msg_kind kind, size_t bytes)
{
    SS_REQUIRE(bytes >= sizeof(struct ss_msg) && bytes <= UINT32_MAX);
    struct ss_msg *msg = calloc(1, bytes);
    if (msg != NULL) {
        msg->kind = (uint8_t)kind;
        msg->node.bytes = (uint32_t)bytes;
    }
    return msg;
}

struct ss_str ss__resume_reason_text(enum ss_resume_reason reason)
{
    switch (reason) {
    case SS_RESUME_STALE_EPOCH:
        return ss_str("stale_epoch");
    case SS_RESUME_AHEAD:
        return ss_str("ahead");
    case SS_RESUME_TOO_OLD:
        return ss_str("too_old");
    case SS_RESUME_LIVE_UNKNOWN:
        return ss_str("live_unknown");
    case SS_RESUME_NONE:
        break;
    }
    return ss_str(NULL);
}

bool ss__request_key_valid(struct ss_str key)
{
    return key.len > 0 && key.len <= SS_IDEMPOTENCY_KEY_BYTES_MAX &&
           ss__utf8_valid(key.data, key.len) && memchr(key.data, '\0', key.len) == NULL;
}

struct ss_request *ss__request_new(enum ss_request_kind kind, struct ss_str session_id,
                                   struct ss_str request_id, struct ss_str payload)
{
    return ss__request_new_keyed(kind, session_id, request_id, payload, ss_str(NULL));
}

struct ss_request *ss__request_new_keyed(enum ss_request_kind kind, struct ss_str session_id,
                                         struct ss_str request_id, struct ss_str payload,
                                         struct ss_str key)
{
    size_t bytes = sizeof(struct ss_request) + session_id.len + request_id.len + payload.len +
                   key.len;
    struct ss_request *request = malloc(bytes);
    if (request == NULL) {
        return NULL;
    }
    memset(request, 0, sizeof *request);
    request->base.kind = SS_MSG_REQUEST;
    request->base.node.bytes = (uint32_t)bytes;
    request->request = kind;
    request->memory_bytes = bytes;
    request->connection.gateway = SS_GATEWAY_NONE;
    char *at = request->memory;
    request->session_id = place(&at, session_id);
    request->session_hash = ss__map_hash(session_id);
    request->request_id = place(&at, request_id);
    request->payload = place(&at, payload);
    request->key = place(&at, key);
    return request;
}

struct ss_request *ss__request_new_import(struct ss_str session_id, struct ss_import *import)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_IMPORT, session_id, none, none);
    if (request != NULL) {
        request->import = import;
        request->memory_bytes += ss__import_bytes(import);
        request->base.node.bytes = (uint32_t)request->memory_bytes;
    }
    return request;
}

void ss__request_fail(struct ss_request *request, int err, const char *text)
{
    if (request->err != 0) {
        return;
    }
    request->err = err;
    if (text != NULL && text[0] != '\0') {
        request->text = ss__buf_copy(text, strlen(text) + 1);    /* NULL: the code must do */
        if (request->text != NULL) {    /* perhaps an application's own words */
            ss__utf8_mend((char *)request->text->data, strlen(text));
        }
    }
}

void ss__request_gone(struct ss_request *request, uint64_t first)
{
    char text[80];
    (void)snprintf(text, sizeof text, "event %llu is the first that has been retained",
                   (unsigned long long)first);
    if (request->err == 0) {
        request->ordinal = first;
    }
    ss__request_fail(request, SS_E_GONE, text);
}

struct ss_msg_uninterested *ss__uninterested_new(size_t bytes, uint16_t gateway,
                                                 struct ss_session_handle handle,
                                                 struct ss_str session_id)
{
    SS_REQUIRE(bytes >= sizeof(struct ss_msg_uninterested));
    struct ss_msg_uninterested *msg = ss__msg_new(SS_MSG_UNINTERESTED, bytes + session_id.len);
    if (msg == NULL) {
        return NULL;
    }
    char *at = (char *)msg + bytes;
    msg->gateway = gateway;
    msg->handle = handle;
    msg->session_hash = ss__map_hash(session_id);
    msg->session_id = place(&at, session_id);
    return msg;
}

static void release_request(struct ss_request *request)
{
    ss__listing_unref(request->listing);
    ss__error_listing_unref(request->errors);
    ss__buf_unref(request->text);
    ss__buf_unref(request->snapshot);
    if (request->pages != NULL) {
        request->pages->unref(request->pages);
    }
    for (uint32_t i = 0; i < request->frames_count; i++) {
        ss__buf_unref(request->frames[i]);
    }
    free(request->frames);
    free(request->cursors);
    free(request->retry);
    ss__import_free(request->import);
    free(request->debug);
}

void ss__msg_free(struct ss_msg *msg)
{
    if (msg == NULL) {
        return;
    }
    if (msg->kind == SS_MSG_REQUEST || msg->kind == SS_MSG_REPLY) {
        release_request((struct ss_request *)(void *)msg);
    } else if (msg->kind == SS_MSG_FRAME) {
        struct ss_msg_frame *frame = (struct ss_msg_frame *)(void *)msg;
        for (int i = 0; i < SS_MESSAGE_ENCODINGS; i++) {
            ss__buf_unref(frame->bufs[i]);
        }
    }
    free(msg);
}
