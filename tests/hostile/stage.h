/* stage.h - one scenario: a daemon, well-behaved clients, a crowd of offenders, and what has to
 * hold before, during and after. */
#ifndef SS_HOSTILE_STAGE_H
#define SS_HOSTILE_STAGE_H

#include "daemon.h"
#include "healthy.h"
#include "peer.h"

#define MIB (UINT64_C(1) << 20)
#define HANDSHAKE_TIMEOUT "500ms"      /* of most scenarios; 2 s where latencies are not judged */

struct stage;

struct scenario {
    const char *name;
    const char *what;
    const char *flags[16];             /* of the daemon, NULL at the end */
    void (*run)(struct stage *stage);  /* connects, misbehaves, checks what was answered */
    uint32_t busy_payload;             /* of the pair on the session "busy"; 0: 100 bytes */
};

struct stage {
    const struct scenario *scenario;
    const struct settings *settings;
    const char *flags[DAEMON_FLAGS_MAX];
    struct daemon daemon;
    struct healthy healthy;
    struct peer *peers;
    uint32_t peer_count;
    uint32_t peer_max;
    uint64_t until_ns;
    uint64_t began_ns;          /* misbehaviour */
    uint64_t ended_ns;
    pthread_t sampler;
    _Atomic bool sampling;
    _Atomic uint64_t rss_before;
    _Atomic uint64_t rss_peak;  /* seen every 10 ms */
    uint64_t rss_bound;         /* beyond that; set by the scenario */
    uint64_t operations;        /* for the table: what the scenario counts */
    const char *operation;      /* what that is */
    unsigned failures;
};

enum stage_result { STAGE_GOOD, STAGE_BAD, STAGE_SLOW };    /* slow: only the ratio is bad */

/* Runs one scenario and prints its line. */
enum stage_result stage_run(const struct scenario *scenario, const struct settings *settings);
void stage_print_header(void);

/* ---- for scenarios ---- */

/* Room for @count offenders, which never move. */
void stage_crowd(struct stage *stage, uint32_t count);

/* The next offender; it could connect, or the scenario fails and NULL is returned. One with a
 * receive buffer of @rcvbuf bytes reads only what its scenario reads. */
struct peer *stage_connect(struct stage *stage, int rcvbuf);
struct peer *stage_upgrade(struct stage *stage, int rcvbuf);

/* Another one in the place of an offender that was ended, as stage_connect with the kernel's
 * buffer. False: it could not. */
bool stage_connect_again(struct stage *stage, struct peer *peer);

/* What the daemon holds now is not the offenders'. */
void stage_forget_memory(struct stage *stage);

/* From now on it is hostile, for the seconds that were asked for. */
void stage_begin(struct stage *stage);

/* The same for as much load from clients that mean no harm: if the others have to wait longer beside
 * those than without anybody, the ratio is to that. */
void stage_begin_honest(struct stage *stage);

bool stage_over(struct stage *stage);

/* Waits up to @ms for bytes or ends of the offenders and reads them. */
void stage_poll(struct stage *stage, int ms);

/* When to give up waiting for what has to happen sooner or later. */
uint64_t stage_deadline(const struct stage *stage);

/* No phase is measured from now on; the one that was has at least one measurement. */
void stage_end_phase(struct stage *stage);

/* How many of @rate operations a second are due and not done by stage->operations. */
uint32_t stage_due(const struct stage *stage, double rate);

/* Polls until every offender was ended by the server; false: not within @ms and the patience. */
bool stage_await_ends(struct stage *stage, uint32_t ms);

/* Checks how the server ended them: HTTP status or close code (0: any), in ms since they
 * connected, not before and not long after. */
void stage_expect_ends(struct stage *stage, int status, uint16_t close_code, uint32_t after_ms);

/* The same of one; true if it ended so, or has not ended. */
bool stage_expect_end(struct stage *stage, const struct peer *peer, int status,
                      uint16_t close_code, uint32_t after_ms);

/* Waits until metric @name (of series with @part) is @value or less. */
bool stage_await_metric(struct stage *stage, const char *name, const char *part, double value);

void stage_expect(struct stage *stage, bool good, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
