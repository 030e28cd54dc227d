/* store.h - one shard's durable state: a write-ahead log in files of its own, and an LMDB
 * environment with what was moved out of it.
 *
 * A commit writes the events of a batch to the log with one write and one sync; nothing else is
 * written for them at once. The store keeps, per session with unflushed events, a tail: the log
 * positions of those events. A flush moves, in one transaction of LMDB, new sessions, tails that
 * have SS_SEGMENT_RECORDS_MAX events or SS_SEGMENT_BYTES_MAX bytes, tails whose oldest record falls
 * out of the log window, and staged checkpoints; log files that nothing needs any more are used
 * again. A flush that fails loses nothing. Entities are checkpoints written by the shard with
 * ss__store_stage_checkpoint, those of each timeline projection apart: the session's row says for
 * each up to which event they count, later events are replayed through it at load.
 *
 * Life:    open -> [stage events ..., commit | abort, stage checkpoints ..., flush] ... -> close
 * Threads: one owner thread (a shard) for everything but ss__store_read_image, which any thread
 *          may call between open and close. There is no lock in here.
 * Errors:  SS_E_STOREFULL  no space (free disk under min_free_bytes, quota, file size limit, 95 %
 *                          of the map in use): publishes are refused, reads go on, heals by
 *                          itself.
 *          SS_E_STOREIO    read or write error; after a failed sync every later commit says so,
 *                          and after a failed write of a meta page reads do too.
 *          SS_E_CORRUPT    a record failed its checksum or shape.
 *          SS_E_NOMEM.
 */
#ifndef SS_STORE_STORE_H
#define SS_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/durability.h>
#include <sessionstream/limits.h>
#include <sessionstream/types.h>
#include <sessionstream/verify.h>

#include "core/clock.h"
#include "core/failure.h"
#include "store/failed_set.h"

#define SS_SEGMENT_RECORDS_MAX 64
#define SS_SEGMENT_BYTES_MAX (32u << 10)

/* Timeline and UI projections that a store may ever have known. */
#define SS_STORE_PROJECTIONS_MAX 64

struct ss_store;
struct ss_store_session;    /* one session in use or with unflushed events */

struct ss_store_options {
    const char *dir;                  /* DATA/shard-0000; copied */
    bool must_exist;                  /* of a data directory, which has made it; else it is
                                         created if absent */
    uint32_t shard_index;
    uint32_t shard_count;
    uint64_t directory_id;            /* mixed into every session's epoch */
    enum ss_durability durability;
    uint64_t map_bytes;               /* 0: current size + quarter of the free disk, at most 64 GiB
                                         or current size + 1 GiB */
    uint64_t log_window_bytes;        /* unflushed records older than this are flushed */
    uint64_t log_window_bytes_max;    /* the window grows to this while over half is unflushed */
    uint64_t log_file_bytes;          /* of one file of the log, once it has grown: 64 MiB */
    uint64_t sessions_held_max;       /* that nobody uses, kept in memory for their unflushed
                                         events; beyond, the oldest are flushed */
    uint64_t min_free_bytes;          /* publishes are refused below this much free disk */
    uint64_t backup_growth_bytes;     /* of the data file, while a backup copies it */
    uint32_t command_ttl_ms;          /* how long results of keyed commands are kept */
    enum ss_verify verify;            /* before it is opened; SS_VERIFY_NONE */
    struct ss_clock *clock;           /* borrowed */
};

void ss__store_options_init(struct ss_store_options *options);

struct ss_store_report {
    uint64_t sessions;            /* in the catalog, and new ones in the log */
    uint64_t recovered_records;   /* unflushed records found in the log */
    uint64_t damaged_records;
    uint64_t recovery_us;
    uint64_t incarnation;
    bool created;
    bool clean;                   /* the last process closed it in order */
};

/* Creates or opens and recovers. Errors: SS_E_STOREIO, SS_E_CORRUPT (damaged, or missing where it
 * must exist), SS_E_IO (a directory cannot be made), SS_E_VERSION (newer format),
 * SS_E_SHARDS (another shard), SS_E_NOMEM; @failure says what to do. Blocks: yes. */
int ss__store_open(const struct ss_store_options *options, struct ss_store **ret_store,
                   struct ss_store_report *ret_report, struct ss_failure *failure);

/* Nothing may be staged, and no flush planned that is not settled. Marks a clean end unless the
 * store failed. NULL is fine. */
void ss__store_close(struct ss_store *store);

/* ---- types: names of events and entity kinds get small numbers, kept for ever ---- */

enum ss_type_space { SS_TYPE_EVENT = 1, SS_TYPE_ENTITY = 2, SS_TYPE_PROJECTION = 3 };

/* Full names of projections. */
#define SS_PROJECTION_TIMELINE "timeline"
#define SS_PROJECTION_UI "ui"

