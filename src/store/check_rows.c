/* Segments and entities of a shard, for the check. */
#include <stdlib.h>
#include <string.h>

#include "store/bytes_order.h"
#include "store/check_state.h"
#include "store/command_value.h"
#include "store/past.h"
#include "store/record.h"
#include "store/retention.h"

static bool starts_with(MDB_val key, const uint8_t *prefix, size_t len)
{
    return key.mv_size >= len && memcmp(key.mv_data, prefix, len) == 0;
}

static void check_entries(struct ss_check *check, const struct ss_segment *segment)
{
    size_t at = 0;
    for (uint32_t i = 0; i < segment->count; i++) {
        struct ss_record record = { 0 };
        if (ss__segment_entry_next(segment->entries, &at, &record) != 0) {
            ss__check_found(check, "segment", segment->sid, "event %llu is malformed",
                            (unsigned long long)(segment->first + i));
            return;
        }
        if (record.type_id == 0 || record.type_id > check->types) {
            ss__check_found(check, "segment", segment->sid, "event %llu has unknown type %u",
                            (unsigned long long)(segment->first + i), record.type_id);
        }
        if (ss__header_check(record.header) != 0) {
            ss__check_found(check, "segment", segment->sid, "event %llu has a malformed header",
                            (unsigned long long)(segment->first + i));
        }
    }
    if (at != segment->entries.len) {
        ss__check_found(check, "segment", segment->sid, "bytes behind the last event");
    }
}

int ss__check_segment(struct ss_check *check, MDB_val key, MDB_val value)
{
    struct ss_segment segment;
    check->summary->segments++;
    uint64_t sid = key.mv_size == 16 ? ss__get_be64(key.mv_data) : 0;
    if (ss__segment_decode(ss__str_of_val(key), ss__str_of_val(value), &segment) != 0) {
        ss__check_found(check, "segment", sid, "checksum or shape is wrong");
        return 0;
    }
    struct ss_row_value row;
    if (ss__check_row(check, sid, &row) != 0) {
        if (ss__trash_has(&check->trash, sid)) {
            return 0;    /* soon taken out */
        }
        ss__check_found(check, "segment", sid, "belongs to no session");
    }
    check->summary->events += segment.count;
    check_entries(check, &segment);
    return 0;
}

/* Without it nothing behind the events that retention has removed can be made again. */
static void check_base(struct ss_check *check, uint64_t sid, const struct ss_row_value *row)
{
    if (row->first_retained <= 1 || ss__retained_in_entities(row) ||
        check->env.dbi[SS_DB_CHECKPOINT] == 0) {
        return;
    }
    int err = ss__past_sound(&check->env, check->txn, sid, row->first_retained - 1);
    if (err != 0) {
        ss__check_found(check, "session", sid, "%.*s: events before %llu are removed, and the "
                        "entities as of then are %s: it cannot be shown as of earlier events, "
                        "rebuilt or loaded by a changed projection", (int)row->id.len, row->id.data,
                        (unsigned long long)row->first_retained,
                        err == SS_E_NOTFOUND ? "missing" : "damaged");
    }
}

int ss__check_segments(struct ss_check *check, uint64_t sid, const struct ss_row_value *row)
{
    uint8_t from[16];
    MDB_cursor *cursor;
    uint64_t next = row->first_retained;
    struct ss_segment last = { 0 };
    int err = ss__err_from_lmdb(
        mdb_cursor_open(check->txn, check->env.dbi[SS_DB_SEGMENT], &cursor));
    if (err != 0) {
        return err;
    }
    ss__segment_key(from, sid, 0);
    MDB_val key = ss__val_of(from, sizeof from);
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && starts_with(key, from, 8)) {
        struct ss_segment segment;
        if (ss__segment_decode(ss__str_of_val(key), ss__str_of_val(value), &segment) == 0 &&
            segment.first >= row->first_retained) {    /* else a leftover of retention */
            if (segment.first != next) {
                ss__check_found(check, "session", sid, "events %llu to %llu are missing",
                                (unsigned long long)next,
                                (unsigned long long)(segment.first - 1));
            }
            next = segment.first + segment.count;
            last = segment;
        }
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (code != 0 && code != MDB_NOTFOUND) {
        return ss__err_from_lmdb(code);
    }
    if (next != row->ordinal + 1) {
        ss__check_found(check, "session", sid, "row counts %llu events in segments, there are %llu",
                        (unsigned long long)row->ordinal, (unsigned long long)(next - 1));
    } else if (row->tip.first < row->first_retained && row->first_retained > 1
                   ? last.count != 0
                   : last.count != row->tip.count || last.first != row->tip.first) {
        ss__check_found(check, "session", sid, "row and newest segment disagree");
    }
    check_base(check, sid, row);
    return 0;
}

