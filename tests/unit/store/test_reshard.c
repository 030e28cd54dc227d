/* Directories of several shards that know types by different numbers. */
#include "reshard_fixture.h"

#include <dlfcn.h>
#include <errno.h>

#include "store/command.h"
#include "store/delete.h"
#include "store/error_ring.h"

#define SESSIONS 30u
#define NEWEST 90u

static unsigned renames;            /* since the last of these was set */
static unsigned first_refused;      /* 0: none is */
static unsigned last_refused;

/* Called before that of the C library. */
int rename(const char *from, const char *to)
{
    static __typeof__(rename) *real;
    if (real == NULL) {
        real = (__typeof__(rename) *)dlsym(RTLD_NEXT, "rename");
    }
    const char *name = strrchr(from, '/');
    if (name != NULL && strncmp(name, "/ss-store-", 10) == 0) {    /* of a whole directory */
        renames++;
        if (first_refused != 0 && renames >= first_refused && renames <= last_refused) {
            errno = EACCES;
            return -1;
        }
    }
    return real(from, to);
}

static void checkpoint(struct many *m, uint32_t shard, struct ss_store_session *session)
{
    struct ss_failed_set failed = { .total = 1, .named = 1, .ordinals = { 5 } };
    struct ss_entity_row rows[2] = {
        { .kind = ss_str("note"), .id = ss_str("a"), .created_ordinal = 1, .last_ordinal = 7,
          .time_us = 9, .type_id = m->entities[shard], .payload = ss_str("first") },
        { .kind = ss_str("note"), .id = ss_str("b"), .created_ordinal = 2, .last_ordinal = 3,
          .time_us = 8, .type_id = m->entities[shard], .payload = ss_str("second") },
    };
    struct ss_timeline_checkpoint timelines[2] = {
        { { .projection = m->projections[shard][0], .version = 1, .ordinal = 60 }, rows, 1 },
        { { .projection = m->projections[shard][1], .version = 1, .ordinal = 50,
            .failed = &failed }, rows + 1, 1 },
    };
    ss_check(ss__store_stage_checkpoint(m->stores[shard], session, timelines, 2) == 0);
    ss_check(ss__store_flush(m->stores[shard], 0) >= 0);
}

static void keep_result(struct many *m, uint32_t shard, const char *id, uint64_t sid)
{
    struct ss_command_value value = { .sid = sid, .time_us = 1000000 + shard, .ordinal = 3,
                                      .session_id = ss_str(id), .key = ss_str("key") };
    ss_check(ss__store_stage_command(m->stores[shard], &value) == 0);
    ss_check(ss__store_commit(m->stores[shard]) == 0);
}

/* Some are flushed, some in the log only, some were deleted. */
static void fill(struct many *m)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        char id[16];
        name_of(id, i);
        uint32_t shard = shard_of(m, id);
        if (i % 5 == 4) {
            struct ss_store_session *former = new_session(m, shard, id);
            publish(m, shard, former, 70);
            ss_check(ss__store_stage_delete(m->stores[shard], former, 200) == 0);
            ss_check(ss__store_commit(m->stores[shard]) == 0);
            ss__store_put_session(m->stores[shard], former);
        }
        struct ss_store_session *session = new_session(m, shard, id);
        publish(m, shard, session, 70);
        if (i % 3 != 0) {
            checkpoint(m, shard, session);
        }
        publish(m, shard, session, NEWEST - 70);
        keep_result(m, shard, id, ss__store_row(session)->sid);
        ss__store_put_session(m->stores[shard], session);
    }
}

