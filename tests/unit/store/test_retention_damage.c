/* Cuts on disk whose base is missing or damaged. */
#include <stdlib.h>
#include <string.h>

#include "pages_fixture.h"
#include "retention_fixture.h"

/* What event 64 left. */
static void remove_base(struct fixture *f)
{
    uint8_t key[SS_PAST_KEY_BYTES];
    for (uint32_t part = 0; part < 2; part++) {
        ss__past_key(key, &(struct ss_past_key){ 1, 64, part });
        fixture_plant(f, SS_DB_CHECKPOINT, ss_str_of(key, sizeof key),
                      (struct ss_str){ NULL, 0 });
    }
}

SS_TEST(retention_damage, a_missing_base_is_found_by_a_check)
{
    struct fixture f;
    open_based(&f);
    remove_base(&f);
    (void)fixture_check(&f);
    static const char wanted[] =
        "a: events before 65 are removed, and the entities as of then are missing";
    ss_check_msg(strstr(f.finding, wanted) != NULL, "%s", f.finding);
    fixture_reopen(&f);
    check_gone(&f, "a", 100, 65);
    check_base(&f, "a", 128, 128, "as of 128");
    /* Entities of a later event do not take its place. */
    publish_more(&f, "a", 64);
    entity_at(&f, "a", 192);
    check_gone(&f, "a", 100, 65);
    fixture_close(&f);
    (void)fixture_check(&f);
    ss_check_msg(strstr(f.finding, wanted) != NULL, "%s", f.finding);
    fixture_reopen(&f);
    fixture_end(&f);
}

SS_TEST(retention_damage, a_damaged_base_is_told_and_not_shown)
{
    struct fixture f;
    open_based(&f);
    fixture_flip(&f, SS_DB_CHECKPOINT, 1, 12);
    (void)fixture_check(&f);
    ss_check_msg(strstr(f.finding, "a: events before 65 are removed, and the entities as of then "
                        "are damaged") != NULL, "%s", f.finding);
    fixture_reopen(&f);
    ss_check(base_of(&f, "a", 100).err == SS_E_CORRUPT);
    check_base(&f, "a", 128, 128, "as of 128");
    fixture_end(&f);
}

/* Both were the base: one of them is enough, and is kept when the other changes. */
SS_TEST(retention_damage, entities_on_disk_do_for_a_damaged_base)
{
    struct fixture f;
    open_with_entity(&f, 128);
    base_at(&f, 128);
    ss_check(first_of(&f, "a") == 129);
    publish_more(&f, "a", 64);
    fixture_close(&f);
    fixture_flip(&f, SS_DB_CHECKPOINT, 1, 12);
    (void)fixture_check(&f);
    ss_check_msg(strstr(f.finding, "are removed") == NULL, "%s", f.finding);
    fixture_reopen(&f);
    check_base(&f, "a", 150, 128, "as of 128");
    entity_at(&f, "a", 192);
    check_base(&f, "a", 150, 128, "as of 128");
    ss_check(segments_of(&f) == 1);
    fixture_end(&f);
}

/* The root of a database becomes a page that LMDB cannot read. */
static void wreck(struct fixture *f, const char *name)
{
    struct data data = { .len = 0 };
    struct ss_page_tree tree = { .root = 0 };
    (void)snprintf(data.path, sizeof data.path, "%s/data.mdb", f->shard_dir);
    data_load(&data);
    uint8_t *page = data_page(&data, data.meta.main.root);
    for (size_t i = 0; i < ss__page_count(page); i++) {
        struct ss_page_node node;
        ss__page_node(page, true, i, &node);
        if (ss_str_equal(node.key, ss_str(name))) {
            ss__page_tree(node.data, &tree);
        }
    }
    ss_check(tree.root != 0 && tree.root != SS_PAGE_NONE);
    memset(data_page(&data, tree.root), 0xdd, data.meta.page_bytes);
    data_store(&data);
    free(data.bytes);
}

SS_TEST(retention_damage, a_base_in_a_damaged_page_is_not_read)
{
    struct fixture f;
    struct ss_image_request *request;
    struct ss_image image;
    open_based(&f);
    wreck(&f, "checkpoint");
    fixture_reopen(&f);
    ss_check(base_of(&f, "a", 100).err == SS_E_CORRUPT);
    check_base(&f, "a", 128, 128, "as of 128");
    struct ss_store_session *session = fixture_session(&f, "a");
    use_timeline(f.store, session, 2);
    ss_check(ss__store_image_request(f.store, session, true, &request) == 0);
    ss_check(ss__store_read_image(f.store, request, &image) == SS_E_CORRUPT);
    ss__store_image_request_free(request);
    use_timeline(f.store, session, 1);
    ss__store_put_session(f.store, session);
    fixture_end(&f);
}

SS_TEST(retention_damage, a_base_in_a_damaged_page_stops_no_flush)
{
    struct fixture f;
    open_based(&f);
    wreck(&f, "checkpoint");
    fixture_reopen(&f);
    fixture_publish(&f, "a", 10, 50, 10);
    fixture_flush_all(&f);
    entity_at(&f, "a", 138);
    check_base(&f, "a", 138, 138, "as of 138");
    cut_at(&f, 138);
    ss_check(first_of(&f, "a") == 65);    /* nothing is removed there */
    fixture_end(&f);
}

SS_TEST(retention_damage, entities_of_later_events_never_become_the_base)
{
    struct fixture f;
    open_based(&f);
    remove_base(&f);
    fixture_reopen(&f);
    fixture_publish(&f, "a", 10, 50, 10);
    fixture_flush_all(&f);
    entity_at(&f, "a", 138);
    check_gone(&f, "a", 100, 65);
    check_base(&f, "a", 138, 138, "as of 138");
    fixture_end(&f);
}

/* The entities on disk are the base and one of them is damaged: the checkpoint that takes their
 * place goes on without a base. */
SS_TEST(retention_damage, base_of_damaged_entities_is_not_kept)
{
    struct fixture f;
    open_with_entity(&f, 128);
    cut_at(&f, 128);
    ss_check(first_of(&f, "a") == 129);
    fixture_close(&f);
    fixture_flip(&f, SS_DB_ENTITY, 0, 10);
    fixture_reopen(&f);
    fixture_publish(&f, "a", 10, 50, 10);
    entity_at(&f, "a", 138);
    check_base(&f, "a", 138, 138, "as of 138");
    check_gone(&f, "a", 130, 129);
    fixture_close(&f);
    struct ss_check_summary summary = fixture_check(&f);
    ss_check_msg(summary.findings == 1 && strstr(f.finding, "are missing") != NULL, "%s",
                 f.finding);
    fixture_end(&f);
}
