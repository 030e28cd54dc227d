/* limits.h - every limit. SS_LIMIT_MAP at the end has the unit, the meaning and the reason of each,
 * and makes the table of docs/reference.md. */
#ifndef SS_LIMITS_H
#define SS_LIMITS_H

/* Names and keys. */
#define SS_SESSION_ID_BYTES_MAX 255
#define SS_NAME_BYTES_MAX 64
#define SS_ENTITY_ID_BYTES_MAX 255
#define SS_REQUEST_ID_BYTES_MAX 128
#define SS_IDEMPOTENCY_KEY_BYTES_MAX 255

/* Payloads and frames; defaults, configurable. */
#define SS_PAYLOAD_BYTES_MAX (1u << 20)
#define SS_CLIENT_FRAME_BYTES_MAX (1u << 20)

/* Messages and JSON values. */
#define SS_NESTING_MAX 64
#define SS_UNPACKED_FACTOR_MAX 8

/* One handler call. */
#define SS_HANDLER_EVENTS_MAX 1000
#define SS_HANDLER_BYTES_MAX (4u << 20)

/* Blocking work of applications. */
#define SS_WORK_THREADS 4
#define SS_SHARD_WORKS_MAX 1024
#define SS_SESSION_TASKS_MAX 10000

/* Inbox of a shard or gateway, and what waits before it. */
#define SS_INBOX_MESSAGES_MAX 65536
#define SS_INBOX_BYTES_MAX (64u << 20)
#define SS_OUTBOX_QUIET_BYTES (64u << 10)

/* One batch of a shard = one store transaction. */
#define SS_BATCH_MESSAGES_MAX 1024
#define SS_BATCH_BYTES_MAX (8u << 20)
#define SS_BATCH_HANDLER_NS_MAX 2000000u
#define SS_BATCH_SESSION_MESSAGES_MAX 128

/* Entities and bytes of one session's state. */
#define SS_SESSION_ENTITIES_MAX 100000
#define SS_SESSION_STATE_BYTES_MAX (64u << 20)

/* Connections. */
#define SS_SUBSCRIPTIONS_MAX 256
#define SS_CONNECTIONS_MAX 100000
#define SS_CONNECTION_REQUESTS_MAX 64
#define SS_CONNECTION_REQUEST_BYTES_MAX (1u << 20)
#define SS_CLIENT_QUEUE_BYTES_MAX (1u << 20)
#define SS_SLOW_CLIENT_ROUNDS 30    /* overflows without a quiet time between them; configurable */
#define SS_HTTP_HEADER_BYTES_MAX 16384
#define SS_WS_FRAGMENTS_MAX 4096

/* Work for one connection in one turn of its gateway: a message, a pong or a fragment is a unit, a
 * message one more for each so many bytes, a request of HTTP some more. */
#define SS_TURN_UNITS_MAX 64
#define SS_TURN_UNITS_MIN 16
#define SS_TURN_SHARED_UNITS 128
#define SS_TURN_UNIT_BYTES 4096
#define SS_TURN_REQUEST_UNITS 3
#define SS_TURN_ERROR_UNITS 3

/* Of one connection, in the kernel. */
#define SS_UNSENT_BYTES_MAX (256u << 10)

/* Memory of one gateway that all its connections share. */
#define SS_HELD_BYTES_MAX (64u << 20)
#define SS_HELD_SHARES 1024
#define SS_READ_BYTES_MIN 512
#define SS_UNFINISHED_BYTES_MAX (64u << 20)
#define SS_BODIES_BYTES_MAX (64u << 20)

#define SS_ANSWERS_BYTES_MAX (64u << 20)
#define SS_ANSWER_BYTES_MAX (32u << 20)
#define SS_ANSWER_KEPT_BYTES (1u << 20)
#define SS_ANSWERS_SHARES 64
#define SS_ANSWERS_RESERVE_BYTES (1u << 20)

/* What waits to be written, of which a client has to take a part in time. */
#define SS_QUEUE_PACE_PART 8

/* Snapshots that wait to be written. */
#define SS_SNAPSHOT_BUDGET_BYTES (256u << 20)
#define SS_SNAPSHOT_SHARE_BYTES (64u << 20)
#define SS_SNAPSHOT_PACE_PART 8
#define SS_SNAPSHOT_PACE_BYTES_MIN (256u << 10)

