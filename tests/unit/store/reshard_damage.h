/* reshard_damage.h - damage that comes about while a directory is resharded: behind the check of the
 * old one, in the working copy of a shard or in the new directory. */
#ifndef SS_TESTS_RESHARD_DAMAGE_H
#define SS_TESTS_RESHARD_DAMAGE_H

#include "reshard_fixture.h"

#include "store/record.h"

struct attack {
    struct many many;
    const char *at;              /* what is told before it, */
    unsigned pass;               /* and how often at least */
    unsigned passes;
    bool (*act)(struct attack *attack, MDB_env *env, MDB_txn *txn);    /* true: it is done */
    const char *session;
    bool writes;                 /* more than bytes in their place */
    bool done;
    char finding[512];
};

static inline MDB_dbi attack_dbi(MDB_txn *txn, enum ss_db db)
{
    MDB_dbi dbi;
    ss_check(mdb_dbi_open(txn, ss__env_database_name(db), 0, &dbi) == 0);
    return dbi;
}

/* Its number there; 0: the store does not have it. */
static inline uint64_t attack_sid(MDB_txn *txn, const char *id)
{
    uint8_t key_bytes[SS_CATALOG_KEY_BYTES_MAX];
    uint64_t sid = 0;
    MDB_val value;
    MDB_val key = ss__val_of(key_bytes, ss__catalog_key(key_bytes, ss_str(id)));
    if (mdb_get(txn, attack_dbi(txn, SS_DB_CATALOG), &key, &value) == 0) {
        ss_check(ss__catalog_decode(ss__str_of_val(key), ss__str_of_val(value), &sid) == 0);
    }
    return sid;
}

/* Other bytes of the same length in the place of a value, in every page that has it: whatever
 * snapshot it is read in. */
static inline void attack_patch(MDB_env *env, MDB_val value, const void *bytes)
{
    const char *dir;
    char path[600];
    struct stat info;
    unsigned places = 0;
    ss_check(mdb_env_get_path(env, &dir) == 0);
    (void)snprintf(path, sizeof path, "%s/data.mdb", dir);
    int fd = open(path, O_RDWR);
    ss_check(fd >= 0 && fstat(fd, &info) == 0);
    char *file = malloc((size_t)info.st_size);
    ss_check(file != NULL && pread(fd, file, (size_t)info.st_size, 0) == info.st_size);
    for (off_t at = 0; at + (off_t)value.mv_size <= info.st_size; at += 2) {
        if (memcmp(file + at, value.mv_data, value.mv_size) == 0) {
            memcpy(file + at, bytes, value.mv_size);
            places++;
        }
    }
    ss_check(places > 0 && pwrite(fd, file, (size_t)info.st_size, 0) == info.st_size);
    free(file);
    (void)close(fd);
}

/* The first segment of the session, where it stands and as a copy to change. */
static inline MDB_val attack_segment(MDB_txn *txn, uint64_t sid, uint8_t copy[FIXTURE_PAYLOAD_MAX],
                                     struct ss_segment *ret_segment)
{
    uint8_t key_bytes[16];
    MDB_val value;
    ss__segment_key(key_bytes, sid, 1);
    MDB_val key = ss__val_of(key_bytes, sizeof key_bytes);
    ss_check(mdb_get(txn, attack_dbi(txn, SS_DB_SEGMENT), &key, &value) == 0);
    ss_check(value.mv_size <= FIXTURE_PAYLOAD_MAX);
    memcpy(copy, value.mv_data, value.mv_size);
    ss_check(ss__segment_decode(ss__str_of_val(key), ss_str_of(copy, value.mv_size),
                                ret_segment) == 0);
    return value;
}

/* Event 5 failed in a projection that nobody knows, says a segment that is sound. */
static inline bool attack_outcome(struct attack *attack, MDB_env *env, MDB_txn *txn)
{
    static uint8_t copy[FIXTURE_PAYLOAD_MAX];
    uint64_t sid = attack_sid(txn, attack->session);
    struct ss_segment segment;
    struct ss_record record;
    struct ss_str item;
    size_t at = 0;
    if (sid == 0) {
        return false;
    }
    MDB_val value = attack_segment(txn, sid, copy, &segment);
    for (unsigned i = 0; i < 5; i++) {
        ss_check(ss__segment_entry_next(segment.entries, &at, &record) == 0);
    }
    ss_check(ss__header_find(record.header, SS_HEADER_OUTCOME, &item) == 0 && item.len == 5);
    ss__put_le32((uint8_t *)(uintptr_t)item.data, 99);
    ss__segment_seal(copy, value.mv_size, sid, 1, segment.count);
    attack_patch(env, value, copy);
    return true;
}

