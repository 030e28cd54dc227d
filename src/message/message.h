/* message.h - what gateways, shards and the engine say to each other.
 *
 * kind             from             to        handled by               answered with
 * REQUEST          gateway, engine  shard     shard/dispatch.c         itself, turned round
 * UNINTERESTED     gateway          shard     shard/channel.c          -
 * LOADED           reader pool      shard     shard/load.c             -
 * SNAPSHOT_MADE    pool             shard     shard/snapshot_job.c     -
 * FLUSHED          pool             shard     shard/flusher.c          -
 * SPARE            pool             shard     shard/spare.c            -
 * LISTED           reader pool      shard     shard/listing.c          -
 * WORKED           work pool        shard     shard/work.c             -
 * METADATA         work pool        shard     shard/metadata.c         -
 * IMPORT_READ      reader pool      shard     shard/import.c           -
 * FOLDED           reader pool      shard     shard/fold.c             -
 * EVENTS_READ      reader pool      shard     shard/events.c           -
 * CUT              engine           shard     shard/cut.c              - (see struct ss_msg_cut)
 * SCANNED          reader pool      shard     shard/retention.c        -
 * FRAME            shard            gateway   gateway/egress.c         -
 * REPLY            shard            gateway   gateway/egress.c         - (a REQUEST turned round)
 * RESYNC           shard            gateway   gateway/egress.c         a new subscribe
 * STOP             engine           both      their life cycle         -
 *
 * Messages are heap objects with one owner; posting gives them away. A request keeps its memory on
 * the way back, so that an answer needs no allocation. Ids cross threads, pointers do not, but for
 * the message itself and struct ss_buf. */
#ifndef SS_MESSAGE_MESSAGE_H
#define SS_MESSAGE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/engine.h>
#include <sessionstream/history.h>
#include <sessionstream/snapshot.h>
#include <sessionstream/types.h>

#include "core/buf.h"
#include "core/cursor.h"
#include "core/list.h"
#include "runtime/inbox.h"

/* Encodings of frames, as wire/encoding.h counts them: v1 JSON, v2 JSON, v2 protobuf. */
#define SS_MESSAGE_ENCODINGS 3

enum ss_msg_kind {
    SS_MSG_REQUEST,
    SS_MSG_UNINTERESTED,
    SS_MSG_LOADED,
    SS_MSG_SNAPSHOT_MADE,
    SS_MSG_FLUSHED,
    SS_MSG_SPARE,
    SS_MSG_LISTED,
    SS_MSG_WORKED,
    SS_MSG_METADATA,
    SS_MSG_IMPORT_READ,
    SS_MSG_FOLDED,
    SS_MSG_EVENTS_READ,
    SS_MSG_CUT,
    SS_MSG_SCANNED,
    SS_MSG_FRAME,
    SS_MSG_REPLY,
    SS_MSG_RESYNC,
    SS_MSG_STOP,
};

struct ss_msg {
    struct ss_inbox_node node;    /* first: a node is its message */
    uint8_t kind;                 /* enum ss_msg_kind */
};

#define SS_GATEWAY_NONE UINT16_MAX

/* A connection as others know it: the gateway drops what names an older generation. */
struct ss_connection_id {
    uint16_t gateway;             /* SS_GATEWAY_NONE: the caller is in this process */
    uint32_t slot;
    uint32_t generation;
};

/* A followed session as its gateway counts it. */
struct ss_session_handle {
    uint32_t slot;
    uint32_t generation;
};

/* Why a client that wanted to resume got a snapshot. */
enum ss_resume_reason {
    SS_RESUME_NONE,
    SS_RESUME_STALE_EPOCH,     /* its cursor is of another epoch */
    SS_RESUME_AHEAD,           /* behind the newest event */
    SS_RESUME_TOO_OLD,         /* frames after it are no longer kept */
    SS_RESUME_LIVE_UNKNOWN,    /* it depends on live-only events that nobody remembers */
};