/* Snapshots in one frame, and those that are sent in pages. */
#define SS_SNAPSHOT_FRAME_BYTES_MAX (16u << 20)
#define SS_SNAPSHOT_INLINE_BYTES (256u << 10)
#define SS_SNAPSHOT_JOBS_RUNNING_MAX 1
#define SS_PAGE_BYTES_MIN (16u << 10)
#define SS_PAGE_BYTES_MAX (1u << 20)
#define SS_PAGE_ENTITIES_MAX 2048
#define SS_PAGES_IN_FLIGHT 1
#define SS_PAGES_KEPT_BYTES (16u << 20)
#define SS_FROZEN_BYTES_MAX (256u << 20)
#define SS_RING_PAGED_FRAMES_MAX 4096
#define SS_RING_PAGED_BYTES_MAX (4u << 20)

/* Recent frames a session keeps for late joiners. */
#define SS_RING_FRAMES_MAX 256
#define SS_RING_BYTES_MAX (256u << 10)
#define SS_RINGS_BYTES_MAX (32u << 20)

/* What a session may have appended to its entities without storing it. */
#define SS_APPENDED_ENTITIES_MAX 16
#define SS_APPENDED_BYTES_MAX (256u << 10)

/* Sessions in one answer of a list. */
#define SS_LIST_DEFAULT 100
#define SS_LIST_MAX 1000

/* Snapshots as of an event and rebuilds that run or wait on a shard. */
#define SS_FOLDS_MAX 64

/* Checkpoints of the past of a session, and the size of one. */
#define SS_PASTS_MAX 16
#define SS_PAST_BYTES_MAX (16u << 20)

/* Timeline projections of a registry; it may have as many UI projections. */
#define SS_PROJECTIONS_MAX 8

/* One import. */
#define SS_IMPORT_EVENTS_MAX 1000
#define SS_IMPORT_BYTES_MAX (4u << 20)

/* A page of stored events. */
#define SS_EVENT_PAGE_MAX 1000
#define SS_EVENT_PAGE_BYTES_MAX (4u << 20)

/* Results of keyed commands that are kept, of one session and of a shard. */
#define SS_SESSION_KEYS_MAX 1024
#define SS_SESSION_KEYS_BYTES_MAX (512u << 10)
#define SS_SHARD_KEYS_MAX 100000
#define SS_SHARD_KEYS_BYTES_MAX (64u << 20)

/* Events of a session that are not in its timeline and are known by name. */
#define SS_FAILED_ORDINALS_MAX 16

/* Sessions of a shard that are in memory for nothing but their events that are only in the log. */
#define SS_SESSIONS_HELD_MAX (128u << 10)

/* Error records of a shard. */
#define SS_ERROR_RECORDS_MAX 256
#define SS_ERROR_TEXT_BYTES_MAX 512
#define SS_ERROR_RAW_BYTES_MAX 1024
#define SS_ERROR_METADATA_MAX 4
#define SS_ERROR_METADATA_BYTES_MAX 255

/* Backups: growth of a shard's data file meanwhile, and the name. */
#define SS_BACKUP_GROWTH_BYTES_MAX (1u << 30)
#define SS_BACKUP_NAME_BYTES_MAX 128

/* Of an application. */
#define SS_OBSERVERS_MAX 4

/* Shards and gateways. */
#define SS_SHARDS_MAX 256
#define SS_GATEWAYS_MAX 16

