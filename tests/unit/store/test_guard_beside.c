/* What is written or removed is judged first, with the pages beside it. */
#include "store/guard.h"

#include "guard_fixture.h"
#include "retention_fixture.h"

#include "store/delete.h"
#include "store/store_state.h"

/* The sessions on the leaf of the segments behind leaf @index, or on the one before. Returns how
 * many. */
static unsigned delete_beside(struct fixture *f, struct data *data,
                              const struct ss_page_tree *tree, size_t index, bool behind)
{
    uint8_t *there = leaf_of(data, tree, behind ? index + 1 : index - 1);
    unsigned count = 0;
    for (size_t i = 0; i < ss__page_count(there); i++) {
        struct ss_page_node node;
        char id[16];
        struct ss_store_session *session;
        ss__page_node(there, true, i, &node);
        unsigned sid = (unsigned)ss__get_be64((const uint8_t *)node.key.data);
        ss_check(ss__store_get_session(f->store, id_of(sid - 1, id), &session) == 0);
        ss_check(ss__store_row(session)->sid == sid);
        ss_check(ss__store_stage_delete(f->store, session, 77) == 0);
        ss_check(ss__store_commit(f->store) == 0);
        ss__store_put_session(f->store, session);
        count++;
    }
    return count;
}

/* LMDB joins a page on which little is left with the one beside it, or takes rows from there. */
SS_TEST(guard_beside, a_damaged_page_beside_what_is_removed_stays_as_it_is)
{
    static const char *const names[] = { "segment", "session" };
    for (unsigned way = 0; way < 4; way++) {
        unsigned behind = way % 2;
        struct fixture f;
        struct data data;
        fill(&f);
        load(&f, &data);
        struct ss_page_tree tree = tree_of(&data, names[way / 2]);
        size_t index = behind != 0 ? 3 : 1;
        uint8_t *leaf = leaf_of(&data, &tree, index);
        uint64_t at = (uint64_t)(leaf - data.bytes);
        leaf[0] ^= 0x40;
        data_store(&data);
        fixture_reopen(&f);
        ss_check(delete_beside(&f, &data, &tree, index, behind != 0) > 3);
        fixture_flush_all(&f);
        ss_check(fixture_stats(&f).flush_errors == 0);
        fixture_crash(&f);
        uint8_t before[16];
        memcpy(before, leaf, sizeof before);
        data_load(&data);
        data_check(&data);
        ss_check_msg(memcmp(data.bytes + at, before, sizeof before) == 0 &&
                         strstr(data.findings, "it says it is page") != NULL &&
                         strchr(data.findings, '\n')[1] == '\0', "%s", data.findings);
        free(data.bytes);
        fixture_end(&f);
    }
}

/* Until the page is sound again the log tells of its end. */
SS_TEST(guard_beside, deleted_session_whose_row_cannot_be_removed_stays_deleted_and_may_begin_anew)
{
    struct fixture f;
    struct data data;
    struct ss_page_node node;
    struct ss_store_session *session;
    char gone[16];
    char again[16];
    fill(&f);
    load(&f, &data);
    struct ss_page_tree tree = tree_of(&data, "session");
    ss__page_node(leaf_of(&data, &tree, 4), true, 0, &node);
    (void)id_of((unsigned)ss__get_be64((const uint8_t *)node.key.data) - 1, gone);
    ss__page_node(leaf_of(&data, &tree, 4), true, 1, &node);
    (void)id_of((unsigned)ss__get_be64((const uint8_t *)node.key.data) - 1, again);
    leaf_of(&data, &tree, 3)[0] ^= 0x40;
    data_store(&data);
    fixture_reopen(&f);
    ss_check(delete_beside(&f, &data, &tree, 3, true) > 3);
    fixture_flush_all(&f);
    ss_check(f.store->dead_count > 3 && f.store->dead_aside_count == f.store->dead_count);
    uint64_t flushes = fixture_stats(&f).flushes;
    ss_check(ss__store_flush(f.store, 0) == 0 && fixture_stats(&f).flushes == flushes);
    fixture_publish(&f, again, 2, 60, 1);    /* the next life */
    fixture_flush_all(&f);
    for (int i = 0; i < 3; i++) {
        ss_check(ss__store_get_session(f.store, ss_str(gone), &session) == SS_E_NOTFOUND);
        fixture_verify(&f, again, 2, 60);
        ss_check(fixture_stats(&f).flush_errors == 0);
        fixture_crash(&f);
        fixture_reopen(&f);
        fixture_flush_all(&f);
    }
    free(data.bytes);
    fixture_end(&f);
}

