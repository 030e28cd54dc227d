#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/history.h>

#include "sim.pb-c.h"
#include "trace.h"

#define NOTE_BYTES_MAX 16384

void model_broken(const char *format, ...)
{
    va_list args;
    trace_print();
    va_start(args, format);
    (void)fputs("broken promise: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

uint32_t model_token(struct model *model, uint32_t session)
{
    if (model->tokens_count + 1 >= SIM_TOKENS_MAX) {
        return 0;
    }
    uint32_t token = ++model->tokens_count;
    model->tokens[token] = (struct token){ .session = session };
    return token;
}

/* By the table of docs/projections.md. */
void model_projected(struct model *model, uint32_t session, uint64_t ordinal, uint32_t number)
{
    if (ordinal == 0 || ordinal >= SIM_ORDINALS_MAX) {
        model_broken("session s%u: event %u projected at ordinal %llu", session, number,
                     (unsigned long long)ordinal);
    }
    struct token *token = &model->tokens[number];
    trace_add("s%u:%llu is projected from event %u, %s n%u%s%s", session,
              (unsigned long long)ordinal, number, token->deletes ? "deletes" : "writes",
              token->note, token->ui_fails ? ", UI fails" : "",
              token->timeline_fails ? ", timeline fails" : "");
    model->sessions[session].projected[ordinal] = number;
    bool timeline_fails = token->timeline_fails && !model->healed;
    token->framed =
        !token->ui_fails && (!timeline_fails || model->timeline_policy == SS_POLICY_ADVANCE);
    token->lacking = timeline_fails || (token->ui_fails && model->ui_policy == SS_POLICY_FAIL);
}

void model_shown(struct model *model, uint32_t session, uint64_t ordinal, uint32_t number,
                 const char *where)
{
    struct model_session *known = &model->sessions[session];
    if (number == 0 || number > model->tokens_count || ordinal == 0 ||
        ordinal >= SIM_ORDINALS_MAX) {
        model_broken("%s: session s%u shows event %u at ordinal %llu", where, session, number,
                     (unsigned long long)ordinal);
    }
    struct token *token = &model->tokens[number];
    if (token->session != session) {
        model_broken("%s: event %u of s%u is shown in s%u", where, number, token->session,
                     session);
    }
    if (token->refused) {
        model_broken("%s: event %u was refused and is at s%u:%llu", where, number, session,
                     (unsigned long long)ordinal);
    }
    if (token->ordinal != 0 && token->ordinal != ordinal) {
        model_broken("%s: event %u is at s%u:%llu and at %llu", where, number, session,
                     (unsigned long long)token->ordinal, (unsigned long long)ordinal);
    }
    if (known->shown[ordinal] != 0 && known->shown[ordinal] != number) {
        model_broken("%s: s%u:%llu was event %u and is event %u", where, session,
                     (unsigned long long)ordinal, known->shown[ordinal], number);
    }
    token->ordinal = ordinal;
    known->shown[ordinal] = number;
    known->newest = ordinal > known->newest ? ordinal : known->newest;
}

void model_gone(struct model *model, uint32_t session, uint64_t at, uint64_t first)
{
    struct model_session *known = &model->sessions[session];
    if (!model->retains || first <= at + 1) {
        model_broken("s%u: what comes after %llu is said to be gone, %llu is there", session,
                     (unsigned long long)at, (unsigned long long)first);
    }
    known->first = first > known->first ? first : known->first;
    model->gones++;
}

void model_stored(struct model *model, uint32_t session, const struct ss_stored_event *event)
{
    Sessionstream__Test__Sim__Step *step = sessionstream__test__sim__step__unpack(
        NULL, event->payload.len, (const uint8_t *)event->payload.data);
    if (step == NULL) {
        model_broken("s%u: event %llu cannot be read", session,
                     (unsigned long long)event->ordinal);
    }
    model_shown(model, session, event->ordinal, (uint32_t)step->token, "events");
    sessionstream__test__sim__step__free_unpacked(step, NULL);
}

void model_deleted(struct model *model, uint32_t session)
{
    for (uint32_t i = 1; i <= model->tokens_count; i++) {
        struct token *token = &model->tokens[i];
        if (token->session == session && token->ordinal != 0) {
            token->refused = true;
        }
    }
    uint32_t life = model->sessions[session].life + 1;
    model->sessions[session] = (struct model_session){ .life = life };
}

/* ---- reading frames: the JSON is our own, so its members come in a known order ---- */

static const char *find(const char *at, const char *end, const char *what)
{
    size_t len = strlen(what);
    for (; at + len <= end; at++) {
        if (memcmp(at, what, len) == 0) {
            return at + len;
        }
    }
    return NULL;
}

static uint64_t number_after(const char *at, const char *end, const char *member)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":\"", member);
    const char *value = find(at, end, key);
    return value == NULL ? 0 : strtoull(value, NULL, 10);
}

