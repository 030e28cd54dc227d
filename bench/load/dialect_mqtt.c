/* MQTT 3.1.1 with QoS 0: at most once, no answers to a publish. Source: OASIS MQTT 3.1.1. */
#include <stdio.h>

#include <sessionstream/error.h>

#include "load/peer_body.h"

#define PACKET_BYTES_MAX (1u << 20)

/* Section 2.2.1, in the upper half of the first byte. */
enum { CONNECT = 1, CONNACK = 2, PUBLISH = 3, SUBSCRIBE = 8, SUBACK = 9 };
enum { SUBSCRIBE_FLAGS = 2, CLEAN_SESSION = 2, LEVEL = 4, PACKET_ID = 1, QOS_FAILURE = 0x80 };

static void begin(struct ss_bytes *out, unsigned type, unsigned flags, size_t left)
{
    ss__bytes_byte(out, (uint8_t)(type << 4 | flags));
    ss__bytes_varint(out, left);    /* section 2.2.3 has the same form */
}

static void number(struct ss_bytes *out, size_t value)
{
    ss__bytes_byte(out, (uint8_t)(value >> 8));
    ss__bytes_byte(out, (uint8_t)value);
}

static void string(struct ss_bytes *out, struct ss_str text)
{
    number(out, text.len);
    ss__bytes_str(out, text);
}

static void greet(struct ss_load_link *link, const struct ss_load_purpose *purpose,
                  struct ss_bytes *out)
{
    char id[24];    /* every server takes 23 letters and digits */
    link->publishes = purpose->session_id.len == 0;
    size_t len = (size_t)snprintf(id, sizeof id, "ssload");
    for (size_t i = 0; i < 8; i++) {
        len += (size_t)snprintf(id + len, sizeof id - len, "%02x", purpose->random[i]);
    }
    begin(out, CONNECT, 0, 10 + 2 + len);
    string(out, ss_str("MQTT"));
    ss__bytes_byte(out, LEVEL);
    ss__bytes_byte(out, CLEAN_SESSION);
    number(out, 0);    /* no keep-alive: nothing need be sent while nothing happens */
    string(out, ss_str_of(id, len));
}

static void subscribe(struct ss_str session_id, struct ss_bytes *out)
{
    begin(out, SUBSCRIBE, SUBSCRIBE_FLAGS, 2 + 2 + session_id.len + 1);
    number(out, PACKET_ID);
    string(out, session_id);
    ss__bytes_byte(out, 0);    /* QoS */
}

static void publish(const struct ss_load_message *message, struct ss_bytes *out)
{
    struct ss_load_peer_body body;
    ss__load_peer_body(message, &body);
    begin(out, PUBLISH, 0, 2 + message->session_id.len + body.len);
    string(out, message->session_id);
    ss__load_peer_body_append(&body, out);
}

static const char *take_publish(unsigned flags, struct ss_str packet, ss_load_item_fn *on_item,
                                void *ctx)
{
    size_t topic = packet.len < 2 ? packet.len
                                  : (size_t)(uint8_t)packet.data[0] << 8 | (uint8_t)packet.data[1];
    if ((flags & 6) != 0 || packet.len < 2 + topic) {
        return "a message with another QoS than 0, or cut off";
    }
    struct ss_str body = ss_str_of(packet.data + 2 + topic, packet.len - 2 - topic);
    bool ours = ss__load_peer_deliver(body, on_item, ctx);
    return ours ? NULL : "a message that is not one of this generator";
}

/* Returns a flaw or NULL. */
static const char *take_packet(struct ss_load_link *link, uint8_t first, struct ss_str packet,
                               ss_load_item_fn *on_item, void *ctx)
{
    struct ss_load_item item = { .kind = SS_LOAD_OPEN, .text = ss_str("") };
    switch (first >> 4) {
    case CONNACK:
        if (packet.len != 2 || packet.data[1] != 0 || link->open) {
            return "the server refuses the connection";
        }
        link->open = true;
        on_item(ctx, &item);
        return NULL;
    case SUBACK:
        if (packet.len != 3 || (uint8_t)packet.data[2] == QOS_FAILURE) {
            return "the server refuses the subscription";
        }
        item.kind = SS_LOAD_SUBSCRIBED;
        on_item(ctx, &item);
        return NULL;
    case PUBLISH:
        return take_publish(first & 15u, packet, on_item, ctx);
    default:
        return "a packet that was not asked for";
    }
}

/* Bytes of the fixed header and of what follows it: 0 if it is incomplete, or SS_E_PROTO. */
static ptrdiff_t read_header(const uint8_t *in, size_t len, size_t *ret_left)
{
    size_t left = 0;
    for (size_t i = 1; i < 5 && i < len; i++) {
        left |= (size_t)(in[i] & 127) << 7 * (i - 1);
        if (in[i] < 128) {
            *ret_left = left;
            return left > PACKET_BYTES_MAX ? SS_E_PROTO : (ptrdiff_t)i + 1;
        }
    }
    return len >= 5 ? SS_E_PROTO : 0;
}

static ptrdiff_t take(struct ss_load_link *link, const uint8_t *in, size_t len,
                      ss_load_item_fn *on_item, void *ctx, struct ss_bytes *out,
                      const char **ret_flaw)
{
    (void)out;
    size_t at = 0;
    size_t left;
    for (ptrdiff_t head; (head = read_header(in + at, len - at, &left)) != 0;) {
        if (head < 0) {
            *ret_flaw = "a packet longer than 1 MiB";
            return head;
        }
        if (left > len - at - (size_t)head) {
            break;
        }
        struct ss_str packet = ss_str_of(in + at + head, left);
        const char *flaw = take_packet(link, in[at], packet, on_item, ctx);
        if (flaw != NULL) {
            *ret_flaw = flaw;
            return SS_E_PROTO;
        }
        at += (size_t)head + left;
    }
    return (ptrdiff_t)at;
}

const struct ss_load_dialect ss__load_mqtt = {
    .name = "mqtt", .follows = true, .acks = SS_LOAD_ACKS_NONE, .greet = greet, .take = take,
    .subscribe = subscribe, .pack_payload = ss__load_peer_pack, .publish = publish,
};
