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

/* What a connection is for; some protocols must know before they open it. */
struct ss_load_purpose {
    struct ss_str authority;   /* the server, "host:port" */
    struct ss_str session_id;  /* that it follows; empty: it publishes */
    uint8_t random[16];        /* fresh */
};

/* The protocol's state of one connection. */
struct ss_load_link {
    bool open;
    bool publishes;            /* peers only */
    char accept[32];           /* what the handshake must answer */
    size_t hints[4];           /* where members stood in the frame before */
};

/* How answers say which publish they mean. */
enum ss_load_acks {
    SS_LOAD_ACKS_NAMED,        /* by session and number */
    SS_LOAD_ACKS_IN_ORDER,     /* one answer to each, in the order of a connection */
    SS_LOAD_ACKS_NONE,         /* there are none; an ERROR is of the connection */
};

typedef void ss_load_item_fn(void *ctx, const struct ss_load_item *item);

/* One entity of a snapshot: number and last ordinal. */
typedef void ss_load_entity_fn(void *ctx, uint32_t entity, uint64_t ordinal);

struct ss_load_dialect {
    const char *name;

    /* Of sessionstream. Other servers, the peers, have no ordinals and no snapshots: a message
     * brings its number in the session as its ordinal, and SUBSCRIBED begins at what comes next. */
    bool numbered;
    bool follows;              /* false: it can only publish */
    enum ss_load_acks acks;

    /* Appends what opens a connection. */
    void (*greet)(struct ss_load_link *link, const struct ss_load_purpose *purpose,
                  struct ss_bytes *out);

    /* Reads whole frames at the start of @in; replies go to @out. Returns the bytes taken, or
     * SS_E_PROTO with the reason in *ret_flaw (static). */
    ptrdiff_t (*take)(struct ss_load_link *link, const uint8_t *in, size_t len,
                      ss_load_item_fn *on_item, void *ctx, struct ss_bytes *out,
                      const char **ret_flaw);

    /* After OPEN, for connections that follow; NULL: greet did it. */
    void (*subscribe)(struct ss_str session_id, struct ss_bytes *out);

    /* Appends the form that messages carry of a raw payload. */
    void (*pack_payload)(struct ss_str raw, struct ss_bytes *out);

    void (*publish)(const struct ss_load_message *message, struct ss_bytes *out);

    /* Calls @each for the entities of a snapshot; false if it cannot be read. NULL unless
     * numbered. */
    bool (*entities)(struct ss_str snapshot, ss_load_entity_fn *each, void *ctx);

    /* Frees what publish keeps for the calling thread; NULL if it keeps nothing. */
    void (*release)(void);
};

/* By its name: json, protobuf, or that of a peer: mqtt, nats, nchan, redis. NULL: unknown. */
const struct ss_load_dialect *ss__load_dialect_find(const char *name);

extern const struct ss_load_dialect ss__load_json;
extern const struct ss_load_dialect ss__load_protobuf;
extern const struct ss_load_dialect ss__load_mqtt;
extern const struct ss_load_dialect ss__load_nats;
extern const struct ss_load_dialect ss__load_nchan;
extern const struct ss_load_dialect ss__load_redis;

#endif