static void take_cursor(struct client *client, const char *at, const char *end)
{
    const char *value = find(at, end, "\"cursor\":\"");
    size_t len = 0;
    while (value != NULL && value + len < end && value[len] != '"') {
        len++;
    }
    if (value != NULL && len < sizeof client->cursor) {
        memcpy(client->cursor, value, len);
        client->cursor[len] = '\0';
    }
}

/* ---- frames ---- */

/* Ordinals after @from and up to @to, of which a client is not told, must be of events without a
 * frame. */
static void check_unframed(const struct model *model, uint32_t session, uint64_t from, uint64_t to)
{
    const struct model_session *known = &model->sessions[session];
    for (uint64_t ordinal = from + 1; ordinal <= to; ordinal++) {
        uint32_t number = known->shown[ordinal] != 0 ? known->shown[ordinal]
                                                     : known->projected[ordinal];
        if (number == 0 || model->tokens[number].framed) {
            model_broken("a follower of s%u came from %llu to %llu without %llu (event %u)",
                         session, (unsigned long long)from, (unsigned long long)to,
                         (unsigned long long)ordinal, number);
        }
    }
}

static uint64_t run_of(const struct client *client)
{
    const char *run = strchr(client->cursor, '~');
    return run == NULL ? 0 : strtoull(run + 1, NULL, 10);
}

/* A session that left memory counts anew, in another run. */
static void check_live(const struct client *client, uint64_t ordinal, uint64_t live)
{
    bool same = ordinal == client->ordinal && client->run == run_of(client);
    uint64_t before = same ? client->live : 0;
    if (ordinal < client->ordinal || live != before + 1) {
        model_broken("a follower of s%u at %llu.%llu was sent the live-only %llu.%llu",
                     client->session, (unsigned long long)client->ordinal,
                     (unsigned long long)client->live, (unsigned long long)ordinal,
                     (unsigned long long)live);
    }
}

static uint64_t epoch_of(const struct client *client)
{
    return strtoull(client->cursor, NULL, 10);
}

/* What the client has is of the epoch @before, 0: it has nothing. */
static void check_epoch(const struct client *client, uint64_t before)
{
    if (before != 0 && epoch_of(client) != before) {
        model_broken("a follower of s%u in epoch %llu came to %s without a snapshot",
                     client->session, (unsigned long long)before, client->cursor);
    }
}

void model_frame(struct model *model, struct client *client, struct ss_str json)
{
    const char *end = json.data + json.len;
    if (find(json.data, end, "{\"activity\":") != NULL) {
        return;
    }
    uint64_t ordinal = number_after(json.data, end, "eventOrdinal");
    uint64_t live = number_after(json.data, end, "live");
    if (ordinal >= SIM_ORDINALS_MAX) {
        model_broken("s%u: a frame at ordinal %llu", client->session, (unsigned long long)ordinal);
    }
    uint64_t before = epoch_of(client);
    take_cursor(client, json.data, end);
    check_epoch(client, before);
    trace_add("a frame of s%u at %s", client->session, client->cursor);
    if (live != 0) {
        if (ordinal > client->ordinal) {
            check_unframed(model, client->session, client->ordinal, ordinal);
        }
        check_live(client, ordinal, live);
    } else {
        if (ordinal <= client->ordinal) {
            model_broken("a follower of s%u at %llu was sent %llu", client->session,
                         (unsigned long long)client->ordinal, (unsigned long long)ordinal);
        }
        check_unframed(model, client->session, client->ordinal, ordinal - 1);
        model_shown(model, client->session, ordinal,
                    (uint32_t)number_after(json.data, end, "token"), "frame");
    }
    client->ordinal = ordinal;
    client->live = live;
    client->run = run_of(client);
}

