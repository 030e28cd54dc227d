/* session.h - a session in memory: the channel, and the state that comes and goes.
 *
 * The channel says who is interested, keeps recent frames, tasks and parked requests: what has
 * left after a commit. The state holds ordinal and entities, those of the open batch included; it
 * is dropped when a commit fails or memory is short, and loaded again. Followers pin the channel
 * only. */
#ifndef SS_SHARD_SESSION_H
#define SS_SHARD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/list.h"
#include "core/map.h"
#include "message/message.h"
#include "schema/registry.h"
#include "shard/outbox.h"
#include "shard/ring.h"
#include "store/store.h"

struct ss_shard;

/* A gateway with followers of the session. */
struct ss_interest {
    struct ss_session_handle handle;
    struct ss_outbox_mark mark;
    uint16_t gateway;
    uint8_t encodings;    /* bit per enum ss_encoding */
};

struct ss_channel {
    struct ss_str id;                  /* in memory[] */
    uint64_t hash;
    struct ss_state *state;            /* NULL: not in memory */
    struct ss_interest *interests;
    struct ss_ring *ring;              /* NULL until followers are sent a frame */
    struct ss_list tasks;
    struct ss_list parked;             /* requests: see shard/parked.h */
    struct ss_list ready;              /* in shard->ready if they may run */
    struct ss_list idle;               /* in shard->idle: to be released when the batch is over */
    struct ss_store_session *held;     /* while @retrying: it knows what counts of the entities */
    void *data;                        /* of the application */
    uint32_t interests_count;
    uint32_t parked_count;
    uint32_t tasks_count;
    uint32_t states;                   /* made so far: tells a state from one dropped before */
    uint32_t batch;                    /* number of the batch that batch_messages counts for */
    uint16_t batch_messages;           /* and tasks */
    uint8_t retrying;                  /* bit per timeline whose loads try failed events again: see
                                          shard/retry.h */
    bool loading : 1;
    bool running : 1;                  /* said by the application; goes out with the next event */
    bool running_told : 1;             /* what followers were told last */
    bool has_metadata : 1;             /* of the application: see shard/metadata.h */
    bool rebuilding : 1;               /* see shard/rebuild.h */
    bool making : 1;                   /* has snapshots in shard->snapshot_jobs */
    char memory[];
};

/* One entity as of the newest event. Payload memory of replaced versions is kept until the batch
 * ends, so that what a handler was shown stays valid. */
struct ss_entity_slot {
    struct ss_list dirty;              /* in state->dirty or ->staged; to itself when clean */
    const struct ss_name *kind;
    struct ss_str id;                  /* in memory[] */
    uint64_t created_ordinal;
    uint64_t last_ordinal;
    uint64_t time_us;
    struct ss_buf *payload;            /* packed; NULL for a tombstone */
    bool staged;                       /* in state->staged */
    bool unreadable;                   /* the payload does not fit the type of today */
    char memory[];
};

/* A change of one entity that can no longer fail. */
struct ss_entity_change {
    struct ss_entity_slot *slot;       /* NULL: there is nothing to change */
    struct ss_buf *payload;            /* NULL: tombstone */
    struct ss_retired *retired;        /* for the payload it replaces */
    bool created;                      /* the slot was made for it */
};

struct ss_snapshot_cache {
    struct ss_buf *buf;
    uint64_t ordinal;                  /* of the session's newest event in there */
    uint64_t made_ns;
    uint32_t live;                     /* live-only events after that one */
    bool running;
};

/* What one timeline projection has made of the session: see shard/timeline_cursor.h. */
struct ss_timeline_state {
    struct ss_failed_set *failed;      /* events that are not in its entities; NULL: none */
    uint64_t ordinal;                  /* newest event its entities show */
    uint64_t halted_at;                /* the event it stopped at; 0: it goes on */
    uint64_t loaded;                   /* the checkpoint that its replay begins with */
    bool retrying;                     /* its replay tries failed events again */
};

/* What a session in memory takes beside its state: channel, the handle of the store, places in
 * their maps. */
#define SS_STATE_BESIDE_BYTES (sizeof(struct ss_channel) + 600)

struct ss_state {
    struct ss_channel *channel;
    struct ss_store_session *stored;   /* NULL until the first event */
    uint64_t ordinal;                  /* of the newest event */
    uint64_t timeline_ordinal;         /* newest event the entities show: position of a snapshot */
    uint64_t epoch;                    /* 0 until the first event */
    struct ss_map entities;            /* kind, 0, id -> struct ss_entity_slot */
    struct ss_list dirty;              /* slots changed since the last checkpoint */
    struct ss_list staged;             /* slots of a checkpoint that is being written */
    uint32_t dirty_count;              /* without the staged ones */
    uint32_t live_count;               /* slots that are no tombstones */
    uint8_t remade;                    /* bit per timeline: put in the place of what is on disk, by
                                          the next checkpoint there too */
    uint8_t voided;                    /* of these, what is on disk counts again without it */
    bool replayed;                     /* shows every event of the store: may take new ones */
    bool announced;                    /* the load hook has run: so will unload */
    bool whole;                        /* every entity is in memory */
    bool unreadable;                   /* has stored payloads that cannot be read: was logged */
    bool touched;                      /* has events of the open batch, live-only ones too, or was
                                          said to run or to rest in it: in shard->touched */
    struct ss_live *live;              /* NULL until the first live-only event */
    uint64_t tombstones_after;         /* removals of later events all have their slot */
    size_t bytes;                      /* without cached snapshots */
    size_t snapshot_bytes;
    struct ss_list touched_link;
    struct ss_list due;                /* in shard->due if a checkpoint is wanted */
    struct ss_list flushing;           /* in shard->flushing while one is written */
    struct ss_list recent;             /* in shard->recent, newest last, or in shard->empty */
    struct ss_list unwritten;          /* in shard->unwritten while dirty_count > 0 */
    struct ss_snapshot_cache snapshots[SS_MESSAGE_ENCODINGS];
    struct ss_snapshot_cache document;
    uint32_t timelines_count;
    struct ss_timeline_state timelines[];    /* by index in the registry */
};

