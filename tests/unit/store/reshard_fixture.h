/* reshard_fixture.h - directories of several shards that know types by different numbers. */
#ifndef SS_TESTS_RESHARD_FIXTURE_H
#define SS_TESTS_RESHARD_FIXTURE_H

#include <stdbool.h>

#include "store_fixture.h"

#include "store/copy.h"
#include "store/outcome.h"
#include "store/reshard.h"
#include "store/store_state.h"

struct many {
    char root[256];
    char to[300];
    struct test_clock clock;
    struct ss_directory *directory;
    struct ss_store *stores[8];
    uint32_t events[8];
    uint32_t entities[8];
    uint32_t projections[8][2];
    char findings[1024];
};

/* Even and odd shards meet the names in another order. */
static inline void intern(struct many *m, uint32_t shard, bool odd)
{
    struct ss_type_entry types[] = {
        { .space = SS_TYPE_EVENT, .name = ss_str("Said"), .full_name = ss_str("t.Said") },
        { .space = SS_TYPE_ENTITY, .name = ss_str("note"), .full_name = ss_str("t.Note") },
        { .space = SS_TYPE_PROJECTION, .name = ss_str("notes"),
          .full_name = ss_str(SS_PROJECTION_TIMELINE) },
        { .space = SS_TYPE_PROJECTION, .name = ss_str("totals"),
          .full_name = ss_str(SS_PROJECTION_TIMELINE) },
    };
    if (odd) {
        struct ss_type_entry first[] = {
            { .space = SS_TYPE_EVENT, .name = ss_str("Only"), .full_name = ss_str("t.Odd") },
            types[3],
            types[1],
        };
        ss_check(ss__store_intern_types(m->stores[shard], first, 3) == 0);
    }
    ss_check(ss__store_intern_types(m->stores[shard], types, 4) == 0);
    m->events[shard] = types[0].ret_type_id;
    m->entities[shard] = types[1].ret_type_id;
    struct ss_timeline_code codes[2];
    for (unsigned i = 0; i < 2; i++) {
        m->projections[shard][i] = types[2 + i].ret_type_id;
        codes[i] = (struct ss_timeline_code){ types[2 + i].ret_type_id, 1 };
    }
    ss__store_set_timelines(m->stores[shard], codes, 2);
}

static inline void open_all(struct many *m, const char *root, uint32_t shards)
{
    struct ss_failure failure = { 0 };
    int err = ss__directory_open(root, shards, true, &m->directory, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    for (uint32_t i = 0; i < shards; i++) {
        char dir[400];
        struct ss_store_options options;
        struct ss_store_report report;
        ss_check(ss__directory_shard_path(m->directory, i, dir, sizeof dir) == 0);
        ss__store_options_init(&options);
        options.dir = dir;
        options.must_exist = true;
        options.shard_index = i;
        options.shard_count = shards;
        options.directory_id = m->directory->directory_id;
        options.map_bytes = 64u << 20;
        options.min_free_bytes = 0;
        options.log_file_bytes = 1u << 20;
        options.clock = &m->clock.clock;
        err = ss__store_open(&options, &m->stores[i], &report, &failure);
        ss_check_msg(err == 0 && report.damaged_records == 0, "%s", failure.text);
        intern(m, i, i % 2 == 1);
    }
}

static inline void close_all(struct many *m)
{
    for (uint32_t i = 0; i < m->directory->shard_count; i++) {
        ss__store_close(m->stores[i]);
    }
    ss__directory_close(m->directory);
}

static inline uint32_t shard_of(const struct many *m, const char *id)
{
    return ss__hash_scale(ss__hash(&m->directory->routing_key, ss_str(id)),
                          m->directory->shard_count);
}

static inline void name_of(char out[16], unsigned session)
{
    (void)snprintf(out, 16, "s-%u", session);
}

/* Event 5 failed in "totals", and has a tag that nobody knows. */
static inline void publish(struct many *m, uint32_t shard, struct ss_store_session *session,
                           unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t ordinal = ss__store_row(session)->ordinal + 1;
        struct ss_outcome_item outcome = { .len = 0 };
        struct ss_bytes header;
        ss__bytes_init(&header, 0);
        struct ss_record record = {
            .ordinal = ordinal,
            .time_us = 1000 + ordinal,
            .type_id = m->events[shard],
            .payload = fixture_payload(ss__store_session_id(session), ordinal, 300),
        };
        if (ordinal == 5) {
            ss__outcome_add(&outcome, m->projections[shard][1], SS_OUTCOME_ADVANCED);
            ss__header_append(&header, 200, ss_str("unknown"));
            ss__bytes_str(&header, ss__outcome_header(&outcome));
            record.header = ss__bytes_view(&header);
            record.flags = SS_RECORD_TIMELINE_FAILED | SS_RECORD_ADVANCED;
        }
        ss_check(ss__store_stage_event(m->stores[shard], session, &record) == 0);
        ss__bytes_deinit(&header);
    }
    ss_check(ss__store_commit(m->stores[shard]) == 0);
}

static inline struct ss_store_session *new_session(struct many *m, uint32_t shard,
                                                   const char *id)
{
    struct ss_store_session *session;
    ss_check(ss__store_stage_session(m->stores[shard], ss_str(id), 100, &session) == 0);
    return session;
}

static inline void on_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    struct many *m = ctx;
    size_t len = strlen(m->findings);
    (void)snprintf(m->findings + len, sizeof m->findings - len, "%u %s %s\n", shard, place, text);
}

/* A directory without sessions, open. */
static inline void make(struct many *m, uint32_t shards)
{
    *m = (struct many){ .clock = { { test_clock_ns, test_clock_us }, 1000000000 } };
    ss__fault_reset();
    fixture_make_root(m->root, sizeof m->root);
    (void)snprintf(m->to, sizeof m->to, "%s.resharded", m->root);
    open_all(m, m->root, shards);
}

static inline void end(struct many *m)
{
    char kept[300];
    (void)snprintf(kept, sizeof kept, "%s" SS_RESHARD_KEPT, m->root);
    (void)ss__remove_tree(kept, NULL);
    (void)ss__remove_tree(m->to, NULL);
    (void)ss__remove_tree(m->root, NULL);
    ss__fault_reset();
}

#endif