void model_recovered(const struct model *model, struct client *client)
{
    uint32_t life = model->sessions[client->session].life;
    if (client->life != life && client->ordinal != 0) {
        model_broken("a follower of an s%u that was deleted was resumed", client->session);
    }
    client->life = life;    /* the place before the first event is one of every life */
}

void model_resumed(struct model *model, struct client *client, const struct ss_cursor *place)
{
    if (place->ordinal < client->ordinal) {
        model_broken("a follower of s%u at %llu was resumed at %llu", client->session,
                     (unsigned long long)client->ordinal, (unsigned long long)place->ordinal);
    }
    check_unframed(model, client->session, client->ordinal, place->ordinal);
    client->ordinal = place->ordinal;
    client->live = place->live;
    client->run = place->run;
    uint64_t before = epoch_of(client);
    client->cursor[ss__cursor_write(place, client->cursor)] = '\0';
    check_epoch(client, before);
}

/* ---- snapshots ---- */

struct fold {
    uint32_t events[SIM_ORDINALS_MAX];     /* token by ordinal, as the entities show it */
    bool is_there[SIM_NOTES];
    char notes[SIM_NOTES][NOTE_BYTES_MAX];
};

static struct fold got;
static struct fold want;

/* The entity behind @at; returns where the next one begins. */
static const char *take_entity(struct model *model, struct client *client, const char *at,
                               const char *end)
{
    const char *next = find(at, end, "{\"kind\":\"");
    const char *stop = next == NULL ? end : next;
    const char *id = find(at, stop, "\"id\":\"");
    if (id == NULL) {
        model_broken("s%u: an entity without an id", client->session);
    }
    if (strncmp(at, "Event\"", 6) == 0) {
        uint64_t ordinal = strtoull(id, NULL, 10);
        uint32_t number = (uint32_t)number_after(at, stop, "token");
        model_shown(model, client->session, ordinal, number, "snapshot");
        if (got.events[ordinal] != 0) {
            model_broken("s%u: event %u is twice in a snapshot", client->session, number);
        }
        got.events[ordinal] = number;
        return next;
    }
    unsigned note = (unsigned)strtoul(id + 1, NULL, 10);
    const char *text = find(at, stop, "\"text\":\"");
    got.is_there[note] = true;
    for (size_t i = 0; text != NULL && text[i] != '"' && i + 1 < NOTE_BYTES_MAX; i++) {
        got.notes[note][i] = text[i];
        got.notes[note][i + 1] = '\0';
    }
    return next;
}

static void apply(const struct model *model, uint32_t number)
{
    const struct token *token = &model->tokens[number];
    char *note = want.notes[token->note];
    size_t len = strlen(note);
    want.is_there[token->note] = !token->deletes;
    if (token->deletes) {
        note[0] = '\0';
    } else {
        snprintf(note + len, NOTE_BYTES_MAX - len, "%u.", number);
    }
}

static void check_fold(const struct model *model, uint32_t session, uint64_t ordinal)
{
    const struct model_session *known = &model->sessions[session];
    memset(&want, 0, sizeof want);
    for (uint64_t i = 1; i < SIM_ORDINALS_MAX; i++) {
        uint32_t number = got.events[i];
        if (number != 0 && i > ordinal) {
            model_broken("s%u: a snapshot at %llu shows event %u of %llu", session,
                         (unsigned long long)ordinal, number, (unsigned long long)i);
        }
        uint32_t other = known->shown[i] != 0 ? known->shown[i] : known->projected[i];
        if (number == 0 && i <= ordinal &&
            (other == 0 || !model->tokens[other].lacking)) {
            model_broken("s%u: a snapshot at %llu lacks %llu (event %u)", session,
                         (unsigned long long)ordinal, (unsigned long long)i, other);
        }
        if (number != 0) {
            apply(model, number);
        }
    }
    for (unsigned i = 0; i < SIM_NOTES; i++) {
        if (got.is_there[i] != want.is_there[i] || strcmp(got.notes[i], want.notes[i]) != 0) {
            model_broken("s%u: note n%u of a snapshot at %llu is \"%s\", its events make \"%s\"",
                         session, i, (unsigned long long)ordinal, got.notes[i], want.notes[i]);
        }
    }
}

