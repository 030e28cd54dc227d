/* limits.h - every limit, with its unit and its reason. */
#ifndef SS_LIMITS_H
#define SS_LIMITS_H

/* Names and keys. LMDB keys hold 511 bytes: (sid, kind, 0, id) is 8 + 64 + 1 + 255 = 328. */
#define SS_SESSION_ID_BYTES_MAX 255
#define SS_NAME_BYTES_MAX 64
#define SS_ENTITY_ID_BYTES_MAX 255
#define SS_REQUEST_ID_BYTES_MAX 128

/* Payloads and frames; defaults, configurable. */
#define SS_PAYLOAD_BYTES_MAX (1u << 20)
#define SS_CLIENT_FRAME_BYTES_MAX (1u << 20)

/* Nesting of messages and JSON values, so that no input can exhaust a stack. */
#define SS_NESTING_MAX 64

/* One unpacked message may take this many times its packed size (protobuf-c structs are wider). */
#define SS_UNPACKED_FACTOR_MAX 8

/* What one handler call may publish, so that a batch stays bounded. */
#define SS_HANDLER_EVENTS_MAX 1000
#define SS_HANDLER_BYTES_MAX (4u << 20)

/* Inbox of a shard or gateway: messages and bytes. */
#define SS_INBOX_MESSAGES_MAX 65536
#define SS_INBOX_BYTES_MAX (64u << 20)

/* Frames of one session that wait in a shard for a gateway which is behind: with no more than this
 * they may go on until twice SS_INBOX_BYTES_MAX wait in all, so that a few loud sessions do not
 * cost the quiet ones a new snapshot. */
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
#define SS_HTTP_HEADER_BYTES_MAX 16384
#define SS_WS_FRAGMENTS_MAX 4096

/* Memory of one gateway that all its connections share, so that their number times the limits of
 * one cannot add up. Bytes read but not looked at yet: a read brings at most one of so many shares
 * of what is left, but always the least; unfinished websocket messages; unfinished HTTP bodies. */
#define SS_HELD_BYTES_MAX (64u << 20)
#define SS_HELD_SHARES 1024
#define SS_READ_BYTES_MIN 512
#define SS_UNFINISHED_BYTES_MAX (64u << 20)
#define SS_BODIES_BYTES_MAX (64u << 20)

/* Snapshots that wait to be written, one that many wait for counted once; and the share of one
 * connection, so that it takes more than one to fill the budget. One snapshot alone always goes. */
#define SS_SNAPSHOT_BUDGET_BYTES (256u << 20)
#define SS_SNAPSHOT_SHARE_BYTES (64u << 20)

/* What a connection has to write of its snapshots within the dead timeout, so that nobody keeps a
 * share for ever: this part of the memory they hold, and at least so many bytes, or all. */
#define SS_SNAPSHOT_PACE_PART 8
#define SS_SNAPSHOT_PACE_BYTES_MIN (256u << 10)

/* Recent frames a channel keeps for late joiners: count and bytes. */
#define SS_RING_FRAMES_MAX 256
#define SS_RING_BYTES_MAX (256u << 10)
#define SS_RINGS_BYTES_MAX (32u << 20)    /* of all sessions of a shard */

/* Shards and gateways. */
#define SS_SHARDS_MAX 256
#define SS_GATEWAYS_MAX 16

#endif