int ss__check_entity(struct ss_check *check, MDB_val key, MDB_val value)
{
    uint64_t sid = 0;
    uint32_t projection;
    struct ss_str kind;
    struct ss_str id;
    struct ss_entity_row entity = { 0 };
    struct ss_row_value row;
    check->summary->entities++;
    if (ss__entity_key_decode(ss__str_of_val(key), &sid, &projection, &kind, &id) != 0) {
        ss__check_found(check, "entity", sid, "key is damaged");
        return 0;
    }
    if (ss__entity_decode(ss__str_of_val(key), ss__str_of_val(value), &entity) != 0) {
        ss__check_found(check, "entity", sid, "%.*s %.*s: checksum or shape is wrong",
                        (int)kind.len, kind.data, (int)id.len, id.data);
        return 0;
    }
    if (ss__check_row(check, sid, &row) != 0) {
        if (!ss__trash_has(&check->trash, sid)) {
            ss__check_found(check, "entity", sid, "belongs to no session");
        }
        return 0;
    }
    struct ss_timeline_row timeline = { .ordinal = 0 };
    struct ss_failed_set failed;
    (void)ss__timelines_pick(row.timelines, projection, &timeline, &failed);    /* none: at 0 */
    if (entity.created_ordinal == 0 || entity.created_ordinal > entity.last_ordinal ||
        entity.last_ordinal > timeline.ordinal) {
        ss__check_found(check, "entity", sid, "%.*s %.*s: ordinals %llu and %llu do not fit the "
                        "timeline at %llu", (int)kind.len, kind.data, (int)id.len, id.data,
                        (unsigned long long)entity.created_ordinal,
                        (unsigned long long)entity.last_ordinal,
                        (unsigned long long)timeline.ordinal);
    }
    if (entity.type_id == 0 || entity.type_id > check->types) {
        ss__check_found(check, "entity", sid, "%.*s %.*s: unknown type %u", (int)kind.len,
                        kind.data, (int)id.len, id.data, entity.type_id);
    }
    return 0;
}

int ss__check_command(struct ss_check *check, MDB_val key, MDB_val value)
{
    struct ss_command_value command;
    uint64_t position = key.mv_size == 8 ? ss__get_be64(key.mv_data) : 0;
    if (ss__command_row_decode(ss__str_of_val(key), ss__str_of_val(value), &command) != 0) {
        ss__check_found(check, "command", position, "checksum or shape is wrong");
        return 0;
    }
    check->summary->commands++;
    if (position > check->commands_through) {
        ss__check_found(check, "command", position, "is behind the newest row ever written");
    }
    if (command.sid >= check->next_sid && command.sid != 0) {
        ss__check_found(check, "command", position, "session number %llu was never handed out",
                        (unsigned long long)command.sid);
    }
    return 0;
}

static int pass_entity(const struct ss_entity_row *row, void *ctx)
{
    (void)row;
    (void)ctx;
    return 0;
}

int ss__check_past(struct ss_check *check, MDB_val key, MDB_val value)
{
    struct ss_past_key place = { 0 };
    struct ss_past_head head = { 0 };
    struct ss_row_value row;
    if (ss__past_key_decode(ss__str_of_val(key), &place) != 0) {
        ss__check_found(check, "checkpoint", 0, "key is damaged");
        return 0;
    }
    int err = place.part == 0
                  ? ss__past_head_decode(ss__str_of_val(key), ss__str_of_val(value), &head)
                  : ss__past_part_decode(ss__str_of_val(key), ss__str_of_val(value), pass_entity,
                                         NULL);
    if (err != 0) {
        ss__check_found(check, "checkpoint", place.sid, "event %llu, part %u: checksum or shape is "
                        "wrong", (unsigned long long)place.ordinal, place.part);
        return 0;
    }
    if (ss__check_row(check, place.sid, &row) != 0) {
        if (!ss__trash_has(&check->trash, place.sid)) {
            ss__check_found(check, "checkpoint", place.sid, "belongs to no session");
        }
    } else if (place.part <= 1 &&
               ss__past_read(&check->env, check->txn, place.sid, place.ordinal, pass_entity,
                             NULL) != 0) {
        ss__check_found(check, "checkpoint", place.sid, "event %llu: a part is missing or damaged",
                        (unsigned long long)place.ordinal);
    }
    return 0;
}