struct ss_type_entry {
    enum ss_type_space space;
    struct ss_str name;           /* of event, entity kind or projection */
    struct ss_str full_name;      /* protobuf full name, or what kind of projection */
    uint64_t fingerprint;         /* of the schema */
    uint32_t ret_type_id;         /* filled in */
};

/* Finds or adds each entry in a commit of its own. Errors: SS_E_STOREFULL, SS_E_STOREIO, SS_E_LIMIT
 * (more than SS_STORE_PROJECTIONS_MAX projections over the life of the store). */
int ss__store_intern_types(struct ss_store *store, struct ss_type_entry *entries, size_t count);

/* Name and full name of @type_id; valid until close. SS_E_NOTFOUND. */
int ss__store_type_name(const struct ss_store *store, uint32_t type_id, struct ss_str *ret_name,
                        struct ss_str *ret_full_name);

/* @type_id as it was interned; the strings are valid until close. SS_E_NOTFOUND. */
int ss__store_type(const struct ss_store *store, uint32_t type_id,
                   struct ss_type_entry *ret_entry);

/* ---- sessions ---- */

struct ss_session_row {
    uint64_t sid;
    uint64_t epoch;               /* as on the wire: see ss__row_epoch */
    uint64_t ordinal;             /* of the newest event, staged ones included; 0: none */
    uint64_t first_retained;      /* 1 unless retention removed events */
    uint64_t created_us;
    uint64_t updated_us;
    bool running;                 /* activity said by the newest event */
    bool was_running;             /* running when the last process ended without ending it */
    bool quarantined;             /* damaged: reads and publishes give SS_E_CORRUPT */
};

/* Finds a committed or staged session. 0 and a reference, or SS_E_NOTFOUND / SS_E_STOREIO /
 * SS_E_CORRUPT (its catalog entry or row is damaged, or the row is another session's: logged).
 * The reference is given back with ss__store_put_session. */
int ss__store_get_session(struct ss_store *store, struct ss_str id,
                          struct ss_store_session **ret_session);

/* Stages the creation of a session that does not exist; a reference as above. */
int ss__store_stage_session(struct ss_store *store, struct ss_str id, uint64_t now_us,
                            struct ss_store_session **ret_session);

void ss__store_put_session(struct ss_store *store, struct ss_store_session *session);

/* Current values, staged changes included. Valid while referenced. */
const struct ss_session_row *ss__store_row(const struct ss_store_session *session);
struct ss_str ss__store_session_id(const struct ss_store_session *session);

/* ---- timeline projections: each has entities and a checkpoint of its own ---- */

/* A projection of this process, by its type id, and the version of its code. */
struct ss_timeline_code {
    uint32_t projection;
    uint32_t version;
};

/* Says which timeline projections there are, at most SS_PROJECTIONS_MAX, before sessions are used
 * and images read. Others that the store knows keep what they have. With other ones, or other
 * versions, than before every epoch is another one. */
void ss__store_set_timelines(struct ss_store *store, const struct ss_timeline_code *codes,
                             uint32_t count);

/* Where the checkpoint of one projection stands. */
struct ss_timeline_row {
    uint32_t projection;
    uint32_t version;                      /* of the code that made the entities */
    uint64_t ordinal;                      /* they show events up to here */
    bool halted;                           /* it stopped at the next one */
    const struct ss_failed_set *failed;    /* events up to there that they lack; NULL: none */
};

/* Up to which event the entities of a projection count; 0: there are none that do. */
uint64_t ss__store_timeline_ordinal(const struct ss_store_session *session, uint32_t projection);

/* Entities that another version of a projection's code wrote count no longer: a load replays every
 * event for that projection, reads find none of them, and its next checkpoint, which holds all of
 * its entities, removes them. Where retention has removed events, the replay begins with what it
 * has left of them, whatever code wrote that (retention.h). The epoch is another one then. */
void ss__store_use_timelines(struct ss_store *store, struct ss_store_session *session);

/* The same whatever the version; no flush under way may be of the session. Keep takes it back,
 * before a checkpoint has been staged. */
bool ss__store_timeline_is_void(const struct ss_store_session *session, uint32_t projection);
void ss__store_void_timeline(struct ss_store_session *session, uint32_t projection);
void ss__store_keep_timeline(struct ss_store_session *session, uint32_t projection);

/* The session is shown with entities that were made anew without an event: whoever has the old ones
 * must not be told that nothing was missed. Gives it another epoch, which the next checkpoint
 * writes with the entities; until then the row on disk has that of the old ones. */
void ss__store_renew_epoch(struct ss_store *store, struct ss_store_session *session);

/* They were dropped, and those of before are shown again with the epoch they had; if a checkpoint
 * that is under way may have written them, they are made once more, with an epoch of their own. */
void ss__store_restore_epoch(struct ss_store *store, struct ss_store_session *session);

