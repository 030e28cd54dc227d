#include "verdict.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/history.h>
#include <sessionstream/snapshot.h>

#include "app.h"
#include "notes.pb-c.h"
#include "runs.h"

#define NOTED_MAX 4096
#define IDS_MAX 8
#define EVENTS_MAX 1000
#define FOLD_BYTES (EVENTS_MAX * APP_MARK_BYTES)

struct noted {
    unsigned session;
    uint64_t ordinal;
    char mark[APP_MARK_BYTES];
};

struct seen_snapshot {
    unsigned session;
    uint64_t ordinal;
    char *json;
};

/* One session as it is stored. */
struct stored {
    int err;
    bool more;
    size_t count;
    char ids[EVENTS_MAX][4];
    char marks[EVENTS_MAX][APP_MARK_BYTES];
    uint64_t snapshot_ordinal;
    struct text_list {
        char id[4];
        char text[FOLD_BYTES];
    } entities[IDS_MAX];
    size_t entities_count;
    sem_t answered;
};

static struct noted acks[NOTED_MAX];
static struct noted shown[NOTED_MAX];
static struct seen_snapshot snapshots[NOTED_MAX];
static unsigned acks_count;
static unsigned shown_count;
static unsigned snapshots_count;
static bool deleted[VERDICT_SESSIONS];

unsigned verdict_acks(void)
{
    return acks_count;
}

unsigned verdict_snapshots(void)
{
    return snapshots_count;
}

static void note(struct noted *list, unsigned *count, unsigned session, const char *mark,
                 uint64_t ordinal)
{
    if (*count == NOTED_MAX) {
        abort();
    }
    struct noted *noted = &list[(*count)++];
    *noted = (struct noted){ .session = session, .ordinal = ordinal };
    (void)snprintf(noted->mark, sizeof noted->mark, "%.*s", (int)app_mark_len(mark), mark);
}

void verdict_acked(unsigned session, const char *mark, uint64_t ordinal)
{
    note(acks, &acks_count, session, mark, ordinal);
}

void verdict_shown(unsigned session, const char *mark, uint64_t ordinal)
{
    note(shown, &shown_count, session, mark, ordinal);
}

void verdict_snapshot(unsigned session, uint64_t ordinal, const char *json)
{
    if (snapshots_count == NOTED_MAX) {
        abort();
    }
    snapshots[snapshots_count++] = (struct seen_snapshot){ session, ordinal, strdup(json) };
}

void verdict_deleted(unsigned session)
{
    deleted[session] = true;
}

void verdict_free(void)
{
    for (unsigned i = 0; i < snapshots_count; i++) {
        free(snapshots[i].json);
    }
    snapshots_count = 0;
}

/* ---- JSON, as the server writes it ---- */

static const char *json_member(const char *json, const char *member)
{
    char key[64];
    (void)snprintf(key, sizeof key, "\"%s\":", member);
    const char *at = strstr(json, key);
    return at == NULL ? NULL : at + strlen(key);
}

uint64_t json_number(const char *json, const char *member)
{
    const char *at = json_member(json, member);
    if (at == NULL) {
        return UINT64_MAX;
    }
    return strtoull(at + (*at == '"'), NULL, 10);
}

bool json_string(const char *json, const char *member, char *out, size_t cap)
{
    const char *at = json_member(json, member);
    const char *end = at == NULL || *at != '"' ? NULL : strchr(at + 1, '"');
    if (end == NULL) {
        return false;
    }
    (void)snprintf(out, cap, "%.*s", (int)(end - at - 1), at + 1);
    return true;
}

/* ---- what is stored ---- */

static void on_events(const struct ss_result *result, const struct ss_event_page *page, void *ctx)
{
    struct stored *stored = ctx;
    stored->err = result->err;
    stored->more = false;
    for (size_t i = 0; page != NULL && i < page->count; i++) {
        const struct ss_stored_event *event = &page->events[i];
        Sessionstream__Test__Notes__Note *message = sessionstream__test__notes__note__unpack(
            NULL, event->payload.len, (const uint8_t *)event->payload.data);
        if (message == NULL || event->ordinal != stored->count + 1 ||
            stored->count == EVENTS_MAX) {
            broken("stored event %llu cannot be read or is out of order",
                   (unsigned long long)event->ordinal);
        } else {
            size_t at = stored->count++;
            (void)snprintf(stored->ids[at], sizeof stored->ids[at], "%s", message->id);
            (void)snprintf(stored->marks[at], sizeof stored->marks[at], "%.*s",
                           (int)app_mark_len(message->text), message->text);
        }
        if (message != NULL) {
            sessionstream__test__notes__note__free_unpacked(message, NULL);
        }
    }
    stored->more = page != NULL && page->more;
    (void)sem_post(&stored->answered);
}

static void on_snapshot(const struct ss_result *result, const struct ss_snapshot *snapshot,
                        void *ctx)
{
    struct stored *stored = ctx;
    stored->err = result->err;
    for (size_t i = 0; snapshot != NULL && i < snapshot->count && i < IDS_MAX; i++) {
        struct ss_str packed = snapshot->entities[i].packed;
        Sessionstream__Test__Notes__Note *message = sessionstream__test__notes__note__unpack(
            NULL, packed.len, (const uint8_t *)packed.data);
        if (message != NULL) {
            struct text_list *entity = &stored->entities[stored->entities_count++];
            (void)snprintf(entity->id, sizeof entity->id, "%s", message->id);
            (void)snprintf(entity->text, sizeof entity->text, "%s", message->text);
            sessionstream__test__notes__note__free_unpacked(message, NULL);
        }
    }
    stored->snapshot_ordinal = snapshot == NULL ? 0 : snapshot->ordinal;
    (void)sem_post(&stored->answered);
}