/* Its first entity is of a type that nobody knows. */
static inline bool attack_entity(struct attack *attack, MDB_env *env, MDB_txn *txn)
{
    uint8_t prefix[8];
    uint8_t bytes[200];
    struct ss_entity_row row = { .projection = 0 };
    uint64_t sid = attack_sid(txn, attack->session);
    MDB_cursor *cursor;
    MDB_val value;
    if (sid == 0) {
        return false;
    }
    ss__put_be64(prefix, sid);
    MDB_val key = ss__val_of(prefix, sizeof prefix);
    ss_check(mdb_cursor_open(txn, attack_dbi(txn, SS_DB_ENTITY), &cursor) == 0);
    ss_check(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE) == 0);
    ss_check(ss__entity_decode(ss__str_of_val(key), ss__str_of_val(value), &row) == 0);
    row.type_id = 99;
    ss_check(value.mv_size <= sizeof bytes);
    ss__entity_encode(bytes, ss__str_of_val(key), &row);
    attack_patch(env, value, bytes);
    mdb_cursor_close(cursor);
    return true;
}

/* Beside an environment that is open in this process, which does not write now. */
static inline bool attack_store(struct attack *attack, const char *name)
{
    char dir[400];
    char data[420];
    MDB_env *env;
    MDB_txn *txn;
    (void)snprintf(dir, sizeof dir, "%s/%s", attack->many.to, name);
    (void)snprintf(data, sizeof data, "%s/data.mdb", dir);
    if (access(data, F_OK) != 0) {
        return false;
    }
    ss_check(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, SS_DB_MAX) == 0);
    ss_check(mdb_env_set_mapsize(env, 256u << 20) == 0);
    unsigned flags = attack->writes ? 0 : MDB_RDONLY;
    ss_check(mdb_env_open(env, dir, attack->writes ? 0 : MDB_RDONLY | MDB_NOLOCK, 0640) == 0);
    ss_check(mdb_txn_begin(env, NULL, flags, &txn) == 0);
    bool done = attack->act(attack, env, txn);
    if (done) {
        ss_check(mdb_txn_commit(txn) == 0);
    } else {
        mdb_txn_abort(txn);
    }
    mdb_env_close(env);
    return done;
}

static inline int attack_step(const char *what, uint64_t done, uint64_t total, void *ctx)
{
    struct attack *attack = ctx;
    (void)done;
    (void)total;
    if (!attack->done && strcmp(what, attack->at) == 0 && ++attack->passes >= attack->pass) {
        bool copy = strcmp(what, "settled") == 0;
        attack->done = copy ? attack_store(attack, "shard-work")
                            : attack_store(attack, "shard-0000") ||
                                  attack_store(attack, "shard-0001") ||
                                  attack_store(attack, "shard-0002");
    }
    return 0;
}

static inline void attack_on_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    struct attack *attack = ctx;
    (void)shard;
    size_t len = strlen(attack->finding);
    (void)snprintf(attack->finding + len, sizeof attack->finding - len, "%s: %s\n", place, text);
}

/* A directory of two shards, each with sessions "SHARD-0" to "SHARD-2" of 70 events and entities of
 * one projection, and "SHARD-none" without events. */
static inline void attack_begin(struct attack *attack)
{
    struct many *m = &attack->many;
    *attack = (struct attack){ .done = false };
    make(m, 2);
    for (unsigned i = 0, made[2] = { 0, 0 }; made[0] < 3 || made[1] < 3; i++) {
        char id[16];
        name_of(id, i);
        uint32_t shard = shard_of(m, id);
        if (made[shard]++ >= 3) {
            continue;
        }
        struct ss_store_session *session = new_session(m, shard, id);
        publish(m, shard, session, 70);
        struct ss_entity_row row = { .projection = m->projections[shard][0],
                                     .kind = ss_str("note"), .id = ss_str("a"),
                                     .created_ordinal = 1, .last_ordinal = 7,
                                     .type_id = m->entities[shard], .payload = ss_str("text") };
        struct ss_timeline_checkpoint timeline = {
            { .projection = m->projections[shard][0], .version = 1, .ordinal = 60 }, &row, 1
        };
        ss_check(ss__store_stage_checkpoint(m->stores[shard], session, &timeline, 1) == 0);
        ss_check(ss__store_flush(m->stores[shard], 1) >= 0);
        ss__store_put_session(m->stores[shard], session);
    }
    uint32_t shard = shard_of(m, "none");
    ss__store_put_session(m->stores[shard], new_session(m, shard, "none"));
    ss_check(ss__store_commit(m->stores[shard]) == 0);
}

/* Of those with events, the @index-th that was made on this shard. */
static inline void attack_name(const struct attack *attack, uint32_t shard, unsigned index,
                               char id[16])
{
    unsigned i = 0;
    for (unsigned seen = 0;; i++) {
        name_of(id, i);
        if (shard_of(&attack->many, id) == shard && seen++ == index) {
            return;
        }
    }
}

/* The directory is closed; the new one is of three shards and takes nobody's place. */
static inline int attack_reshard(struct attack *attack, struct ss_failure *failure)
{
    struct ss_reshard_result result;
    struct ss_reshard_options options = { .dir = attack->many.root, .to = attack->many.to,
                                          .shards = 3, .report = attack_on_finding,
                                          .step = attack_step, .ctx = attack };
    attack->finding[0] = '\0';
    attack->passes = 0;
    attack->done = false;
    int err = ss__reshard(&options, &result, failure);
    ss_check(err != 0 || (strcmp(result.path, attack->many.to) == 0 &&
                          strcmp(result.kept, attack->many.root) == 0));
    return err;
}

#endif
