/* ssctl.h - the commands of ssctl. One thread; blocking. */
#ifndef SS_SERVER_SSCTL_H
#define SS_SERVER_SSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/failure.h"
#include "server/url.h"

/* Longest silence of a server that was asked something. */
#define SS_CTL_ANSWER_TIMEOUT_MS 30000

enum ss_ctl_exit { SS_CTL_OK = 0, SS_CTL_FAILED = 1, SS_CTL_USAGE = 2 };

struct ss_ctl {
    struct ss_url url;
    const char *const *args;    /* positional arguments behind the command's name */
    uint64_t count;             /* tail: uiEvent frames to print, 0: endless */
    uint64_t since;             /* tail: sinceSnapshotOrdinal */
    bool no_reconnect;
    const char *from;           /* session rebuild; this and the following may be NULL */
    const char *at;             /* snapshot */
    const char *prefix;         /* session list */
    const char *after;          /* and session events */
    const char *limit;
    const char *projection;     /* session retry; NULL: all */
    const char *key;            /* submit: for idempotency */
    const char *kind;           /* errors; may be NULL */
    uint64_t rate;              /* backup, restore: MiB a second; 0: no limit */
    uint64_t shards;            /* reshard; 0: not given */
    const char *to;             /* reshard; may be NULL */
    bool force;                 /* restore */
    bool follow;                /* trace */
    bool json;                  /* errors, trace: print what the server sent */
    FILE *out;
    FILE *err;
};

struct ss_ctl_command {
    const char *name;           /* "store check" is two words */
    const char *arguments;      /* "SESSION COMMAND JSON"; with "[SESSION]" none will do */
    size_t argument_count;
    const char *flags;          /* names of its own flags between spaces: " count since " */
    const char *help;
    int (*run)(const struct ss_ctl *ctl);    /* enum ss_ctl_exit */
};

/* Parses @argv (from [1] on) and runs the command. Returns the exit status. */
int ss__ctl_main(char *const *argv, FILE *out, FILE *err);

int ss__ctl_submit(const struct ss_ctl *ctl);
int ss__ctl_snapshot(const struct ss_ctl *ctl);
int ss__ctl_session_cursors(const struct ss_ctl *ctl);
int ss__ctl_session_retry(const struct ss_ctl *ctl);
int ss__ctl_session_import(const struct ss_ctl *ctl);
int ss__ctl_session_events(const struct ss_ctl *ctl);
int ss__ctl_session_export(const struct ss_ctl *ctl);
int ss__ctl_session_rebuild(const struct ss_ctl *ctl);
int ss__ctl_tail(const struct ss_ctl *ctl);
int ss__ctl_session_list(const struct ss_ctl *ctl);
int ss__ctl_session_delete(const struct ss_ctl *ctl);
int ss__ctl_session_close(const struct ss_ctl *ctl);
int ss__ctl_errors(const struct ss_ctl *ctl);

/* With --follow it ends on SIGINT and SIGTERM, whose actions it changes, with SS_CTL_OK. */
int ss__ctl_trace(const struct ss_ctl *ctl);

/* Both change what SIGINT and SIGTERM do. */
int ss__ctl_backup(const struct ss_ctl *ctl);
int ss__ctl_restore(const struct ss_ctl *ctl);

int ss__ctl_reshard(const struct ss_ctl *ctl);

/* GETs @target into @in, which *ret_body points into. SS_CTL_OK, or the exit status of an error
 * that has been printed. */
struct ss_bytes;
int ss__ctl_get(const struct ss_ctl *ctl, struct ss_str target, struct ss_bytes *in,
                struct ss_str *ret_body);

/* Exit status 0: clean; 1: findings; 2: the store cannot be opened. */
int ss__ctl_store_check(const struct ss_ctl *ctl);

/* Exit status 0: done; 2: the store cannot be opened or is not complete. */
int ss__ctl_store_restored(const struct ss_ctl *ctl);

/* Appends the commands and their flags as tables of docs/reference.md. */
void ss__ctl_print_markdown(struct ss_bytes *out);

/* Appends "/v1/sessions/ID/". */
void ss__ctl_session_path(struct ss_bytes *out, const char *session_id);

/* Prints what the server said instead of a result. Returns SS_CTL_FAILED. */
struct ss_http_answer;
int ss__ctl_fail_answer(const struct ss_ctl *ctl, const struct ss_http_answer *answer);

/* Writes "ssctl: CODE: DETAIL" and returns SS_CTL_FAILED. */
int ss__ctl_fail(const struct ss_ctl *ctl, const struct ss_failure *failure);

#endif
