/* resume_notes.h - followers of the notes that come and go, with cursors. */
#ifndef SS_RESUME_NOTES_H
#define SS_RESUME_NOTES_H

#include "notes_app.h"

/* The subscribe of the follower with @handle, from @cursor unless NULL. */
static inline struct ss_request *make_resume(const char *session, uint32_t handle,
                                             uint8_t encoding, const char *cursor)
{
    struct ss_str none = { NULL, 0 };
    struct ss_request *request = ss__request_new(SS_REQUEST_SUBSCRIBE, ss_str(session), none, none);
    ss_check(request != NULL);
    request->connection = (struct ss_connection_id){ 0, 1, 1 };
    request->handle = (struct ss_session_handle){ handle, 1 };
    request->number = 1;
    request->encoding = encoding;
    request->resuming = cursor != NULL;
    ss_check(cursor == NULL || ss__cursor_parse(ss_str(cursor), &request->resume, NULL) == 0);
    return request;
}

static inline void post_resume_as(struct fixture *f, const char *session, uint32_t handle,
                                  uint8_t encoding, const char *cursor)
{
    struct ss_request *request = make_resume(session, handle, encoding, cursor);
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &request->base.node, SS_POST_OUTSIDE) == 0);
}

static inline void post_resume(struct fixture *f, const char *session, uint32_t handle,
                               const char *cursor)
{
    post_resume_as(f, session, handle, SS_ENCODING_V2_JSON, cursor);
}

static inline void post_uninterested(struct fixture *f, const char *session, uint32_t handle)
{
    struct ss_msg_uninterested *msg = ss__uninterested_new(
        sizeof *msg, 0, (struct ss_session_handle){ handle, 1 }, ss_str(session));
    ss_check(msg != NULL);
    ss_check(ss__inbox_post(ss__shard_inbox(f->shard), &msg->base.node, SS_POST_INSIDE) == 0);
}

/* The answer of a subscribe, whatever frames come before it. */
static inline struct ss_request *take_answer(struct fixture *f)
{
    for (;;) {
        struct ss_msg *msg = next_message(f);
        ss_check(msg != NULL);
        if (msg->kind == SS_MSG_REPLY) {
            struct ss_request *request = (struct ss_request *)(void *)msg;
            ss_check(request->request == SS_REQUEST_SUBSCRIBE && request->err == 0);
            ss_check(request->recovered == (request->snapshot == NULL));
            return request;
        }
        ss__msg_free(msg);
    }
}

static inline void drop_messages(struct fixture *f)
{
    for (struct ss_msg *msg; (msg = next_message(f)) != NULL;) {
        ss__msg_free(msg);
    }
}

struct answer {
    bool recovered;
    uint8_t reason;
    uint32_t frames;
    uint64_t first;     /* ordinals of the first and last frame */
    uint64_t last;
    char cursor[SS_CURSOR_BYTES_MAX + 1];
    char snapshot[4096];
};

static inline uint64_t number_in(struct ss_buf *buf, const char *member)
{
    char text[4096];
    char key[64];
    struct ss_str body = ss__ws_payload(buf);
    snprintf(text, sizeof text, "%.*s", (int)body.len, body.data);
    snprintf(key, sizeof key, "\"%s\":\"", member);
    const char *at = strstr(text, key);
    return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

static inline struct answer read_answer(struct fixture *f)
{
    struct ss_request *request = take_answer(f);
    struct answer answer = { .recovered = request->recovered, .reason = request->reason,
                             .frames = request->frames_count };
    if (request->frames_count > 0) {
        answer.first = number_in(request->frames[0], "eventOrdinal");
        answer.last = number_in(request->frames[request->frames_count - 1], "eventOrdinal");
    }
    answer.cursor[ss__cursor_write(&request->place, answer.cursor)] = '\0';
    if (request->snapshot != NULL) {
        struct ss_str body = ss__ws_payload(request->snapshot);
        snprintf(answer.snapshot, sizeof answer.snapshot, "%.*s", (int)body.len, body.data);
    }
    ss__msg_free(&request->base);
    return answer;
}

static inline struct answer resume_from(struct fixture *f, const char *session, uint32_t handle,
                                        const char *cursor)
{
    post_resume(f, session, handle, cursor);
    step_all(f);
    return read_answer(f);
}

static inline void leave(struct fixture *f, const char *session, uint32_t handle)
{
    post_uninterested(f, session, handle);
    step_all(f);
    drop_messages(f);
}

#ifndef SS_REBUILD_NOTES_H    /* which has a shorter one */
static inline void put(struct fixture *f, const char *session, const char *id, const char *text)
{
    post_put(f, session, id, text);
    step_all(f);
}
#endif

#endif