/* Sessions that were running when the last process died: calls @visit for each id once. */
int ss__store_each_was_running(struct ss_store *store,
                               void (*visit)(struct ss_str session_id, void *context),
                               void *context);

/* ---- staged writes ---- */

/* With failures or a halt the header section says of which projections: see store/outcome.h. */
enum ss_record_flag {
    SS_RECORD_TIMELINE_FAILED = 1u << 0,    /* a timeline projection failed */
    SS_RECORD_UI_FAILED = 1u << 1,          /* a UI projection failed */
    SS_RECORD_RUNNING = 1u << 2,            /* the session is running after this event */
    SS_RECORD_ADVANCED = 1u << 3,           /* the policy for what failed was to go on */
    SS_RECORD_HALTED = 1u << 4,             /* a timeline had stopped, or stopped here */
};

/* One event as stored. */
struct ss_record {
    uint64_t ordinal;
    uint64_t time_us;
    uint32_t type_id;
    uint32_t flags;
    struct ss_str header;     /* header section: see store/record.h; may be empty */
    struct ss_str payload;    /* packed protobuf, validated */
};

/* Stages one event with ordinal row->ordinal + 1; the bytes are copied. SS_E_NOMEM. */
int ss__store_stage_event(struct ss_store *store, struct ss_store_session *session,
                          const struct ss_record *record);

struct ss_entity_row {
    uint32_t projection;      /* filled in when read */
    struct ss_str kind;
    struct ss_str id;
    uint64_t created_ordinal;
    uint64_t last_ordinal;
    uint64_t time_us;
    uint32_t type_id;
    bool tombstone;           /* staged: removes the row; never read back */
    struct ss_str payload;
};

/* Bytes of events staged since the last commit; 0 means a commit would have nothing to do. */
size_t ss__store_staged_bytes(const struct ss_store *store);

/* Writes the staged events to the log and, in fsync mode, returns after they are durable; in the
 * other modes they survive the end of the process but not of the machine until ss__store_sync. On
 * error all staged changes are undone in memory, rows and sessions included: sessions created in
 * this batch answer SS_E_CLOSED to everything but ss__store_put_session. Errors: SS_E_STOREFULL and
 * SS_E_NOMEM (certainly not written), SS_E_STOREIO (the outcome is unknown). Blocks: on the
 * disk. */
int ss__store_commit(struct ss_store *store);

/* Undoes everything staged. */
void ss__store_abort(struct ss_store *store);

/* Makes all commits durable. SS_E_STOREIO, as of a failed sync. */
int ss__store_sync(struct ss_store *store);

struct ss_timeline_checkpoint {
    struct ss_timeline_row row;
    const struct ss_entity_row *entities;    /* that changed since the one before */
    size_t entities_count;
};

/* Stages checkpoints of projections of one session for the next flush; what they point to is
 * borrowed until then. No event may be staged. */
int ss__store_stage_checkpoint(struct ss_store *store, struct ss_store_session *session,
                               const struct ss_timeline_checkpoint *timelines, uint32_t count);

/* Whether enough waits in the log for a flush to be worth it. */
bool ss__store_flush_due(const struct ss_store *store);

/* Has the next flushes move all events that were published before @time_us and come first in the
 * log, as stragglers: at most 32 sessions or 256 KiB each. */
void ss__store_flush_before(struct ss_store *store, uint64_t time_us);

/* Evicted sessions that are in memory for their unflushed events. */
uint64_t ss__store_held(const struct ss_store *store);

/* Whether these are so many that nothing should be added before a flush has made them fewer. */
bool ss__store_crowded(const struct ss_store *store);

/* False while a flush is under way, for a while after one that failed, and for ever after a failed
 * sync. */
bool ss__store_may_flush(const struct ss_store *store);

/* Whether one is planned and not settled. */
bool ss__store_flushing(const struct ss_store *store);

/* Moves out of the log, in one durable transaction: staged checkpoints, new sessions, full tails
 * (about 1 MiB of them), stragglers (at most 32 or 256 KiB) and, oldest first, up to @tails_max
 * tails that need not go yet. Nothing may be staged but checkpoints. Returns a number above 0 while
 * it found something to move, 0 when nothing is left, or an error: then nothing was moved, staged
 * checkpoints are undone, and the log still holds it all. Errors: SS_E_STOREFULL, SS_E_STOREIO,
 * SS_E_NOMEM. Blocks: on the disk. */
int ss__store_flush(struct ss_store *store, unsigned tails_max);

/* The same in three steps, so that the owner need not wait. plan answers 1 and a flush (NULL: a
 * part of the log was looked at and had nothing to move), 0 when nothing is left, or an error. run,
 * on any thread, blocks on the disk. settle answers and frees. One at a time; what checkpoints
 * borrow lasts until it is settled; nothing may be staged at plan and settle. */