/* Of the session the entities from @first on; @count 0: all of them, by other code. */
static void stage_removals(struct fixture *f, const char *id, unsigned first, unsigned count)
{
    static char notes[ENTITIES][16];
    static struct ss_entity_row rows[ENTITIES];    /* of every session the same */
    struct ss_store_session *session = fixture_session(f, id);
    for (unsigned k = 0; k < count; k++) {
        (void)snprintf(notes[k], sizeof notes[k], "n%02u", first + k);
        rows[k] = (struct ss_entity_row){ .kind = ss_str("note"), .id = ss_str(notes[k]),
                                          .tombstone = true };
    }
    if (count == 0) {
        use_timeline(f->store, session, 2);
    }
    int err = stage_checkpoint(f->store, session, rows, count, 5, count == 0 ? 2 : 1);
    ss_check(err == 0 || err == SS_E_CORRUPT);    /* set aside by the one before */
    fixture_flush_due(f);
    ss__store_put_session(f->store, session);
}

/* All entities on leaf @index + 1 of sessions that have none on the one before, in slices. */
static void remove_beside(struct fixture *f, struct data *data, const struct ss_page_tree *tree,
                          size_t index, unsigned slice)
{
    uint64_t before = 0;
    uint8_t *leaf = leaf_of(data, tree, index);
    struct ss_page_node node;
    ss__page_node(leaf, true, ss__page_count(leaf) - 1, &node);
    before = ss__get_be64((const uint8_t *)node.key.data);
    leaf = leaf_of(data, tree, index + 1);
    for (size_t i = 0; i < ss__page_count(leaf); i++) {
        char id[16];
        ss__page_node(leaf, true, i, &node);
        uint64_t sid = ss__get_be64((const uint8_t *)node.key.data);
        if (sid == before) {
            continue;
        }
        before = sid;
        for (unsigned at = 0; at < (slice == 0 ? 1 : ENTITIES); at += slice == 0 ? 1 : slice) {
            stage_removals(f, id_of((unsigned)sid - 1, id).data, at,
                           slice == 0 || ENTITIES - at >= slice ? slice : ENTITIES - at);
        }
    }
}

SS_TEST(guard_beside, so_does_one_beside_entities_that_are_removed)
{
    static const unsigned slices[] = { 0, 4, ENTITIES };
    for (unsigned way = 0; way < 3; way++) {
        struct fixture f;
        struct data data;
        fill(&f);
        load(&f, &data);
        struct ss_page_tree tree = tree_of(&data, "entity");
        uint8_t *leaf = leaf_of(&data, &tree, 4);
        leaf[0] ^= 0x40;
        data_store(&data);
        fixture_reopen(&f);
        remove_beside(&f, &data, &tree, 4, slices[way]);
        ss_check(fixture_stats(&f).flush_errors == 0);
        fixture_crash(&f);
        data_load(&data);
        data_check(&data);
        ss_check_msg(strstr(data.findings, "it says it is page") != NULL &&
                         strchr(data.findings, '\n')[1] == '\0', "%u: %s", way, data.findings);
        free(data.bytes);
        fixture_end(&f);
    }
}

/* Where nothing of the session was read before: its entities show all of its events. */
SS_TEST(guard_beside, events_whose_segment_is_on_a_damaged_page_stay_in_the_log)
{
    struct fixture f;
    struct data data;
    struct ss_page_node node;
    char id[16];
    fill(&f);
    load(&f, &data);
    struct ss_page_tree tree = tree_of(&data, "segment");
    uint8_t *leaf = leaf_of(&data, &tree, 3);
    ss__page_node(leaf, true, 2, &node);
    (void)id_of((unsigned)ss__get_be64((const uint8_t *)node.key.data) - 1, id);
    leaf[0] ^= 0x40;
    data_store(&data);
    fixture_reopen(&f);
    fixture_publish(&f, id, 1, 60, 1);
    fixture_publish(&f, "s000", 1, 60, 1);
    fixture_flush_all(&f);
    ss_check(fixture_stats(&f).flush_errors == 0);
    ss_check(!fixture_row_of(&f, "s000").quarantined);
    fixture_crash(&f);
    data_load(&data);
    data_check(&data);
    ss_check_msg(strstr(data.findings, "it says it is page") != NULL &&
                     strchr(data.findings, '\n')[1] == '\0', "%s", data.findings);
    fixture_reopen(&f);
    ss_check(fixture_row_of(&f, id).ordinal == 6);
    free(data.bytes);
    fixture_end(&f);
}

