/* scenarios.h - what each scenario does; the table is in main.c. */
#ifndef SS_HOSTILE_SCENARIOS_H
#define SS_HOSTILE_SCENARIOS_H

#include "stage.h"

/* connections.c */
void silent_connections(struct stage *stage);
void slow_headers(struct stage *stage);
void slow_bodies(struct stage *stage);
void slow_imports(struct stage *stage);
void endless_handshakes(struct stage *stage);
void half_open_peers(struct stage *stage);
void close_wait_holders(struct stage *stage);
void half_closed_peers(struct stage *stage);
void connection_churn(struct stage *stage);
void too_many_connections(struct stage *stage);

/* frames.c */
void tiny_fragments(struct stage *stage);
void endless_message(struct stage *stage);
void trickled_message(struct stage *stage);
void huge_lengths(struct stage *stage);
void ping_flood(struct stage *stage);
void pong_flood(struct stage *stage);
void unread_pongs(struct stage *stage);
void unread_json_pongs(struct stage *stage);
void wrong_submits(struct stage *stage);
void unread_errors(struct stage *stage);

/* readers.c */
void never_reads(struct stage *stage);
void byte_a_second(struct stage *stage);
void snapshot_hoarders(struct stage *stage);
void page_abandoners(struct stage *stage);
void http_hoarders(struct stage *stage);

/* sessions.c */
void subscribe_churn(struct stage *stage);
void subscribe_flood(struct stage *stage);
void million_sessions(struct stage *stage);
void million_published(struct stage *stage);
void colliding_sessions(struct stage *stage);
void million_keys(struct stage *stage);

/* malformed.c */
void random_http(struct stage *stage);
void random_frames(struct stage *stage);
void cut_frames(struct stage *stage);
void pipelined_requests(struct stage *stage);
void unread_pipeline(struct stage *stage);

/* overload.c, standstill.c, storm.c: true if all was as promised. */
bool overload_run(const struct settings *settings);
bool standstill_run(const struct settings *settings);
bool storm_run(const struct settings *settings);

#endif