struct ss_flush;
int ss__store_flush_plan(struct ss_store *store, unsigned tails_max, struct ss_flush **ret_flush);
void ss__store_flush_run(struct ss_flush *flush);
int ss__store_flush_settle(struct ss_store *store, struct ss_flush *flush);

/* Whether a checkpoint of the session is in the flush that is planned and not settled: LMDB may
 * have its entities although the row does not say so yet. */
bool ss__store_checkpointing(const struct ss_store_session *session);

/* ---- the next file of the log, made beforehand ---- */

struct ss_log_fill;

/* True, and a request, when a file should be made now: by ss__log_fill (store/log.h) on any thread,
 * whose answer goes to ss__store_spare_filled before the store is closed. */
bool ss__store_wants_spare(struct ss_store *store, struct ss_log_fill *ret_fill);
void ss__store_spare_filled(struct ss_store *store, const struct ss_log_fill *fill, int err);

/* 0, or why publishes are refused now (SS_E_STOREFULL, SS_E_STOREIO): cheap, may be asked for
 * every batch. */
int ss__store_writable(struct ss_store *store);

/* ---- reads of committed state ---- */

/* Reads one entity from the last checkpoint. @ret_entity borrows memory of the store until the
 * next commit, abort, stage or flush call. SS_E_NOTFOUND, SS_E_STOREIO, SS_E_CORRUPT. */
int ss__store_read_entity(struct ss_store *store, const struct ss_store_session *session,
                          uint32_t projection, struct ss_str kind, struct ss_str id,
                          struct ss_entity_row *ret_entity);

/* What ss__store_read_image has to read, without what is staged; made on the owner thread, used on
 * any. */
struct ss_image_request;
int ss__store_image_request(const struct ss_store *store, const struct ss_store_session *session,
                            bool entities, struct ss_image_request **ret_request);
void ss__store_image_request_free(struct ss_image_request *request);

/* A halted projection needs no events after its halt, unless it is to go on: bit per index. */
void ss__store_image_go_on(struct ss_image_request *request, uint32_t projections);

/* The same for the events from @first to @last, which are committed and retained, and nothing else:
 * the image has no entities. */
int ss__store_range_request(const struct ss_store *store, const struct ss_store_session *session,
                            uint64_t first, uint64_t last, struct ss_image_request **ret_request);

/* A session as of one read transaction, in memory of its own. */
struct ss_image {
    struct ss_session_row row;
    struct ss_timeline_row timelines[SS_PROJECTIONS_MAX];    /* as set; of the entities below */
    uint32_t timelines_count;
    uint32_t based;                    /* bit per index: it begins with what retention has left of
                                          the events that it removed, and all of that is below */
    struct ss_entity_row *entities;    /* all of these, by (projection, kind, id), when asked for */
    size_t entities_count;
    struct ss_record *records;         /* events after the first of @timelines, no gaps */
    size_t records_count;
    size_t bytes;                      /* memory held */
    void *memory;                      /* private */
};

/* Thread: any, between open and close. Blocks: on the disk. SS_E_STOREIO, SS_E_CORRUPT (a damaged
 * or missing record or entity, logged), SS_E_GONE (a range: retention has removed its first event),
 * SS_E_NOMEM. */
int ss__store_read_image(struct ss_store *store, const struct ss_image_request *request,
                         struct ss_image *ret_image);

/* The same on the owner thread, for a state that then reads its other entities with
 * ss__store_read_entity: both see LMDB at one moment, although a flush may commit between them. */
int ss__store_read_image_here(struct ss_store *store, const struct ss_image_request *request,
                              struct ss_image *ret_image);
void ss__image_deinit(struct ss_image *image);

/* How many events a load replays, at most: those after the oldest checkpoint. */
uint64_t ss__store_replay_count(const struct ss_store *store,
                                const struct ss_store_session *session);

/* ---- figures ---- */

struct ss_store_stats {
    uint64_t commits;
    uint64_t commit_errors;
    uint64_t events;
    uint64_t flushes;
    uint64_t flush_errors;
    uint64_t segments_written;
    uint64_t stragglers_flushed;
    uint64_t records_trimmed;
    uint64_t log_records;          /* in the files of the log */
    uint64_t log_bytes;
    uint64_t unflushed_bytes;      /* of these, of events that are in no segment */
    uint64_t tails;                /* sessions with unflushed events */
    uint64_t map_bytes;
    uint64_t used_bytes;           /* of the map at most so far: free pages in it count */
    uint64_t last_commit_ns;
    uint64_t last_flush_ns;
    uint64_t retention_events;     /* removed by retention */
    uint64_t retention_bytes;      /* of their segments, so far */
};
void ss__store_stats(const struct ss_store *store, struct ss_store_stats *ret_stats);

#endif