static void verify_image(struct many *m, uint32_t shard, const char *id, bool checkpointed,
                         const struct ss_image *image)
{
    uint64_t ordinal = 0;
    for (size_t i = 0; i < image->records_count; i++) {
        const struct ss_record *record = &image->records[i];
        ordinal = record->ordinal;
        ss_check(record->type_id == m->events[shard] && record->time_us == 1000 + ordinal);
        ss_check(ss_str_equal(record->payload, fixture_payload(ss_str(id), ordinal, 300)));
        if (ordinal == 5) {
            struct ss_str item;
            ss_check(ss__outcome_of(record, m->projections[shard][1]) == SS_OUTCOME_ADVANCED);
            ss_check(ss__outcome_of(record, m->projections[shard][0]) == SS_OUTCOME_NONE);
            ss_check(ss__header_find(record->header, 200, &item) == 0 &&
                     ss_str_equal(item, ss_str("unknown")));
        }
    }
    ss_check(ordinal == NEWEST && image->timelines_count == 2);
    ss_check(image->timelines[0].ordinal == (checkpointed ? 60 : 0));
    ss_check(image->timelines[1].ordinal == (checkpointed ? 50 : 0));
    ss_check((image->timelines[1].failed != NULL) == checkpointed);
    ss_check(image->entities_count == (checkpointed ? 2 : 0));
    for (size_t i = 0; i < image->entities_count; i++) {
        const struct ss_entity_row *row = &image->entities[i];
        bool first = ss_str_equal(row->id, ss_str("a"));
        ss_check(row->projection == m->projections[shard][first ? 0 : 1]);
        ss_check(row->type_id == m->entities[shard]);
        ss_check(ss_str_equal(row->payload, ss_str(first ? "first" : "second")));
        ss_check(row->last_ordinal == (first ? 7 : 3));
    }
}

static void verify(struct many *m)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        char id[16];
        struct ss_store_session *session;
        struct ss_image_request *request;
        struct ss_image image;
        name_of(id, i);
        uint32_t shard = shard_of(m, id);
        struct ss_store *store = m->stores[shard];
        ss_check(ss__store_get_session(store, ss_str(id), &session) == 0);
        const struct ss_session_row *row = ss__store_row(session);
        ss_check(row->ordinal == NEWEST && row->created_us == 100 && row->first_retained == 1);
        ss__store_use_timelines(store, session);
        ss_check(ss__store_image_request(store, session, true, &request) == 0);
        ss_check(ss__store_read_image(store, request, &image) == 0);
        verify_image(m, shard, id, i % 3 != 0, &image);
        ss__image_deinit(&image);
        ss__store_image_request_free(request);
        const struct ss_command_value *value = ss__store_find_command(
            store, ss_str(id), row->sid, ss_str("key"), 1000001);
        ss_check_msg(value != NULL && value->ordinal == 3, "%s has no result", id);
        ss__store_put_session(store, session);
    }
}

static void verify_closed(struct many *m, const char *root, uint32_t shards)
{
    open_all(m, root, shards);
    verify(m);
    close_all(m);
}

static void begin(struct many *m, uint32_t shards)
{
    make(m, shards);
    fill(m);
    verify(m);
}

static int reshard(struct many *m, uint32_t shards, struct ss_failure *failure)
{
    struct ss_reshard_result result;
    struct ss_reshard_options options = { .dir = m->root, .shards = shards, .report = on_finding,
                                          .ctx = m };
    int err = ss__reshard(&options, &result, failure);
    ss_check(err != 0 || (result.sessions == SESSIONS && result.events == SESSIONS * NEWEST));
    ss_check(err != 0 || strcmp(result.path, m->root) == 0);
    return err;
}

SS_TEST(reshard, all_is_there_after_every_step_of_a_round)
{
    static const uint32_t counts[] = { 4, 3, 1, 2 };
    struct many m;
    begin(&m, 2);
    close_all(&m);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct ss_failure failure = { 0 };
        char kept[300];
        int err = reshard(&m, counts[i], &failure);
        ss_check_msg(err == 0, "%s %s", failure.text, m.findings);
        (void)snprintf(kept, sizeof kept, "%s" SS_RESHARD_KEPT, m.root);
        ss_check(ss__remove_tree(kept, NULL) == 0 && access(m.to, F_OK) != 0);
        verify_closed(&m, m.root, counts[i]);
    }
    end(&m);
}

/* What a faulty copy would have changed is seen before it takes anybody's place. */
SS_TEST(reshard, a_session_that_changes_on_the_way_is_found)
{
    static const char *const points[] = { "reshard.segment", "reshard.entity" };
    struct many m;
    begin(&m, 2);
    close_all(&m);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct ss_failure failure = { 0 };
        ss__fault_arm(points[i], 7, 1, 1);
        ss_check(reshard(&m, 3, &failure) == SS_E_CORRUPT);
        ss_check_msg(strstr(failure.text, "not the same in the copy") != NULL, "%s",
                     failure.text);
        ss__fault_reset();
        ss_check(access(m.to, F_OK) != 0);
    }
    verify_closed(&m, m.root, 2);
    end(&m);
}

