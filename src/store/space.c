/* Room for the store: when publishes are refused, and what an error of the disk means. */
#include <errno.h>

#include "core/log.h"
#include "store/store_state.h"

#define SPACE_CHECK_NS UINT64_C(1000000000)
#define GROW_PERCENT 80u
#define FULL_PERCENT 95u

static bool short_of_disk(const struct ss_store *store)
{
    return ss__env_free_disk(&store->env) < store->options.min_free_bytes;
}

/* The map never shrinks: what matters is what of it cannot be used again. */
static bool short_of_map(const struct ss_store *store)
{
    uint64_t used = ss__env_used(&store->env);
    uint64_t limit = store->env.map_bytes / 100 * FULL_PERCENT;
    if (used < limit) {
        return false;
    }
    uint64_t excess = used - limit + 1;
    return ss__env_free_bytes(&store->env, excess) < excess;
}

static void set_refusal(struct ss_store *store, bool refuse)
{
    store->space_checked_ns = ss__clock_monotonic_ns(store->options.clock);
    if (refuse) {
        ss__cut_stop(store, "the store is full");
    }
    if (refuse == (store->refusal != 0)) {
        return;
    }
    store->refusal = refuse ? SS_E_STOREFULL : 0;
    if (!refuse) {
        ss__log(SS_LOG_INFO, "the store has room again: publishes are accepted", "shard=%u",
                store->options.shard_index);
        return;
    }
    ss__log(SS_LOG_WARN, "the store is full: publishes are refused until there is room; free disk "
            "space, or raise --store-map if it is the map",
            "shard=%u free_disk=%llu min_free=%llu map_used=%llu map_limit=%llu dir=%s",
            store->options.shard_index, (unsigned long long)ss__env_free_disk(&store->env),
            (unsigned long long)store->options.min_free_bytes,
            (unsigned long long)ss__env_used(&store->env),
            (unsigned long long)(store->env.map_bytes / 100 * FULL_PERCENT), store->dir);
}

void ss__space_refuse(struct ss_store *store)
{
    set_refusal(store, true);
}

void ss__space_check(struct ss_store *store)
{
    uint64_t now_ns = ss__clock_monotonic_ns(store->options.clock);
    uint64_t every_ns = store->refusal != 0 ? SPACE_CHECK_NS / 10 : SPACE_CHECK_NS;
    if (now_ns - store->space_checked_ns >= every_ns) {
        ss__cut_judge(store);    /* first: what it lets go of makes room */
        set_refusal(store, short_of_disk(store) || short_of_map(store));
    }
}

void ss__space_make_room(struct ss_store *store)
{
    uint64_t used = ss__env_used(&store->env);
    if (used < store->env.map_bytes / 100 * GROW_PERCENT || store->options.map_bytes != 0) {
        return;
    }
    uint64_t wanted = store->env.map_bytes - used + store->options.min_free_bytes;
    if (ss__env_free_disk(&store->env) <= wanted) {
        return;
    }
    if (store->cut != NULL) {
        ss__cut_stop(store, "the map of the store has to grow");
    }
    int err = ss__env_grow(&store->env);
    if (err == 0) {
        store->grow_failed = false;
        ss__log(SS_LOG_INFO, "store map grown", "shard=%u bytes=%llu", store->options.shard_index,
                (unsigned long long)store->env.map_bytes);
    } else if (!store->grow_failed) {
        store->grow_failed = true;
        ss__log(SS_LOG_WARN, "the store map cannot grow", "shard=%u bytes=%llu error=%s",
                store->options.shard_index, (unsigned long long)store->env.map_bytes,
                ss_error_name(err));
    }
}

void ss__space_latch(struct ss_store *store, const char *why)
{
    store->failed = true;
    ss__log(SS_LOG_ERROR, "the disk failed: no more commits until restart",
            "shard=%u dir=%s why=\"%s\"", store->options.shard_index, store->dir, why);
}

void ss__space_keep_reading(struct ss_store *store)
{
    if (!ss__env_is_dead(&store->env)) {
        return;
    }
    ss__cut_stop(store, "the disk failed");    /* it reads too */
    int err = ss__env_revive(&store->env);
    if (err != 0) {
        ss__log(SS_LOG_ERROR, "the store cannot be read any more until restart",
                "shard=%u dir=%s error=%s", store->options.shard_index, store->dir,
                ss_error_name(err));
    }
}

/* LMDB 0.9.24 writes data pages, syncs, writes a meta page. It says EIO for a short write, else
 * the errno of the call that failed. Up to the sync nothing on disk refers to what was written, so
 * a new transaction, which writes its pages again, is safe after an error of a write. Which call
 * an EIO comes from is not told: if there was no lack of space, it counts as a failed sync. After a
 * failed write of the meta page mdb_txn_begin answers MDB_PANIC from then on. */
int ss__space_judge(struct ss_store *store, int code, bool disk_full)
{
    int err = ss__err_from_lmdb(code);
    if (err == 0 || err == SS_E_STOREFULL || err == SS_E_NOMEM) {
        return err;
    }
    if (code == EIO && (disk_full || store->refusal != 0 || short_of_disk(store))) {
        return SS_E_STOREFULL;
    }
    bool write_only = code > 0 && code != EIO && code != EBADF && code != EROFS && code != EINVAL;
    if (!write_only) {
        ss__space_latch(store, mdb_strerror(code));
    }
    return SS_E_STOREIO;
}