static void await(struct stored *stored, int err)
{
    if (err != 0) {
        stored->err = err;
        stored->more = false;
        return;
    }
    while (sem_wait(&stored->answered) != 0) {
    }
}

static struct stored *read_session(struct ss_engine *engine, unsigned session)
{
    char id[8];
    struct stored *stored = calloc(1, sizeof *stored);
    (void)snprintf(id, sizeof id, "s%u", session);
    (void)sem_init(&stored->answered, 0, 0);
    do {
        await(stored, ss_engine_events(engine, ss_str(id), stored->count, 0, on_events, stored));
    } while (stored->err == 0 && stored->more);
    if (stored->err != 0 && stored->err != SS_E_NOTFOUND) {
        broken("the events of %s cannot be read: %s", id, ss_error_name(stored->err));
    }
    await(stored, ss_engine_snapshot(engine, ss_str(id), on_snapshot, stored));
    if (stored->err != 0) {
        broken("there is no snapshot of %s: %s", id, ss_error_name(stored->err));
    }
    return stored;
}

/* ---- comparing ---- */

static void fold(const struct stored *stored, uint64_t ordinal, const char *id, char *out)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ordinal && i < stored->count; i++) {
        if (strcmp(stored->ids[i], id) == 0) {
            len += (size_t)snprintf(out + len, FOLD_BYTES - len, "%s", stored->marks[i]);
        }
    }
}

static size_t count_ids(const struct stored *stored, uint64_t ordinal)
{
    size_t count = 0;
    for (size_t i = 0; i < ordinal && i < stored->count; i++) {
        size_t before = 0;
        while (strcmp(stored->ids[before], stored->ids[i]) != 0) {
            before++;
        }
        count += before == i;
    }
    return count;
}

static void judge_noted(const struct stored *stored, unsigned session, const struct noted *noted,
                        const char *what)
{
    size_t at = 0;
    while (at < stored->count && strcmp(stored->marks[at], noted->mark) != 0) {
        at++;
    }
    if (at == stored->count) {
        broken("s%u: the %s event \"%s\" (%llu) is not stored", session, what,
               noted->mark, (unsigned long long)noted->ordinal);
    } else if (noted->ordinal != 0 && noted->ordinal != at + 1) {
        broken("s%u: the %s event \"%s\" is said to be %llu and is %zu", session, what,
               noted->mark, (unsigned long long)noted->ordinal, at + 1);
    }
}

static void judge_events(const struct stored *stored, unsigned session)
{
    for (size_t i = 0; i < stored->count; i++) {
        for (size_t j = i + 1; j < stored->count; j++) {
            if (strcmp(stored->marks[i], stored->marks[j]) == 0) {
                broken("s%u: \"%s\" is stored twice, as %zu and %zu", session,
                       stored->marks[i], i + 1, j + 1);
            }
        }
    }
}

static void judge_entities(const struct stored *stored, unsigned session)
{
    static char want[FOLD_BYTES];
    if (stored->snapshot_ordinal != stored->count ||
        stored->entities_count != count_ids(stored, stored->count)) {
        broken("s%u: the snapshot is of event %llu with %zu entities, %zu are stored",
               session, (unsigned long long)stored->snapshot_ordinal,
               stored->entities_count, stored->count);
    }
    for (size_t i = 0; i < stored->entities_count; i++) {
        fold(stored, stored->count, stored->entities[i].id, want);
        if (strcmp(want, stored->entities[i].text) != 0) {
            broken("s%u: entity %s is \"%s\", the events say \"%s\"", session,
                   stored->entities[i].id, stored->entities[i].text, want);
        }
    }
}

static void judge_seen(const struct stored *stored, const struct seen_snapshot *seen)
{
    static char want[FOLD_BYTES];
    static char text[FOLD_BYTES];
    char id[8];
    size_t count = 0;
    if (seen->ordinal > stored->count) {
        broken("s%u: a snapshot showed event %llu, %zu are stored", seen->session,
               (unsigned long long)seen->ordinal, stored->count);
        return;
    }
    for (const char *at = seen->json; (at = strstr(at, "\"payload\":{")) != NULL; at++, count++) {
        if (!json_string(at, "id", id, sizeof id) ||
            !json_string(at, "text", text, sizeof text)) {
            broken("s%u: a snapshot has an entity without id or text", seen->session);
            return;
        }
        fold(stored, seen->ordinal, id, want);
        if (strcmp(want, text) != 0) {
            broken("s%u: a snapshot of event %llu showed %s as \"%s\", the events say "
                   "\"%s\"", seen->session, (unsigned long long)seen->ordinal, id, text,
                   want);
        }
    }
    if (count != count_ids(stored, seen->ordinal)) {
        broken("s%u: a snapshot of event %llu showed %zu entities of %zu", seen->session,
               (unsigned long long)seen->ordinal, count,
               count_ids(stored, seen->ordinal));
    }
}

void verdict_judge(struct ss_engine *engine)
{
    for (unsigned session = 0; session < VERDICT_SESSIONS; session++) {
        if (deleted[session]) {
            continue;
        }
        struct stored *stored = read_session(engine, session);
        judge_events(stored, session);
        judge_entities(stored, session);
        for (unsigned i = 0; i < acks_count; i++) {
            if (acks[i].session == session) {
                judge_noted(stored, session, &acks[i], "acknowledged");
            }
        }
        for (unsigned i = 0; i < shown_count; i++) {
            if (shown[i].session == session) {
                judge_noted(stored, session, &shown[i], "shown");
            }
        }
        for (unsigned i = 0; i < snapshots_count; i++) {
            if (snapshots[i].session == session) {
                judge_seen(stored, &snapshots[i]);
            }
        }
        (void)sem_destroy(&stored->answered);
        free(stored);
    }
}