SS_TEST(reshard, one_that_fails_leaves_the_directory_in_its_place)
{
    static const struct {
        const char *point;
        int code;
        int err;
    } faults[] = { { "reshard.commit", ENOSPC, SS_E_STOREFULL },
                   { "copy.write", ENOSPC, SS_E_STOREFULL },
                   { "store.flush.write", SS_E_STOREIO, SS_E_STOREIO } };
    struct many m;
    begin(&m, 1);
    close_all(&m);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct ss_failure failure = { 0 };
        ss__fault_arm(faults[i].point, 1, 5, faults[i].code);
        int err = reshard(&m, 2, &failure);
        ss_check_msg(err == faults[i].err && failure.text[0] != '\0', "%s: %s %s",
                     faults[i].point, ss_error_name(err), failure.text);
        ss__fault_reset();
        ss_check(access(m.to, F_OK) != 0);
    }
    verify_closed(&m, m.root, 1);
    end(&m);
}

SS_TEST(reshard, where_two_directories_cannot_be_exchanged_they_are_renamed)
{
    struct many m;
    struct ss_failure failure = { 0 };
    begin(&m, 1);
    close_all(&m);
    ss__fault_arm("reshard.exchange", 1, 1, 1);
    ss_check_msg(reshard(&m, 2, &failure) == 0, "%s", failure.text);
    verify_closed(&m, m.root, 2);
    end(&m);
}

SS_TEST(reshard, names_that_cannot_be_made_durable_are_an_error)
{
    struct many m;
    struct ss_failure failure = { 0 };
    begin(&m, 1);
    close_all(&m);
    ss__fault_arm("reshard.sync", 1, 1, 1);
    ss_check(reshard(&m, 2, &failure) == SS_E_IO);
    ss_check_msg(strstr(failure.text, "durable") != NULL, "%s", failure.text);
    ss__fault_reset();
    verify_closed(&m, m.root, 2);
    end(&m);
}

SS_TEST(reshard, the_same_number_and_a_damaged_store_are_refused)
{
    struct many m;
    struct ss_failure failure = { 0 };
    begin(&m, 2);
    close_all(&m);
    ss_check(reshard(&m, 2, &failure) == SS_E_INVAL);
    char path[400];
    (void)snprintf(path, sizeof path, "%s.link", m.root);
    struct ss_reshard_result result;
    struct ss_reshard_options linked = { .dir = path, .shards = 3, .report = on_finding,
                                         .ctx = &m };
    ss_check(symlink(m.root, path) == 0);
    ss_check(ss__reshard(&linked, &result, NULL) == SS_E_INVAL && unlink(path) == 0);
    (void)snprintf(path, sizeof path, "%s/shard-0001/log-00000001", m.root);
    int fd = open(path, O_RDWR);
    ss_check(fd >= 0 && pwrite(fd, "damage", 6, 1700) == 6 && close(fd) == 0);
    failure = (struct ss_failure){ 0 };
    ss_check(reshard(&m, 3, &failure) == SS_E_CORRUPT && m.findings[0] != '\0');
    ss_check(strstr(failure.text, "nothing was changed") != NULL);
    end(&m);
}

