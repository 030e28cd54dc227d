#include "load/peer_body.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 18

void ss__load_peer_body(const struct ss_load_message *message,
                        struct ss_load_peer_body *ret_body)
{
    int len = snprintf(ret_body->head, sizeof ret_body->head, "%" PRIu64 " %" PRId64 " ",
                       message->number, message->sent_ns);
    struct ss_str payload = message->payload;
    ret_body->head_len = (size_t)len;
    size_t skipped = payload.len < ret_body->head_len ? payload.len : ret_body->head_len;
    ret_body->filler = ss_str_of(payload.data + skipped, payload.len - skipped);
    ret_body->len = ret_body->head_len + ret_body->filler.len;
}

void ss__load_peer_body_append(const struct ss_load_peer_body *body, struct ss_bytes *out)
{
    ss__bytes_append(out, body->head, body->head_len);
    ss__bytes_str(out, body->filler);
}

bool ss__load_peer_number(struct ss_str digits, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (digits.len == 0 || digits.len > DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(digits.data[i] - '0');
    }
    *ret_value = value;
    return true;
}

/* The number that ends with a space; returns the offset behind that, or 0. */
static size_t take_number(struct ss_str body, size_t at, uint64_t *ret_value)
{
    size_t left = body.len - at;
    const char *end = left == 0 ? NULL : memchr(body.data + at, ' ', left);
    if (end == NULL) {
        return 0;
    }
    size_t len = (size_t)(end - body.data) - at;
    return ss__load_peer_number(ss_str_of(body.data + at, len), ret_value) ? at + len + 1 : 0;
}

bool ss__load_peer_body_read(struct ss_str body, struct ss_load_item *item)
{
    uint64_t number;
    uint64_t sent_ns;
    size_t at = take_number(body, 0, &number);
    if (at == 0 || take_number(body, at, &sent_ns) == 0 || number == 0) {
        return false;
    }
    item->ordinal = number;
    item->sent_ns = (int64_t)sent_ns;
    return true;
}

bool ss__load_peer_deliver(struct ss_str body, ss_load_item_fn *on_item, void *ctx)
{
    struct ss_load_item item = { .kind = SS_LOAD_DELIVERY, .text = ss_str("") };
    if (!ss__load_peer_body_read(body, &item)) {
        return false;
    }
    on_item(ctx, &item);
    return true;
}

void ss__load_peer_pack(struct ss_str raw, struct ss_bytes *out)
{
    ss__bytes_str(out, raw);
}

size_t ss__load_peer_line(struct ss_str in, size_t at, struct ss_str *ret_line)
{
    size_t left = in.len - at;
    const char *end = left < 2 ? NULL : memmem(in.data + at, left, "\r\n", 2);
    if (end == NULL) {
        return 0;
    }
    *ret_line = ss_str_of(in.data + at, (size_t)(end - in.data) - at);
    return (size_t)(end - in.data) + 2;
}