/* What is shown at @ordinal is what others were shown in this epoch. */
static void check_same(struct model_session *known, uint32_t session, uint64_t epoch,
                       uint64_t ordinal)
{
    struct model_epoch *entry = NULL;
    for (uint32_t i = 0; i < SIM_EPOCHS && entry == NULL; i++) {
        entry = known->epochs[i].epoch == epoch ? &known->epochs[i] : NULL;
    }
    if (entry == NULL) {
        entry = &known->epochs[known->epochs_count++ % SIM_EPOCHS];
        *entry = (struct model_epoch){ .epoch = epoch };
    }
    for (uint64_t i = 1; i <= entry->ordinal && i <= ordinal; i++) {
        if (entry->events[i] != got.events[i]) {
            model_broken("s%u: snapshots of epoch %llu at %llu and %llu have event %u and %u of "
                         "%llu", session, (unsigned long long)epoch,
                         (unsigned long long)entry->ordinal, (unsigned long long)ordinal,
                         entry->events[i], got.events[i], (unsigned long long)i);
        }
    }
    if (ordinal > entry->ordinal) {
        entry->ordinal = ordinal;
        memcpy(entry->events, got.events, sizeof entry->events);
    }
}

void model_snapshot(struct model *model, struct client *client, struct ss_str json)
{
    const char *end = json.data + json.len;
    uint64_t ordinal = number_after(json.data, end, "snapshotOrdinal");
    memset(&got, 0, sizeof got);
    for (const char *at = find(json.data, end, "{\"kind\":\""); at != NULL;) {
        at = take_entity(model, client, at, end);
    }
    check_fold(model, client->session, ordinal);
    client->life = model->sessions[client->session].life;
    client->ordinal = ordinal;
    client->live = 0;
    client->cursor[0] = '\0';
    take_cursor(client, json.data, end);
    trace_add("a snapshot of s%u at %s", client->session, client->cursor);
    if (epoch_of(client) != 0) {
        check_same(&model->sessions[client->session], client->session, epoch_of(client), ordinal);
    }
    /* Events that failed at the end are behind it without having moved the snapshot. */
    const char *colon = strchr(client->cursor, ':');
    client->ordinal = colon == NULL ? ordinal : strtoull(colon + 1, NULL, 10);
    check_unframed(model, client->session, ordinal, client->ordinal);
    const char *live = strchr(client->cursor, '.');
    client->live = live == NULL ? 0 : strtoull(live + 1, NULL, 10);
    client->run = run_of(client);
}

void model_past(struct model *model, uint32_t session, const struct ss_snapshot *snapshot)
{
    memset(&got, 0, sizeof got);
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct ss_entity *entity = &snapshot->entities[i];
        const uint8_t *packed = (const uint8_t *)entity->packed.data;
        if (ss_str_equal(entity->kind, ss_str("Event"))) {
            Sessionstream__Test__Sim__Step *step =
                sessionstream__test__sim__step__unpack(NULL, entity->packed.len, packed);
            uint64_t ordinal = entity->created_ordinal;
            model_shown(model, session, ordinal, (uint32_t)step->token, "past");
            got.events[ordinal] = (uint32_t)step->token;
            sessionstream__test__sim__step__free_unpacked(step, NULL);
        } else {
            Sessionstream__Test__Sim__Note *note =
                sessionstream__test__sim__note__unpack(NULL, entity->packed.len, packed);
            unsigned index = (unsigned)(entity->id.data[1] - '0');
            got.is_there[index] = true;
            snprintf(got.notes[index], NOTE_BYTES_MAX, "%s", note->text);
            sessionstream__test__sim__note__free_unpacked(note, NULL);
        }
    }
    check_fold(model, session, snapshot->ordinal);
}

void model_is_current(const struct model *model, const struct client *client, uint64_t ordinal)
{
    const struct model_session *known = &model->sessions[client->session];
    for (uint64_t i = client->ordinal + 1; i <= ordinal; i++) {
        uint32_t number = known->shown[i];
        if (number != 0 &&
            (model->tokens[number].framed || !model->tokens[number].lacking)) {
            model_broken("s%u: event %u at %llu was shown, a new client stands at %llu",
                         client->session, number, (unsigned long long)i,
                         (unsigned long long)client->ordinal);
        }
    }
}