/* Of the error records that come together a shard keeps the newest. */
SS_TEST(reshard, newest_error_records_of_all_shards_are_kept)
{
    struct many m;
    struct ss_failure failure = { 0 };
    char slashed[300];
    make(&m, 2);
    for (unsigned i = 0; i < SS_ERROR_RECORDS_MAX; i++) {
        for (uint32_t shard = 0; shard < 2; shard++) {
            struct ss_error_record record = { .text = ss_str(shard == 0 ? "old" : "new") };
            m.clock.now_ns += 1000000;
            if (shard == 1) {
                m.clock.now_ns += UINT64_C(1000000000000);
            }
            ss_check(ss__store_note_error(m.stores[shard], &record) == 0);
            if (shard == 1) {
                m.clock.now_ns -= UINT64_C(1000000000000);
            }
        }
    }
    for (uint32_t shard = 0; shard < 2; shard++) {
        ss_check(ss__store_flush(m.stores[shard], 0) >= 0);
    }
    close_all(&m);
    struct ss_reshard_result result;
    (void)snprintf(slashed, sizeof slashed, "%s//", m.root);
    struct ss_reshard_options options = { .dir = slashed, .shards = 1, .report = on_finding,
                                          .ctx = &m };
    int err = ss__reshard(&options, &result, &failure);
    ss_check_msg(err == 0 && strcmp(result.path, m.root) == 0, "%s", failure.text);
    open_all(&m, m.root, 1);
    uint64_t first = ss__store_errors_first(m.stores[0]);
    uint64_t next = ss__store_errors_next(m.stores[0]);
    ss_check(next - first == SS_ERROR_RECORDS_MAX);
    for (uint64_t number = first; number < next; number++) {
        struct ss_error_record record;
        ss_check(ss__store_error_at(m.stores[0], number, &record));
        ss_check(ss_str_equal(record.text, ss_str("new")));
    }
    close_all(&m);
    end(&m);
}

/* Where the directories can only be renamed and that fails: which one is where is said. */
SS_TEST(reshard, where_they_cannot_be_renamed_either_both_are_there)
{
    static const struct {
        unsigned first;
        unsigned last;
        const char *part;
    } cases[] = { { 1, 1, "complete, but cannot take the place" },
                  { 2, 2, "complete, but cannot take the place" },
                  { 2, 3, "the old one is" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct many m;
        struct ss_failure failure = { 0 };
        char kept[300];
        bool moved = cases[i].last == 3;
        begin(&m, 1);
        close_all(&m);
        (void)snprintf(kept, sizeof kept, "%s" SS_RESHARD_KEPT, m.root);
        ss__fault_arm("reshard.exchange", 1, 1, 1);
        renames = 0;
        first_refused = cases[i].first;
        last_refused = cases[i].last;
        int err = reshard(&m, 2, &failure);
        first_refused = 0;
        ss_check_msg(err == SS_E_IO && strstr(failure.text, cases[i].part) != NULL, "%u %s",
                     (unsigned)i, failure.text);
        ss_check_msg(strstr(failure.text, moved ? kept : m.root) != NULL, "%s", failure.text);
        open_all(&m, moved ? kept : m.root, 1);
        verify(&m);
        close_all(&m);
        verify_closed(&m, m.to, 2);
        end(&m);
    }
}

SS_TEST(reshard, copy_to_another_place_leaves_the_old_directory_alone)
{
    struct many m;
    char to[400];
    struct ss_failure failure = { 0 };
    struct ss_reshard_result result;
    begin(&m, 1);
    close_all(&m);
    (void)snprintf(to, sizeof to, "%s//", m.to);
    struct ss_reshard_options options = { .dir = m.root, .to = to, .shards = 2,
                                          .report = on_finding, .ctx = &m };
    int err = ss__reshard(&options, &result, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss_check(strcmp(result.path, m.to) == 0 && strcmp(result.kept, m.root) == 0);
    verify_closed(&m, m.root, 1);
    verify_closed(&m, m.to, 2);
    ss_check(ss__reshard(&options, &result, &failure) == SS_E_EXISTS);
    failure = (struct ss_failure){ 0 };
    ss_check(reshard(&m, 2, &failure) == SS_E_EXISTS);    /* or with nothing said of the place */
    ss_check_msg(strstr(failure.text, "in the way") != NULL, "%s", failure.text);
    end(&m);
}

SS_TEST(reshard, path_that_is_too_long_is_refused_with_a_sentence)
{
    static char path[SS_RESHARD_PATH_BYTES + 10];
    struct ss_reshard_result result;
    struct ss_reshard_options options = { .dir = path, .shards = 2 };
    memset(path, 'x', sizeof path - 1);
    for (size_t len = sizeof path - 20; len < sizeof path; len += 15) {
        struct ss_failure failure = { 0 };
        path[len] = '\0';
        ss_check(ss__reshard(&options, &result, &failure) == SS_E_TOOBIG);
        ss_check(strstr(failure.text, "too long") != NULL);
        path[len] = 'x';
    }
}