enum ss_request_kind {
    SS_REQUEST_SUBMIT,       /* run a command */
    SS_REQUEST_PUBLISH,      /* publish an event past any handler */
    SS_REQUEST_PUBLISH_NAMED,    /* the same, see shard/publisher.c */
    SS_REQUEST_IMPORT,       /* events with their ordinals: append, or compare with what is there */
    SS_REQUEST_BARRIER,
    SS_REQUEST_SUBSCRIBE,    /* answer: a snapshot or none, frames after it; then FRAMEs follow */
    SS_REQUEST_SNAPSHOT,     /* answer: the SnapshotFrame document as JSON */
    SS_REQUEST_LIST,         /* to every shard; answer: its part of the listing */
    SS_REQUEST_DEBUG,        /* answer: how the session is; loads nothing */
    SS_REQUEST_ERRORS,       /* to one or every shard; answer: its error records */
    SS_REQUEST_CURSORS,      /* answer: where the timelines stand */
    SS_REQUEST_RETRY,        /* try failed events again */
    SS_REQUEST_DELETE,       /* the session ends */
    SS_REQUEST_CLOSE,        /* the session leaves memory */
    SS_REQUEST_REBUILD,      /* make the entities again from the events */
    SS_REQUEST_EVENTS,       /* answer: stored events, as an array or as JSON */
    SS_REQUEST_RECOVER,      /* from the shard to itself: sessions cut off by a crash */
    SS_REQUEST_RETAIN,       /* from the shard to itself: see shard/retention.c */
};

struct ss_import;
struct ss_retry;    /* shard/retry.h; one block of memory */

/* What the pages of a snapshot are made of. Any thread gives a reference back. */
struct ss_page_source {
    void (*unref)(struct ss_page_source *source);
};

struct ss_request {
    struct ss_msg base;
    enum ss_request_kind request;
    struct ss_list link;                 /* shard: waiting for a load, or in the batch */

    /* Who asked; comes back unchanged. */
    struct ss_connection_id connection;
    uint64_t number;                     /* of the asker: names this request */
    ss_done_fn *done;                    /* in-process callers: called on the shard thread */
    ss_cursors_fn *cursors_done;         /* CURSORS: likewise, instead of @done */
    ss_snapshot_fn *snapshot_done;       /* SNAPSHOT: likewise; the answer is @view */
    ss_events_fn *events_done;           /* EVENTS: likewise; the answer is @events */
    void *ctx;

    /* What. The strings lie in the message's own memory. */
    struct ss_str session_id;
    uint64_t session_hash;               /* ss__map_hash of the id */
    struct ss_str request_id;            /* of the client, for its answer */
    const void *name;                    /* struct ss_name: command or event, from the registry */
    struct ss_str payload;               /* packed and validated */
    struct ss_str key;                   /* SUBMIT: for idempotency; empty: none */
    struct ss_session_handle handle;     /* SUBSCRIBE: where frames go */
    uint8_t encoding;                    /* SUBSCRIBE: enum ss_encoding */
    bool resuming;                       /* SUBSCRIBE: with a cursor */
    bool delta;                          /* SUBSCRIBE: the changes since will do */
    uint32_t page_bytes;                 /* SUBSCRIBE: of a snapshot in pages; 0: in one frame */
    uint32_t reserved;                   /* of the gateway: kept free for the page asked for */
    bool counted;                        /* of the gateway: it counts as answered */
    bool withdrawn;                      /* between two pages: nobody wants the rest */
    bool out_of_reach;                   /* the shard to itself: the frames were not to be had */
    struct ss_cursor resume;
    uint64_t since;                      /* SUBSCRIBE: echoed */
    uint64_t at;                         /* SNAPSHOT: as it was after this event; 0: now.
                                            REBUILD: from the entities after it.
                                            EVENTS: those after it.
                                            RETAIN: events up to there are to go */
    uint32_t limit;                      /* EVENTS: at most so many; above 0 */
    bool raw;                            /* EVENTS: the JSON has the bytes as stored, too */
    bool whole;                          /* the shard to itself: all entities are needed */
    struct ss_listing *listing;          /* LIST: see message/listing.h; a reference */
    struct ss_error_listing *errors;     /* ERRORS: see message/error_listing.h; a reference */
    struct ss_debug_view *debug;         /* DEBUG: see message/debug_view.h; the request's */
    uint32_t timelines;                  /* RETRY, REBUILD: bit per index; 0: all */
    struct ss_import *import;            /* IMPORT: see message/import.h; the request's */
    struct ss_retry *retry;              /* RETRY: how far it is; the request's */
    uint32_t state;                      /* CLOSE: the state that is being written */