/* Finds or makes the channel of a session; NULL when out of memory. */
struct ss_channel *ss__channel_get(struct ss_shard *shard, struct ss_str id, uint64_t hash,
                                   bool create);

/* Frees the channel if nothing needs it any more; one that the open batch used, after the batch. */
void ss__channel_release(struct ss_shard *shard, struct ss_channel *channel);

/* The same after the batch in any case: callers up the stack may hold the channel. */
void ss__channel_release_later(struct ss_shard *shard, struct ss_channel *channel);

/* Adds or widens a gateway's interest. SS_E_NOMEM. */
int ss__channel_follow(struct ss_shard *shard, struct ss_channel *channel, uint16_t gateway,
                       struct ss_session_handle handle, uint8_t encoding);
void ss__channel_unfollow(struct ss_shard *shard, struct ss_channel *channel, uint16_t gateway,
                          struct ss_session_handle handle);

/* The interest of a gateway under this handle, or NULL. Until the next follow or unfollow. */
struct ss_interest *ss__channel_interest(struct ss_channel *channel, uint16_t gateway,
                                         struct ss_session_handle handle);

/* Followers have other entities than there are now, which no frame tells: they begin again from a
 * snapshot. */
void ss__channel_resync(struct ss_shard *shard, struct ss_channel *channel);

/* Union of the encodings followers want, or those of a lingering ring want. */
uint8_t ss__channel_encodings(const struct ss_channel *channel);

/* Ends the lingering of rings that nobody came back for. */
void ss__channels_expire(struct ss_shard *shard);

/* An empty state for the channel; NULL when out of memory. */
struct ss_state *ss__state_new(struct ss_shard *shard, struct ss_channel *channel);

/* Drops the state; the channel stays. What it staged must be committed or undone. */
void ss__state_free(struct ss_shard *shard, struct ss_state *state);

/* True if there is nothing in it that the store could not tell at once. */
static inline bool ss__state_is_empty(const struct ss_state *state)
{
    return state->stored == NULL && state->ordinal == 0 && state->live == NULL &&
           !state->touched && !state->channel->loading && !state->channel->has_metadata;
}

/* Puts a snapshot into one of the state's caches; takes the reference. */
void ss__state_keep_snapshot(struct ss_shard *shard, struct ss_state *state,
                             struct ss_snapshot_cache *cache, struct ss_buf *buf,
                             uint64_t ordinal);

/* Memory that dropping the state gives back. */
static inline size_t ss__state_bytes(const struct ss_state *state)
{
    return state->bytes + state->snapshot_bytes;
}

/* The slot, tombstones included, from memory or the store. 0 and NULL if there is none. Errors:
 * SS_E_STOREIO, SS_E_CORRUPT, SS_E_NOMEM. */
int ss__state_find(struct ss_shard *shard, struct ss_state *state, const struct ss_name *kind,
                   struct ss_str id, struct ss_entity_slot **ret_slot);

/* True if so many new entities and so many more bytes stay within SS_SESSION_ENTITIES_MAX and
 * SS_SESSION_STATE_BYTES_MAX. Entities that are only on disk do not count. */
bool ss__state_has_room(const struct ss_state *state, uint32_t entities, size_t bytes);

/* Creates or changes an entity in two steps, so that an event changes all of its entities or none:
 * prepare does what may fail, apply does the rest, in the same order. @payload NULL: tombstone.
 * Checks no limit: what was accepted once must be replayed. Errors: those of ss__state_find. */
int ss__state_prepare(struct ss_shard *shard, struct ss_state *state, const struct ss_name *kind,
                      struct ss_str id, const struct ss_str *payload,
                      struct ss_entity_change *ret_change);
void ss__state_apply(struct ss_shard *shard, struct ss_state *state,
                     const struct ss_entity_change *change, uint64_t ordinal, uint64_t time_us);

/* Undoes the first step; not after the second. */
void ss__state_discard(struct ss_shard *shard, struct ss_state *state,
                       const struct ss_entity_change *change);

/* Lists the slot, which is in no list, as changed since the last checkpoint. */
void ss__state_dirty(struct ss_shard *shard, struct ss_state *state, struct ss_entity_slot *slot);

/* Takes a slot out of memory that the store could tell again: unchanged, or deleted there too. */
void ss__state_forget_slot(struct ss_shard *shard, struct ss_state *state,
                           struct ss_entity_slot *slot);

/* Adds an entity read from the store unless memory knows a newer one. @payload: a copy of the
 * row's, of which it keeps a reference; NULL: it makes one. SS_E_NOMEM. */
int ss__state_add_stored(struct ss_shard *shard, struct ss_state *state,
                         const struct ss_entity_row *row, struct ss_buf *payload);

/* Reads all entities into memory, on this thread. SS_E_STOREIO, SS_E_CORRUPT, SS_E_NOMEM. */
int ss__state_read_whole(struct ss_shard *shard, struct ss_state *state);

/* The state has an event in the open batch, or something that is in memory only. */
void ss__state_touch(struct ss_shard *shard, struct ss_state *state);

#endif
