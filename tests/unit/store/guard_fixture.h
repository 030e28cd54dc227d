/* guard_fixture.h - a store with enough of everything that its databases have branches, and where
 * their leaves lie. */
#ifndef SS_TESTS_GUARD_FIXTURE_H
#define SS_TESTS_GUARD_FIXTURE_H

#include "pages_fixture.h"
#include "store_fixture.h"

#define SESSIONS 300u
#define ENTITIES 20u

static inline struct ss_str id_of(unsigned index, char out[16])
{
    (void)snprintf(out, 16, "s%03u", index);
    return ss_str(out);
}

/* Enough of everything that each database has branches. */
static inline void fill(struct fixture *f)
{
    static char notes[ENTITIES][16];
    static struct ss_entity_row rows[ENTITIES];    /* of every session the same */
    fixture_init(f);
    f->options.durability = SS_DURABILITY_NONE;
    fixture_reopen(f);
    for (unsigned k = 0; k < ENTITIES; k++) {
        (void)snprintf(notes[k], sizeof notes[k], "n%02u", k);
        rows[k] = (struct ss_entity_row){ .kind = ss_str("note"), .id = ss_str(notes[k]),
                                          .created_ordinal = 1, .last_ordinal = 5,
                                          .type_id = f->entity_type,
                                          .payload = ss_str("something") };
    }
    for (unsigned i = 0; i < SESSIONS; i++) {
        char id[16];
        fixture_publish(f, id_of(i, id).data, 5, 60, 5);
        struct ss_store_session *session = fixture_session(f, id);
        ss_check(stage_checkpoint(f->store, session, rows, ENTITIES, 5, 1) == 0);
        ss__store_put_session(f->store, session);
        if (i % 50 == 49) {
            fixture_flush_due(f);
        }
    }
    fixture_flush_all(f);
    fixture_close(f);
}

/* The newest meta page, then the record of a database. */
static inline struct ss_page_tree tree_of(struct data *data, const char *name)
{
    struct ss_page_tree tree = { 0 };
    uint8_t *page = data_page(data, data->meta.main.root);
    for (size_t i = 0; i < ss__page_count(page); i++) {
        struct ss_page_node node;
        ss__page_node(page, true, i, &node);
        if (ss_str_equal(node.key, ss_str(name))) {
            ss__page_tree(node.data, &tree);
        }
    }
    ss_check(tree.depth == 2);
    return tree;
}

static inline void load(struct fixture *f, struct data *data)
{
    *data = (struct data){ 0 };
    (void)snprintf(data->path, sizeof data->path, "%s/data.mdb", f->shard_dir);
    data_load(data);
}

static inline void save(struct data *data)
{
    data_store(data);
    free(data->bytes);
}

/* The leaf that is child @index of @tree. */
static inline uint8_t *leaf_of(struct data *data, const struct ss_page_tree *tree, size_t index)
{
    struct ss_page_node node;
    ss__page_node(data_page(data, tree->root), false, index, &node);
    return data_page(data, node.child);
}

#endif