    /* Answer. */
    int err;
    uint64_t ordinal;                    /* highest published; SUBSCRIBE: the frames are after it;
                                            SS_E_GONE: the first event that is there */
    struct ss_cursor place;              /* SUBSCRIBE: where snapshot or cursor and frames lead */
    bool replayed;                       /* SUBMIT: the result of an earlier one with its key */
    bool recovered;                      /* SUBSCRIBE: no snapshot is needed */
    bool running;                        /* SUBSCRIBE: the session is at work */
    uint8_t reason;                      /* SUBSCRIBE: enum ss_resume_reason */
    struct ss_buf *text;                 /* sentence of an error, or NULL */
    struct ss_buf *snapshot;             /* SUBSCRIBE: websocket message; SNAPSHOT, EVENTS: JSON */
    const struct ss_snapshot *view;      /* SNAPSHOT: until the answer is given */
    const struct ss_event_page *events;  /* EVENTS: likewise */
    uint64_t live;                       /* SUBSCRIBE: with @ordinal, what the frames are after */
    bool snapshot_shared;                /* and counted with the request it was made for */
    struct ss_cursors *cursors;          /* CURSORS: the request's */
    uint32_t page;                       /* SUBSCRIBE: the newest, from 1; 0: none, or no pages */
    bool more;                           /* and others follow: sent back, it fetches the next */
    bool missed;                         /* after the last one: frames are lost, resync */
    uint32_t resyncs;                    /* of the shard's, when the snapshot was made */
    struct ss_page_source *pages;        /* the request's, until the last page */
    struct ss_buf **frames;              /* SUBSCRIBE: frames after the snapshot */
    uint32_t frames_count;

    size_t memory_bytes;                 /* of this object */
    char memory[];
};

/* The last follower of a session on this gateway is gone. May be the first member of a larger
 * object, which is freed with it. */
struct ss_msg_uninterested {
    struct ss_msg base;
    uint16_t gateway;
    struct ss_session_handle handle;
    uint64_t session_hash;
    struct ss_str session_id;    /* in the same object */
};

/* One frame for all followers of a session on one gateway. */
struct ss_msg_frame {
    struct ss_msg base;
    bool live;                                    /* of no durable event: @ordinal is no bound */
    bool ends;                                    /* the session: nobody follows it any more */
    struct ss_session_handle handle;
    uint64_t ordinal;
    struct ss_buf *bufs[SS_MESSAGE_ENCODINGS];    /* NULL: no follower with that encoding */
};

/* Frames of this session were dropped on the way (overflow, reload): subscribe again. */
struct ss_msg_resync {
    struct ss_msg base;
    struct ss_session_handle handle;
};

struct ss_cut;

/* A backup wants the shard as of one moment, and posts the same message again, with @over, when it
 * has copied that. One at a time. */
struct ss_msg_cut {
    struct ss_msg base;
    bool over;
    int err;                /* why there is no cut: SS_E_STOREIO, SS_E_NOMEM, SS_E_STOPPING */
    struct ss_cut *cut;     /* store/cut.h: of the store, to read until @over is posted */
    /* On the shard thread: the message belongs to whoever posted it again. */
    void (*made)(struct ss_msg_cut *msg);
    void *ctx;
};

struct ss_msg_stop {
    struct ss_msg base;
    bool now;
    uint32_t patience_ms;    /* if @now: with clients that do not read */
};

/* The reason in the words of the wire; empty for SS_RESUME_NONE. */
struct ss_str ss__resume_reason_text(enum ss_resume_reason reason);

/* A request with room for its strings, which are copied in; NULL when out of memory. The other
 * fields are zero and the connection is SS_GATEWAY_NONE. Any thread. */
struct ss_request *ss__request_new(enum ss_request_kind kind, struct ss_str session_id,
                                   struct ss_str request_id, struct ss_str payload);

/* The same with an idempotency key. */
struct ss_request *ss__request_new_keyed(enum ss_request_kind kind, struct ss_str session_id,
                                         struct ss_str request_id, struct ss_str payload,
                                         struct ss_str key);

/* A request that takes @import, and counts its memory; NULL when out of memory: not taken. */
struct ss_request *ss__request_new_import(struct ss_str session_id, struct ss_import *import);

/* Whether a key can be taken: 1 to SS_IDEMPOTENCY_KEY_BYTES_MAX bytes of UTF-8 without NUL. */
bool ss__request_key_valid(struct ss_str key);

/* Gives a request its error; @text may be NULL. Keeps the first error. */
void ss__request_fail(struct ss_request *request, int err, const char *text);

/* The same with SS_E_GONE, which names @first, the first event that is there. */
void ss__request_gone(struct ss_request *request, uint64_t first);

/* An object of @bytes zeroed bytes that begins with the message; the id is copied behind it. NULL
 * when out of memory. */
struct ss_msg_uninterested *ss__uninterested_new(size_t bytes, uint16_t gateway,
                                                 struct ss_session_handle handle,
                                                 struct ss_str session_id);

/* A zeroed message of @bytes bytes (>= sizeof struct ss_msg); NULL when out of memory. */
void *ss__msg_new(enum ss_msg_kind kind, size_t bytes);

/* Frees any message with what it holds. Does not call done callbacks. NULL is fine. */
void ss__msg_free(struct ss_msg *msg);

static inline struct ss_msg *ss__msg_of(struct ss_inbox_node *node)
{
    return (struct ss_msg *)(void *)node;
}

#endif