/* While the store is open. */
static void flip(struct fixture *f, uint64_t at, uint8_t bits)
{
    char path[400];
    uint8_t byte;
    (void)snprintf(path, sizeof path, "%s/data.mdb", f->shard_dir);
    int fd = open(path, O_RDWR);
    ss_check(fd >= 0 && pread(fd, &byte, 1, (off_t)at) == 1);
    byte ^= bits;
    ss_check(pwrite(fd, &byte, 1, (off_t)at) == 1 && close(fd) == 0);
}

/* It has no row on the page that keeps it from getting one. */
SS_TEST(guard_beside, new_session_that_is_set_aside_may_be_deleted)
{
    struct fixture f;
    struct data data;
    fill(&f);
    fixture_reopen(&f);
    load(&f, &data);
    struct ss_page_tree tree = tree_of(&data, "session");
    size_t count = ss__page_count(data_page(&data, tree.root));
    uint64_t kind = (uint64_t)(leaf_of(&data, &tree, count - 1) - data.bytes) + 10;
    free(data.bytes);
    flip(&f, kind, 0x06);    /* no leaf: LMDB gives up the transaction */
    fixture_publish(&f, "new", 3, 60, 1);
    fixture_flush_all(&f);
    ss_check(f.store->born_aside_count == 1);
    struct ss_store_session *session = fixture_session(&f, "new");
    ss_check(ss__store_stage_delete(f.store, session, 77) == 0);
    ss_check(ss__store_commit(f.store) == 0);
    ss__store_put_session(f.store, session);
    fixture_publish(&f, "s000", 1, 60, 1);
    fixture_flush_all(&f);
    ss_check(fixture_stats(&f).flush_errors == 0 && f.store->unflushed_bytes == 0);
    ss_check(f.store->born_count == 0 && f.store->dead_count == 0);
    flip(&f, kind, 0x06);
    fixture_crash(&f);
    fixture_check_clean(&f);
    fixture_reopen(&f);
    ss_check(ss__store_get_session(f.store, ss_str("new"), &session) == SS_E_NOTFOUND);
    fixture_verify(&f, "s000", 6, 60);
    fixture_end(&f);
}

/* Nobody has read there: a session without entities on disk has all of them in memory. */
SS_TEST(guard_beside, first_entities_whose_page_is_damaged_are_not_written)
{
    struct fixture f;
    struct data data;
    struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str("n00"),
                                 .created_ordinal = 1, .last_ordinal = 5,
                                 .payload = ss_str("new") };
    fill(&f);
    fixture_reopen(&f);
    fixture_publish(&f, "later", 5, 60, 1);
    fixture_flush_all(&f);    /* no entities */
    load(&f, &data);
    struct ss_page_tree tree = tree_of(&data, "entity");
    size_t count = ss__page_count(data_page(&data, tree.root));
    flip(&f, (uint64_t)(leaf_of(&data, &tree, count - 1) - data.bytes), 0x40);
    struct ss_store_session *session = fixture_session(&f, "later");
    row.type_id = f.entity_type;
    ss_check(session->born == 0 && stage_checkpoint(f.store, session, &row, 1, 5, 1) == 0);
    fixture_publish(&f, "s000", 1, 60, 1);
    fixture_flush_all(&f);
    ss_check(session->now.row.quarantined && fixture_stats(&f).flush_errors == 0);
    ss__store_put_session(f.store, session);
    ss_check(!fixture_row_of(&f, "s000").quarantined);
    fixture_crash(&f);
    data_load(&data);
    data_check(&data);
    ss_check_msg(strstr(data.findings, "it says it is page") != NULL &&
                     strchr(data.findings, '\n')[1] == '\0', "%s", data.findings);
    free(data.bytes);
    fixture_end(&f);
}
