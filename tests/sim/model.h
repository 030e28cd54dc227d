/* model.h - what the server promises, kept beside it: which event has which ordinal, and what a
 * follower may be sent next.
 *
 * An event is known by its token, a number of its own. Whatever shows one (an answer, a frame, a
 * snapshot) binds the token to its ordinal for ever: another event there, the same event twice, or
 * a later snapshot without it is a broken promise, and ends the run with the seed.
 *
 * A cursor stands for the entities of its epoch at its ordinal, whoever comes back with it and
 * whenever: two snapshots of one epoch that disagree on an event that both are after, or another
 * epoch without a snapshot, are broken promises as well. */
#ifndef SS_SIM_MODEL_H
#define SS_SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <sessionstream/policy.h>
#include <sessionstream/snapshot.h>
#include <sessionstream/types.h>

#include "core/cursor.h"

#define SIM_SESSIONS_MAX 6
#define SIM_ORDINALS_MAX 1024
#define SIM_TOKENS_MAX 8192
#define SIM_NOTES 4
#define SIM_EPOCHS 16

struct token {
    uint32_t session;
    uint32_t note;
    bool deletes;
    bool ui_fails;
    bool timeline_fails;
    bool framed;               /* followers are sent it: settled when it is projected */
    bool lacking;              /* the timeline may be without it, until a retry */
    bool refused;              /* an answer said that it was not stored */
    uint64_t ordinal;          /* 0: nobody has been shown it */
};

/* What snapshots of one epoch have shown. */
struct model_epoch {
    uint64_t epoch;                        /* 0: none */
    uint64_t ordinal;                      /* up to here */
    uint32_t events[SIM_ORDINALS_MAX];     /* token at each ordinal, 0: it is not in the entities */
};

struct model_session {
    uint32_t shown[SIM_ORDINALS_MAX];      /* token at each ordinal, 0: not shown yet */
    uint32_t projected[SIM_ORDINALS_MAX];  /* token the projection saw last, committed or not */
    uint64_t newest;                       /* greatest ordinal shown */
    uint64_t first;                        /* greatest that was named as the first retained */
    uint32_t life;                         /* how often it was deleted */
    uint32_t epochs_count;                 /* so far: the newest SIM_EPOCHS are known */
    struct model_epoch epochs[SIM_EPOCHS];
};

struct model {
    enum ss_projection_policy ui_policy;
    enum ss_projection_policy timeline_policy;
    bool retains;              /* events may be removed */
    uint64_t dropped;          /* by retention, in the end */
    uint64_t gones;            /* answers that said so */
    bool healed;               /* failing timelines have been mended */
    uint32_t tokens_count;     /* number 0 is none */
    struct token tokens[SIM_TOKENS_MAX];
    struct model_session sessions[SIM_SESSIONS_MAX];
};

/* What a client knows of one session. */
struct client {
    uint32_t session;
    uint32_t life;             /* of the session, that it knows */
    uint64_t ordinal;
    uint64_t live;
    uint64_t run;              /* that counted @live */
    char cursor[96];           /* "" : none yet */
};

/* The promise that was broken, with the run's seed; ends the process. */
void model_broken(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A token for a new event; 0 when the run has used them up. */
uint32_t model_token(struct model *model, uint32_t session);

/* The projection runs for an event. */
void model_projected(struct model *model, uint32_t session, uint64_t ordinal, uint32_t number);

/* Somebody was shown the event. */
void model_shown(struct model *model, uint32_t session, uint64_t ordinal, uint32_t number,
                 const char *where);

/* What begins after @at is gone, and @first is told to be the first that is there. */
void model_gone(struct model *model, uint32_t session, uint64_t at, uint64_t first);

/* An event is told as stored. */
struct ss_stored_event;
void model_stored(struct model *model, uint32_t session, const struct ss_stored_event *event);

/* The session was deleted: nothing of it may be seen again. */
void model_deleted(struct model *model, uint32_t session);

/* A frame has reached the client. Follows what it knew without gap. */
void model_frame(struct model *model, struct client *client, struct ss_str json);

/* A snapshot has; it is whole, or with @delta what changed. */
void model_snapshot(struct model *model, struct client *client, struct ss_str json);

/* The client may go on from its cursor. */
void model_recovered(const struct model *model, struct client *client);

/* The same for a snapshot of an earlier event. */
void model_past(struct model *model, uint32_t session, const struct ss_snapshot *snapshot);

/* The subscribe is answered: snapshot and frames have brought the client to @place. */
void model_resumed(struct model *model, struct client *client, const struct ss_cursor *place);

/* The client has been answered: it must know every event up to @ordinal that anybody was shown. */
void model_is_current(const struct model *model, const struct client *client, uint64_t ordinal);

#endif
