/* dialect.h - what a server's protocol looks like to the generator: what is said to it, and which
 * items its bytes mean. Pure: no I/O, no clock. A link belongs to one thread. */
#ifndef SS_LOAD_DIALECT_H
#define SS_LOAD_DIALECT_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/types.h>

#include "core/bytes.h"

enum ss_load_item_kind {
    SS_LOAD_OPEN,          /* the connection may be used */
    SS_LOAD_SNAPSHOT,      /* what the session holds at @ordinal */
    SS_LOAD_SUBSCRIBED,    /* deliveries follow */
    SS_LOAD_DELIVERY,
    SS_LOAD_ACK,           /* a publish is durable at @ordinal */
    SS_LOAD_ERROR,         /* of the publish @number if that is not 0 */
    SS_LOAD_CLOSED,        /* the server says goodbye */
};

struct ss_load_item {
    enum ss_load_item_kind kind;
    uint64_t epoch;
    uint64_t ordinal;
    int64_t sent_ns;           /* DELIVERY, ACK, ERROR: as it was published */
    uint32_t entity;           /* DELIVERY */
    uint32_t session;          /* ACK, ERROR: as it was published */
    uint64_t number;           /* ACK, ERROR: as it was published */
    struct ss_str text;        /* ERROR, CLOSED: why; SNAPSHOT: the frame, for entities */
};

struct ss_load_message {
    struct ss_str session_id;
    uint32_t session;
    uint64_t number;           /* from 1 in each session */
    int64_t sent_ns;
    uint32_t entity;
    struct ss_str payload;     /* packed for the dialect: see pack_payload */
};

/* The protocol's state of one connection. */
struct ss_load_link {
    bool open;
    char accept[32];           /* what the handshake must answer */
    size_t hints[4];           /* where members stood in the frame before */
};

typedef void ss_load_item_fn(void *ctx, const struct ss_load_item *item);

/* One entity of a snapshot: number and last ordinal. */
typedef void ss_load_entity_fn(void *ctx, uint32_t entity, uint64_t ordinal);

struct ss_load_dialect {
    const char *name;

    /* Appends what opens a connection. @random: 16 fresh bytes. */
    void (*greet)(struct ss_load_link *link, struct ss_str authority, const uint8_t random[16],
                  struct ss_bytes *out);

    /* Reads whole frames at the start of @in; replies go to @out. Returns the bytes taken, or
     * SS_E_PROTO with the reason in *ret_flaw (static). */
    ptrdiff_t (*take)(struct ss_load_link *link, const uint8_t *in, size_t len,
                      ss_load_item_fn *on_item, void *ctx, struct ss_bytes *out,
                      const char **ret_flaw);

    void (*subscribe)(struct ss_str session_id, struct ss_bytes *out);

    /* Appends the form that messages carry of a raw payload. */
    void (*pack_payload)(struct ss_str raw, struct ss_bytes *out);

    void (*publish)(const struct ss_load_message *message, struct ss_bytes *out);

    /* Calls @each for the entities of a snapshot; false if it cannot be read. */
    bool (*entities)(struct ss_str snapshot, ss_load_entity_fn *each, void *ctx);

    /* Frees what publish keeps for the calling thread; NULL if it keeps nothing. */
    void (*release)(void);
};

/* By its name: json, protobuf. NULL: unknown. */
const struct ss_load_dialect *ss__load_dialect_find(const char *name);

extern const struct ss_load_dialect ss__load_json;
extern const struct ss_load_dialect ss__load_protobuf;

#endif
