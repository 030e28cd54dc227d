#include "store/listing.h"

#include <stdlib.h>
#include <string.h>

#include "core/contract.h"
#include "core/log.h"
#include "store/bytes_order.h"
#include "store/guard.h"
#include "store/store_state.h"

static int compare_ids(struct ss_str a, struct ss_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool has_prefix(struct ss_str id, struct ss_str prefix)
{
    return id.len >= prefix.len &&
           (prefix.len == 0 || memcmp(id.data, prefix.data, prefix.len) == 0);
}

static bool is_wanted(const struct ss_session_query *query, struct ss_str id)
{
    return has_prefix(id, query->prefix) &&
           (query->after.len == 0 || compare_ids(id, query->after) > 0);
}

static void take_values(struct ss_session_info *info, const struct ss_session_row *row)
{
    info->ordinal = row->ordinal;
    info->first_retained = row->first_retained;
    info->created_us = row->created_us;
    info->updated_us = row->updated_us;
    info->running = row->running;
}

/* What is staged is no reader's business yet. */
static const struct ss_session_row *committed_row(const struct ss_store_session *session)
{
    return session->changed ? &session->saved.row : &session->now.row;
}

int ss__store_list_begin(const struct ss_store *store, struct ss_list_page *page)
{
    page->items = ss__arena_alloc(&page->arena, (page->query->limit + 1) * sizeof *page->items);
    page->born = ss__arena_alloc(&page->arena, (store->born_count + 1) * sizeof *page->born);
    if (page->items == NULL || page->born == NULL) {
        return SS_E_NOMEM;
    }
    for (struct ss_list *link = store->born.next; link != &store->born; link = link->next) {
        const struct ss_store_session *session =
            ss__container_of(link, struct ss_store_session, born_link);
        if ((session->deleted && !session->deleting) || !is_wanted(page->query, session->id)) {
            continue;
        }
        struct ss_list_item *item = &page->born[page->born_count];
        *item = (struct ss_list_item){ .info.id = ss__arena_str(&page->arena, session->id),
                                       .sid = session->now.row.sid };
        if (item->info.id.data == NULL) {
            return SS_E_NOMEM;
        }
        take_values(&item->info, committed_row(session));
        page->born_count++;
    }
    return 0;
}

/* ---- any thread ---- */

static int compare_items(const void *a, const void *b)
{
    const struct ss_list_item *first = a;
    const struct ss_list_item *second = b;
    return compare_ids(first->info.id, second->info.id);
}

static int report_damage(struct ss_store *store, uint64_t sid, struct ss_str key)
{
    if (ss__store_may_report(store)) {
        char quoted[SS_CATALOG_KEY_BYTES_MAX + 3];
        ss__log(SS_LOG_ERROR, "a session cannot be listed; run `ssctl store check`",
                "shard=%u sid=%llu key=%s", store->options.shard_index, (unsigned long long)sid,
                ss__log_quote(quoted, sizeof quoted, key));
    }
    return SS_E_CORRUPT;
}

/* The catalog entry as an item, with what its row says. */
static int read_item(struct ss_store *store, MDB_txn *txn, MDB_val key, MDB_val value,
                     struct ss_list_item *item)
{
    struct ss_row_value row;
    uint8_t sid_bytes[8];
    MDB_val row_bytes;
    item->sid = 0;
    int err = ss__catalog_key_decode(ss__str_of_val(key), &item->info.id);
    err = err != 0 ? err
                   : ss__catalog_decode(ss__str_of_val(key), ss__str_of_val(value), &item->sid);
    if (err == 0) {
        ss__put_be64(sid_bytes, item->sid);
        MDB_val sid_key = ss__val_of(sid_bytes, sizeof sid_bytes);
        err = ss__guard_key(&store->env, txn, SS_DB_SESSION, ss__str_of_val(sid_key));
        err = err != 0 ? err
                       : ss__err_from_lmdb(mdb_get(txn, store->env.dbi[SS_DB_SESSION], &sid_key,
                                                   &row_bytes));
    }
    err = err != 0 ? err : ss__row_decode(item->sid, ss__str_of_val(row_bytes), &row);
    if (err == SS_E_CORRUPT || err == SS_E_NOTFOUND) {
        return report_damage(store, item->sid, ss__str_of_val(key));
    }
    if (err == 0) {
        item->info.ordinal = row.ordinal;
        item->info.first_retained = row.first_retained;
        item->info.created_us = row.created_us;
        item->info.updated_us = row.updated_us;
        item->info.running = row.running;
    }
    return err;
}

struct walk {
    struct ss_store *store;
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int code;    /* of LMDB: whether key and value are there */
};

static int walk_begin(struct walk *walk, const struct ss_session_query *query)
{
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    struct ss_str from =
        compare_ids(query->after, query->prefix) > 0 ? query->after : query->prefix;
    size_t len = ss__catalog_key(key_bytes, from);
    walk->key = ss__val_of(key_bytes, len);
    int err = ss__guard_walk(&walk->store->env, walk->txn, SS_DB_CATALOG,
                             ss__str_of_val(walk->key), 0, (uint64_t)query->limit + 2);
    if (err != 0) {
        return err;
    }
    walk->code = mdb_cursor_get(walk->cursor, &walk->key, &walk->value, MDB_SET_RANGE);
    return 0;
}

/* 1 and the next wanted entry of the catalog, 0 after the last, or an error. */
static int walk_next(struct walk *walk, const struct ss_session_query *query,
                     struct ss_list_item *ret_item)
{
    while (walk->code == 0) {
        struct ss_str id;
        if (ss__catalog_key_decode(ss__str_of_val(walk->key), &id) != 0) {
            return report_damage(walk->store, 0, ss__str_of_val(walk->key));
        }
        if (!has_prefix(id, query->prefix)) {
            return 0;
        }
        bool wanted = is_wanted(query, id);
        int err = wanted ? read_item(walk->store, walk->txn, walk->key, walk->value, ret_item) : 0;
        walk->code = mdb_cursor_get(walk->cursor, &walk->key, &walk->value, MDB_NEXT);
        if (err != 0 || wanted) {
            return err != 0 ? err : 1;
        }
    }
    return walk->code == MDB_NOTFOUND ? 0 : ss__err_from_lmdb(walk->code);
}

/* Whether @born comes now: before what the catalog has next, or in its place, as a later life of
 * that session. */
static bool comes_first(const struct ss_list_item *born, const struct ss_list_item *stored,
                        int order)
{
    return order > 0 || (order == 0 && born->sid > stored->sid);
}

/* Both lists are sorted. What has come to the catalog since begin is in both, and so is a session
 * that was deleted and begun again, whose end the catalog does not know yet. */
static int merge(struct ss_list_page *page, struct walk *walk)
{
    struct ss_list_item stored;
    uint32_t at = 0;
    int more = walk_next(walk, page->query, &stored);
    while (more >= 0 && page->count <= page->query->limit && (more == 1 || at < page->born_count)) {
        const struct ss_list_item *born = at < page->born_count ? &page->born[at] : NULL;
        int order = born == NULL ? -1
                    : more == 0  ? 1
                                 : compare_ids(stored.info.id, born->info.id);
        struct ss_list_item *item = &page->items[page->count++];
        if (comes_first(born, &stored, order)) {
            *item = *born;
        } else {
            *item = stored;
            item->info.id = ss__arena_str(&page->arena, stored.info.id);
            if (item->info.id.data == NULL) {
                return SS_E_NOMEM;
            }
        }
        more = order <= 0 ? walk_next(walk, page->query, &stored) : more;
        at += order >= 0;
    }
    return more < 0 ? more : 0;
}

int ss__store_list_read(struct ss_store *store, struct ss_list_page *page)
{
    struct walk walk = { .store = store };
    qsort(page->born, page->born_count, sizeof *page->born, compare_items);
    int err = ss__env_read_begin(&store->env, &walk.txn);
    if (err != 0) {
        return err;
    }
    err = ss__err_from_lmdb(
        mdb_cursor_open(walk.txn, store->env.dbi[SS_DB_CATALOG], &walk.cursor));
    if (err == 0) {
        err = walk_begin(&walk, page->query);
        err = err != 0 ? err : merge(page, &walk);
        mdb_cursor_close(walk.cursor);
    }
    ss__env_read_end(&store->env, walk.txn);
    return err;
}

/* ---- owner again ---- */

void ss__store_list_settle(const struct ss_store *store, struct ss_list_page *page)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < page->count; i++) {
        struct ss_list_item *item = &page->items[kept];
        *item = page->items[i];
        struct ss_str key = ss_str_of(&item->sid, sizeof item->sid);
        const struct ss_store_session *session =
            ss__map_get(&store->by_sid, ss__map_hash(key), key);
        if (session != NULL) {
            take_values(&item->info, committed_row(session));
        }
        kept += session == NULL || !session->deleted || session->deleting;
    }
    page->count = kept;
}
