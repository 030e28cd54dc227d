/* peer.h - one client connection of the generator: non-blocking, reads whole frames, and does
 * what no client should when it is told to. One thread. */
#ifndef SS_HOSTILE_PEER_H
#define SS_HOSTILE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/bytes.h"

struct peer;

typedef void peer_frame_fn(struct peer *peer, struct ss_str text);

struct peer {
    int fd;                    /* -1: closed */
    bool websocket;            /* the handshake was answered with 101 */
    bool ended;                /* the server has closed or reset it */
    bool polite;               /* answers pings */
    bool deaf;                 /* never reads unless its scenario does */
    int status;                /* of the newest HTTP answer; 0: none */
    uint32_t answers;          /* of HTTP */
    uint16_t close_code;       /* of the server's close frame; 0: none */
    uint32_t frames;           /* messages */
    uint32_t pongs;
    uint32_t errors;           /* error frames */
    uint32_t accepted;
    uint32_t snapshots;
    uint32_t subscribed;
    uint32_t unsubscribed;
    uint64_t bytes_in;
    uint64_t began_ns;         /* to connect */
    uint64_t ended_ns;
    uint32_t sent;             /* of whatever the scenario counts */
    size_t at;                 /* of its pattern, sent */
    char code[40];             /* of the newest error frame or problem document */
    char head[192];            /* the first bytes that came */
    size_t head_len;
    struct ss_bytes in;        /* not looked at */
    struct ss_bytes *out;      /* bytes in it go before pongs, which then wait in it; or NULL */
    peer_frame_fn *on_frame;   /* each message, and body of an answer; NULL: they are counted */
    void *ctx;
};

/* Connects to the loopback port; @rcvbuf 0 leaves the kernel's. With another the segments are small
 * as well, so that the server's kernel keeps little, too, for a peer that does not read. False: it
 * could not. */
bool peer_connect(struct peer *peer, uint16_t port, int rcvbuf);

/* The same, and the handshake of a websocket of sessionstream.v2.json. Waits for the answer. */
bool peer_upgrade(struct peer *peer, uint16_t port, int rcvbuf);

/* Sends what the kernel takes; returns how much. */
size_t peer_send(struct peer *peer, const void *data, size_t len);

/* Sends all, waiting up to two minutes; false: it did not go. */
bool peer_send_all(struct peer *peer, const void *data, size_t len);
bool peer_send_text(struct peer *peer, const char *text);

/* Sends up to @len bytes of a pattern that repeats for ever, going on where it stopped. */
size_t peer_flood(struct peer *peer, const struct ss_bytes *pattern, size_t len);

/* Reads what is there, up to @max bytes. */
void peer_read(struct peer *peer, size_t max);

/* From now on the kernel drops all that arrives for this socket, acknowledges nothing and tells
 * nobody: the machine behind it is gone. */
bool peer_vanish(struct peer *peer);

/* Closes; with @reset the server gets a reset. */
void peer_close(struct peer *peer, bool reset);

/* A masked frame with this text; appended to @out. */
void frame_text(struct ss_bytes *out, const char *text);
void frame_raw(struct ss_bytes *out, uint8_t first_byte, const void *payload, size_t len);

/* A submit of the bench application; @id is its request id, sentNs and mark. */
void frame_submit(struct ss_bytes *out, const char *session, uint64_t id, uint32_t payload,
                  uint32_t entity);

/* Frees what frame_submit keeps for the calling thread. */
void frame_release(void);

/* The decimal digits or the string behind @key in @text; 0 and "" if it is not there. */
uint64_t number_behind(struct ss_str text, const char *key);
struct ss_str text_behind(struct ss_str text, const char *key);
bool begins_with(struct ss_str text, const char *prefix);

extern const char upgrade_request[];

#endif