/* X(name without SS_, unit, what is limited, reason) */
#define SS_LIMIT_MAP(X)                                                                           \
    X(SESSION_ID_BYTES_MAX, "bytes",                                                              \
      "A session id",                                                                             \
      "Keys of the store: LMDB takes 511 bytes.")                                                 \
    X(NAME_BYTES_MAX, "bytes",                                                                    \
      "The name of a command, event, UI event or entity kind",                                    \
      "Keys of the store.")                                                                       \
    X(ENTITY_ID_BYTES_MAX, "bytes",                                                               \
      "An entity id",                                                                             \
      "Keys of the store: 12 + 64 + 1 + 255 bytes with session, projection and kind.")            \
    X(REQUEST_ID_BYTES_MAX, "bytes",                                                              \
      "The requestId of a submit",                                                                \
      "It is kept until the answer.")                                                             \
    X(PAYLOAD_BYTES_MAX, "bytes",                                                                 \
      "A packed payload of an event, entity or UI event",                                         \
      "One event stays a small part of a batch.")                                                 \
    X(CLIENT_FRAME_BYTES_MAX, "bytes",                                                            \
      "A message of a client",                                                                    \
      "Memory of a connection; default of --client-frame.")                                       \
    X(NESTING_MAX, "levels",                                                                      \
      "Messages and JSON values inside each other",                                               \
      "No input may exhaust a stack.")                                                            \
    X(UNPACKED_FACTOR_MAX, "times",                                                               \
      "Unpacked size of a message over its packed size",                                          \
      "Structs are wider than their encoding, but not without end.")                              \
    X(HANDLER_EVENTS_MAX, "events",                                                               \
      "What one handler call may publish",                                                        \
      "A batch stays bounded.")                                                                   \
    X(HANDLER_BYTES_MAX, "bytes",                                                                 \
      "What one handler call may publish",                                                        \
      "A batch stays bounded.")                                                                   \
    X(LIST_DEFAULT, "sessions",                                                                   \
      "In one answer of a list, unless the caller says",                                          \
      "A page for a person.")                                                                     \
    X(LIST_MAX, "sessions",                                                                       \
      "In one answer of a list",                                                                  \
      "Every shard reads so many, and an answer stays under a megabyte.")                         \
    X(WORK_THREADS, "threads",                                                                    \
      "Blocking work of applications (ss_work), for all shards",                                  \
      "More work waits in the queue of the pool.")                                                \
    X(SHARD_WORKS_MAX, "works",                                                                   \
      "Under way or waiting for a thread, of one shard",                                          \
      "The queue of the pool and its memory stay bounded.")                                       \
    X(SESSION_TASKS_MAX, "tasks",                                                                 \
      "Waiting in one session (ss_after), works included",                                        \
      "A session's memory stays bounded.")                                                        \
    X(INBOX_MESSAGES_MAX, "messages",                                                             \
      "Waiting for one shard or gateway",                                                         \
      "Senders are told to pause instead of filling the memory.")                                 \
    X(INBOX_BYTES_MAX, "bytes",                                                                   \
      "Waiting for one shard or gateway",                                                         \
      "Senders are told to pause instead of filling the memory.")                                 \
    X(OUTBOX_QUIET_BYTES, "bytes",                                                                \
      "Frames of one session that wait for a gateway which is behind and still go on until "      \
      "twice SS_INBOX_BYTES_MAX wait in all",                                                     \
      "A few loud sessions do not cost the quiet ones a new snapshot.")                           \
    X(BATCH_MESSAGES_MAX, "messages",                                                             \
      "One batch of a shard, which is one store transaction",                                     \
      "Nobody waits long for a commit.")                                                          \
    X(BATCH_BYTES_MAX, "bytes",                                                                   \
      "One batch of a shard",                                                                     \
      "Nobody waits long for a commit.")                                                          \
    X(BATCH_HANDLER_NS_MAX, "nanoseconds",                                                        \
      "Time in handlers after which a batch ends",                                                \
      "Nobody waits long for a commit.")                                                          \
    X(BATCH_SESSION_MESSAGES_MAX, "messages",                                                     \
      "The share of one session in a batch",                                                      \
      "A busy session does not delay the others.")                                                \
    X(SESSION_ENTITIES_MAX, "entities",                                                           \
      "One session",                                                                              \
      "A snapshot is read and sent as a whole.")                                                  \
    X(SESSION_STATE_BYTES_MAX, "bytes",                                                           \
      "Entities of one session in memory",                                                        \
      "A snapshot is read and sent as a whole.")                                                  \
    X(SUBSCRIPTIONS_MAX, "sessions",                                                              \
      "Followed by one connection",                                                               \
      "Memory of a connection; default of --subscriptions.")                                      \
    X(CONNECTIONS_MAX, "connections",                                                             \
      "One gateway",                                                                              \
      "File descriptors and memory; default of --connections.")                                   \
    X(CONNECTION_REQUESTS_MAX, "requests",                                                        \
      "Unanswered, of one connection",                                                            \
      "Reading stops until answers come.")                                                        \
    X(CONNECTION_REQUEST_BYTES_MAX, "bytes",                                                      \
      "Unanswered requests of one connection",                                                    \
      "Reading stops until answers come.")                                                        \
    X(CLIENT_QUEUE_BYTES_MAX, "bytes",                                                            \
      "Frames waiting for one connection",                                                        \
      "Over it the client is brought up to date by a snapshot; default of --client-queue.")       \
    X(SLOW_CLIENT_ROUNDS, "rounds",                                                               \
      "A slow connection brought up to date without 10 quiet seconds between",                    \
      "It would go on for ever; default of --slow-client-rounds.")                                \
    X(HTTP_HEADER_BYTES_MAX, "bytes",                                                             \
      "The head of an HTTP request",                                                              \
      "Read before anything is known of the client.")                                             \
    X(WS_FRAGMENTS_MAX, "fragments",                                                              \
      "One websocket message",                                                                    \
      "Each costs time without bringing bytes.")                                                  \
    X(TURN_UNITS_MAX, "units",                                                                    \
      "Messages of one connection that its gateway handles in a row; then others are served",     \
      "Who never stops to send does not hold up the others.")                                     \
    X(TURN_SHARED_UNITS, "units",                                                                 \
      "Messages of all connections in a millisecond; then each gets SS_TURN_UNITS_MIN in a row",     \
      "Many who never stop to send do not hold up the others.")                                   \
    X(TURN_UNITS_MIN, "units",                                                                    \
      "Messages of one connection in a row when many send",                                       \
      "As SS_TURN_SHARED_UNITS.")                                                                 \
    X(TURN_UNIT_BYTES, "bytes",                                                                   \
      "Of a message, which make one unit more",                                                   \
      "As SS_TURN_UNITS_MAX.")                                                                    \
    X(TURN_REQUEST_UNITS, "units",                                                                \
      "More for an HTTP request than for a message",                                              \
      "As SS_TURN_UNITS_MAX.")                                                                    \
    X(TURN_ERROR_UNITS, "units",                                                                  \
      "More for a message that is answered with an error",                                        \
      "As SS_TURN_UNITS_MAX.")                                                                    \
    X(UNSENT_BYTES_MAX, "bytes",                                                                  \
      "Of one connection that the kernel may hold without having sent them",                      \
      "Its buffers grow to megabytes for a client that reads nothing.")                           \
    X(HELD_BYTES_MAX, "bytes",                                                                    \
      "Read by one gateway and not looked at yet",                                                \
      "The number of connections times the limits of one must not add up.")                       \
    X(HELD_SHARES, "shares",                                                                      \
      "Of what is left of SS_HELD_BYTES_MAX: a read brings at most one",                          \
      "Many connections come to share it evenly.")                                                \
    X(READ_BYTES_MIN, "bytes",                                                                    \
      "What a read may bring however little is left",                                             \
      "Everybody gets on.")                                                                       \
    X(UNFINISHED_BYTES_MAX, "bytes",                                                              \
      "Unfinished websocket messages of one gateway",                                             \
      "As SS_HELD_BYTES_MAX.")                                                                    \
    X(BODIES_BYTES_MAX, "bytes",                                                                  \
      "Unfinished HTTP bodies of one gateway",                                                    \
      "As SS_HELD_BYTES_MAX.")                                                                    \
    X(ANSWERS_BYTES_MAX, "bytes",                                                                 \
      "Answers of one gateway that their clients have not read; beyond it a request of HTTP gets " \
      "503",                                                                                      \
      "As SS_HELD_BYTES_MAX.")                                                                    \
    X(ANSWER_BYTES_MAX, "bytes",                                                                  \
      "One answer of HTTP that a gateway writes; a larger one is refused with 413",               \
      "It has to find room in SS_ANSWERS_BYTES_MAX.")                                             \
    X(ANSWER_KEPT_BYTES, "bytes",                                                                 \
      "Of the memory in which a gateway writes answers, kept for the next one",                   \
      "A large answer is rare.")                                                                  \
    X(ANSWERS_RESERVE_BYTES, "bytes",                                                             \
      "The same beyond SS_ANSWERS_BYTES_MAX for /metrics, for clients that have read all before", \
      "Whoever looks after the server sees why it refuses.")                                      \
    X(ANSWERS_SHARES, "shares",                                                                   \
      "Of what is left of SS_ANSWERS_BYTES_MAX: a connection that holds more is not read",        \
      "Many connections come to share it evenly.")                                                \
    X(QUEUE_PACE_PART, "parts",                                                                   \
      "What waits to be written; a connection has to take one of so many parts within the dead "  \
      "timeout",                                                                                  \
      "Nobody keeps memory by taking a byte now and then.")                                       \
    X(SNAPSHOT_BUDGET_BYTES, "bytes",                                                             \
      "Snapshots waiting to be written by one gateway; one that many wait for counts once",       \
      "As SS_HELD_BYTES_MAX. One snapshot alone always goes.")                                    \
    X(SNAPSHOT_SHARE_BYTES, "bytes",                                                              \
      "The share of one connection in it",                                                        \
      "It takes more than one to fill the budget.")                                               \
    X(SNAPSHOT_PACE_PART, "parts",                                                                \
      "The memory that its snapshots hold; a connection has to write one of so many parts "       \
      "within the dead timeout",                                                                  \
      "Nobody keeps a share for ever.")                                                           \
    X(SNAPSHOT_PACE_BYTES_MIN, "bytes",                                                           \
      "The least that it has to write then, or all",                                              \
      "Nobody keeps a share for ever.")                                                           \
    X(SNAPSHOT_FRAME_BYTES_MAX, "bytes",                                                          \
      "A snapshot in one frame",                                                                  \
      "It is encoded and sent as a whole; default of --snapshot-frame. Larger ones go in pages.") \
    X(SNAPSHOT_INLINE_BYTES, "bytes",                                                             \
      "Entities of a session, with what memory they take, whose snapshot is encoded at once",     \
      "Others wait for less than a millisecond. Larger ones are encoded beside their shard.")     \
    X(SNAPSHOT_JOBS_RUNNING_MAX, "snapshots",                                                     \
      "Of one shard, encoded at one time beside it",                                              \
      "The threads of the pool are for flushes and reads, too.")                                  \
    X(PAGE_BYTES_MIN, "bytes",                                                                    \
      "A page of a snapshot, however small a client wants it",                                    \
      "Each costs a turn of its shard.")                                                          \
    X(PAGE_BYTES_MAX, "bytes",                                                                    \
      "A page of a snapshot, however large a client wants it; one entity may be larger",          \
      "Other sessions are served between two pages.")                                             \
    X(PAGE_ENTITIES_MAX, "entities",                                                              \
      "A page of a snapshot",                                                                     \
      "Other sessions are served between two pages.")                                             \
    X(PAGES_IN_FLIGHT, "pages",                                                                   \
      "Of one session, not yet written to a connection",                                          \
      "The next one is made when this one has left.")                                             \
    X(PAGES_KEPT_BYTES, "bytes",                                                                  \
      "Pages of one snapshot kept for other followers who are sent it",                           \
      "Beyond, a page is encoded again for each of them.")                                        \
    X(FROZEN_BYTES_MAX, "bytes",                                                                  \
      "Entities of one shard whose snapshots are being sent in pages or encoded beside it, and "  \
      "pages that are kept",                                                                      \
      "They outlive the changes that follow. One snapshot alone always goes.")                    \
    X(RING_PAGED_FRAMES_MAX, "frames",                                                            \
      "Recent ones of a session while a snapshot of it is sent in pages",                         \
      "They follow the last page.")                                                               \
    X(RING_PAGED_BYTES_MAX, "bytes",                                                              \
      "Recent frames of a session while a snapshot of it is sent in pages",                       \
      "They follow the last page.")                                                               \
    X(RING_FRAMES_MAX, "frames",                                                                  \
      "Recent ones of a session, for late joiners",                                               \
      "A subscribe that is a little late needs no new snapshot.")                                 \
    X(RING_BYTES_MAX, "bytes",                                                                    \
      "Recent frames of a session",                                                               \
      "A subscribe that is a little late needs no new snapshot.")                                 \
    X(RINGS_BYTES_MAX, "bytes",                                                                   \
      "Recent frames of all sessions of a shard",                                                 \
      "Memory of many sessions.")                                                                 \
    X(APPENDED_ENTITIES_MAX, "entities",                                                          \
      "Of a session, with appended bytes that are not stored",                                    \
      "They are looked through with each change.")                                                \
    X(APPENDED_BYTES_MAX, "bytes",                                                                \
      "Appended to entities of a session without being stored",                                   \
      "Memory that no event accounts for.")                                                       \
    X(IMPORT_EVENTS_MAX, "events",                                                                \
      "One import, which is committed as a whole",                                                \
      "A batch stays bounded.")                                                                   \
    X(IMPORT_BYTES_MAX, "bytes",                                                                  \
      "Payloads of one import",                                                                   \
      "A batch stays bounded.")                                                                   \
    X(EVENT_PAGE_MAX, "events",                                                                   \
      "A page of the stored events of a session",                                                 \
      "A reader thread is soon free again.")                                                      \
    X(EVENT_PAGE_BYTES_MAX, "bytes",                                                              \
      "Payloads of a page of events; one event may be larger",                                    \
      "A reader thread is soon free again.")                                                      \
    X(IDEMPOTENCY_KEY_BYTES_MAX, "bytes",                                                         \
      "The idempotency key of a command",                                                         \
      "It is kept in memory with the result.")                                                    \
    X(SESSION_KEYS_MAX, "results",                                                                \
      "Of keyed commands, kept for one session; the oldest go",                                   \
      "One session does not push out those of others.")                                           \
    X(SESSION_KEYS_BYTES_MAX, "bytes",                                                            \
      "Memory of the results of keyed commands of one session",                                   \
      "One session does not push out those of others.")                                           \
    X(SHARD_KEYS_MAX, "results",                                                                  \
      "Of keyed commands, kept for all sessions of a shard; the oldest go",                       \
      "They are in memory, so that a look-up never waits for the disk.")                          \
    X(SHARD_KEYS_BYTES_MAX, "bytes",                                                              \
      "Memory of the results of keyed commands of a shard",                                       \
      "They are in memory, so that a look-up never waits for the disk.")                          \
    X(FAILED_ORDINALS_MAX, "ordinals",                                                            \
      "Failed events of a session that are named, the oldest; more are counted",                  \
      "They stand in the row of the session.")                                                    \
    X(FOLDS_MAX, "requests",                                                                      \
      "Snapshots as of an event and rebuilds that run or wait on a shard",                        \
      "Each holds the entities of a session.")                                                    \
    X(PASTS_MAX, "checkpoints",                                                                   \
      "Checkpoints of the past that a session keeps",                                             \
      "The gaps between them stay a small part of its history.")                                  \
    X(PAST_BYTES_MAX, "bytes",                                                                    \
      "A checkpoint of the past; a larger one is not kept",                                       \
      "A flush writes it at once.")                                                               \
    X(PROJECTIONS_MAX, "projections",                                                             \
      "Timeline projections of an application, and as many UI projections",                       \
      "Each runs for every event.")                                                               \
    X(SESSIONS_HELD_MAX, "sessions",                                                              \
      "Of one shard: evicted, with events that are only in the log; beyond, the oldest are flushed, " \
      "and beyond twice as many the shard waits for that",                                        \
      "Memory of sessions that are not used: about 600 bytes each.")                              \
    X(ERROR_RECORDS_MAX, "records",                                                               \
      "Kept by a shard, in memory and in its store; the newest",                                  \
      "They tell what went wrong lately; the log tells all.")                                     \
    X(ERROR_TEXT_BYTES_MAX, "bytes",                                                              \
      "The sentence of an error record",                                                          \
      "The records of a shard stay small.")                                                       \
    X(ERROR_RAW_BYTES_MAX, "bytes",                                                               \
      "Of bytes that cannot be read, in their error record",                                      \
      "Enough to see what they are.")                                                             \
    X(ERROR_METADATA_MAX, "pairs",                                                                \
      "Metadata of an error record",                                                              \
      "The records of a shard stay small.")                                                       \
    X(ERROR_METADATA_BYTES_MAX, "bytes",                                                          \
      "A name or value of them",                                                                  \
      "The records of a shard stay small.")                                                       \
    X(BACKUP_GROWTH_BYTES_MAX, "bytes",                                                           \
      "That the data file of a shard may grow while it is copied; beyond, the backup fails",        \
      "Pages that somebody copies are not used again, and the file never shrinks.")               \
    X(BACKUP_NAME_BYTES_MAX, "bytes",                                                             \
      "Name of a backup",                                                                         \
      "It is a directory entry, with an ending while it is written.")                             \
    X(OBSERVERS_MAX, "observers",                                                                 \
      "One application",                                                                          \
      "Each is called for each record.")                                                          \
    X(SHARDS_MAX, "shards",                                                                       \
      "One data directory",                                                                       \
      "A thread and a store each.")                                                               \
    X(GATEWAYS_MAX, "threads",                                                                    \
      "One process",                                                                              \
      "Enough for one machine's network.")

#endif
