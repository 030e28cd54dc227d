#include "message/message.h"

#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>

#include "core/map.h"
#include "ss_test.h"

SS_TEST(message, a_request_holds_copies_of_its_strings)
{
    char id[] = "session";
    char payload[] = "pay\0load";
    struct ss_request *request = ss__request_new(SS_REQUEST_SUBMIT, ss_str(id), ss_str("r"),
                                                 ss_str_of(payload, 8));
    ss_check(request != NULL);
    memset(id, 'x', sizeof id - 1);
    memset(payload, 'x', sizeof payload - 1);
    ss_check(ss_str_equal(request->session_id, ss_str("session")));
    ss_check(ss_str_equal(request->request_id, ss_str("r")));
    ss_check(ss_str_equal(request->payload, ss_str_of("pay\0load", 8)));
    ss_check(request->session_hash == ss__map_hash(ss_str("session")));
    ss_check(request->connection.gateway == SS_GATEWAY_NONE);
    ss_check(request->base.node.bytes == request->memory_bytes);
    ss_check(request->memory_bytes == sizeof *request + 7 + 1 + 8);
    ss__msg_free(&request->base);
}

SS_TEST(message, empty_strings_need_no_memory)
{
    struct ss_request *request = ss__request_new(SS_REQUEST_BARRIER, ss_str(NULL), ss_str(NULL),
                                                 ss_str(NULL));
    ss_check(request != NULL && request->memory_bytes == sizeof *request);
    ss_check(request->session_id.len == 0 && request->payload.len == 0);
    ss__msg_free(&request->base);
    ss__msg_free(NULL);
}

SS_TEST(message, the_first_error_stays)
{
    struct ss_request *request = ss__request_new(SS_REQUEST_SUBMIT, ss_str("s"), ss_str(NULL),
                                                 ss_str(NULL));
    ss__request_fail(request, SS_E_HANDLER, "first");
    ss__request_fail(request, SS_E_BUSY, "second");
    ss_check(request->err == SS_E_HANDLER);
    ss_check(strcmp((const char *)request->text->data, "first") == 0);
    ss__msg_free(&request->base);
    request = ss__request_new(SS_REQUEST_SUBMIT, ss_str("s"), ss_str(NULL), ss_str(NULL));
    ss__request_fail(request, SS_E_BUSY, NULL);
    ss_check(request->err == SS_E_BUSY && request->text == NULL);
    ss__msg_free(&request->base);
}

SS_TEST(message, freeing_gives_every_buffer_back)
{
    struct ss_buf *buf = ss__buf_copy("x", 1);
    struct ss_request *request = ss__request_new(SS_REQUEST_SUBSCRIBE, ss_str("s"), ss_str(NULL),
                                                 ss_str(NULL));
    request->snapshot = ss__buf_ref(buf);
    request->frames = calloc(2, sizeof *request->frames);
    request->frames[0] = ss__buf_ref(buf);
    request->frames[1] = ss__buf_ref(buf);
    request->frames_count = 2;
    request->base.kind = SS_MSG_REPLY;
    ss__msg_free(&request->base);
    struct ss_msg_frame *frame = ss__msg_new(SS_MSG_FRAME, sizeof *frame);
    frame->bufs[0] = ss__buf_ref(buf);
    frame->bufs[2] = ss__buf_ref(buf);
    ss__msg_free(&frame->base);
    ss_check(atomic_load(&buf->refs) == 1);
    ss__buf_unref(buf);
}

SS_TEST(message, uninterested_names_session_and_handle)
{
    struct ss_session_handle handle = { .slot = 3, .generation = 9 };
    struct ss_msg_uninterested *msg = ss__uninterested_new(
        sizeof *msg, 2, handle, ss_str("s-1"));
    ss_check(msg != NULL && msg->base.kind == SS_MSG_UNINTERESTED && msg->gateway == 2);
    ss_check(msg->handle.slot == 3 && msg->handle.generation == 9);
    ss_check(ss_str_equal(msg->session_id, ss_str("s-1")));
    ss_check(msg->base.node.bytes >= sizeof *msg + 3);
    ss__msg_free(&msg->base);
}

SS_TEST(message, a_request_may_have_a_key)
{
    char key[] = "order-1";
    struct ss_request *request = ss__request_new_keyed(
        SS_REQUEST_SUBMIT, ss_str("s"), ss_str(NULL), ss_str("p"), ss_str(key));
    ss_check(request != NULL && request->memory_bytes == sizeof *request + 1 + 1 + 7);
    memset(key, 'x', sizeof key - 1);
    ss_check(ss_str_equal(request->key, ss_str("order-1")));
    ss_check(ss_str_equal(request->payload, ss_str("p")) && !request->replayed);
    ss__msg_free(&request->base);
}

SS_TEST(message, keys_are_short_utf8_without_nul)
{
    char key[257];
    memset(key, 'k', sizeof key);
    ss_check(ss__request_key_valid(ss_str_of(key, 255)));
    ss_check(!ss__request_key_valid(ss_str_of(key, 256)));
    ss_check(ss__request_key_valid(ss_str("\xc3\xa4")) && !ss__request_key_valid(ss_str("\xc3")));
    ss_check(!ss__request_key_valid(ss_str("")) && !ss__request_key_valid(ss_str_of("a\0b", 3)));
}

SS_TEST(message, what_a_request_failed_with_is_told_in_utf8)
{
    struct ss_str none = ss_str(NULL);
    struct ss_request *request = ss__request_new(SS_REQUEST_SUBMIT, ss_str("s"), none, none);
    ss_check(request != NULL);
    ss__request_fail(request, SS_E_HANDLER, "caf\xE9");
    ss_check(strcmp((const char *)request->text->data, "caf?") == 0);
    ss__msg_free(&request->base);
}
