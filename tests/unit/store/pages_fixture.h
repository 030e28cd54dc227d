/* pages_fixture.h - a data file that LMDB wrote, its bytes in memory, and what the walk says. */
#ifndef SS_TESTS_PAGES_FIXTURE_H
#define SS_TESTS_PAGES_FIXTURE_H

#include <ftw.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "ss_test.h"
#include "store/bytes_order.h"
#include "store/pages.h"

struct data {
    char dir[256];
    char path[400];
    uint8_t *bytes;
    size_t len;
    struct ss_page_meta meta;      /* the newest */
    unsigned newest;
    struct ss_pages_summary summary;
    char findings[8192];
    uint64_t rows;
    bool start;                    /* looked at as a start does */
};

static inline void data_ok(int code)
{
    ss_check_msg(code == 0, "%s", mdb_strerror(code));
}

static inline MDB_env *data_env(struct data *data)
{
    MDB_env *env;
    data_ok(mdb_env_create(&env));
    data_ok(mdb_env_set_mapsize(env, 256u << 20));
    data_ok(mdb_env_set_maxdbs(env, 16));
    data_ok(mdb_env_open(env, data->dir, MDB_NOSYNC, 0640));
    return env;
}

static inline void data_make(struct data *data)
{
    *data = (struct data){ 0 };
    const char *base = getenv("TMPDIR");
    (void)snprintf(data->dir, sizeof data->dir, "%s/ss-pages-XXXXXX", base != NULL ? base : "/tmp");
    ss_check(mkdtemp(data->dir) != NULL);
    (void)snprintf(data->path, sizeof data->path, "%s/data.mdb", data->dir);
}

static inline void data_put(MDB_txn *txn, const char *name, uint64_t sid, uint64_t second,
                            size_t len)
{
    static uint8_t value[200000];
    uint8_t key[16];
    MDB_dbi dbi;
    ss_check(len <= sizeof value);
    ss__put_be64(key, sid);
    ss__put_be64(key + 8, second);
    data_ok(mdb_dbi_open(txn, name, MDB_CREATE, &dbi));
    MDB_val from = { sizeof key, key };
    MDB_val to = { len, value };
    data_ok(mdb_put(txn, dbi, &from, &to, 0));
}

/* The bytes of page @number. */
static inline uint8_t *data_page(struct data *data, uint64_t number)
{
    ss_check((number + 1) * data->meta.page_bytes <= data->len);
    return data->bytes + number * data->meta.page_bytes;
}

static inline void data_load(struct data *data)
{
    struct stat info;
    struct ss_page_meta metas[2];
    FILE *file = fopen(data->path, "rb");
    ss_check(file != NULL && fstat(fileno(file), &info) == 0);
    free(data->bytes);
    data->len = (size_t)info.st_size;
    data->bytes = malloc(data->len);
    ss_check(data->bytes != NULL && fread(data->bytes, 1, data->len, file) == data->len);
    (void)fclose(file);
    ss_check(ss__page_meta(data->bytes, data->len, 0, &metas[0], NULL) == 0);
    ss_check(ss__page_meta(data->bytes + metas[0].page_bytes, data->len - metas[0].page_bytes, 1,
                           &metas[1], NULL) == 0);
    data->newest = metas[1].transaction > metas[0].transaction;
    data->meta = metas[data->newest];
}

static inline void data_store(struct data *data)
{
    FILE *file = fopen(data->path, "wb");
    ss_check(file != NULL && fwrite(data->bytes, 1, data->len, file) == data->len);
    ss_check(fclose(file) == 0);
}

static inline void data_on_finding(const struct ss_pages_finding *finding, void *ctx)
{
    struct data *data = ctx;
    size_t len = strlen(data->findings);
    (void)snprintf(data->findings + len, sizeof data->findings - len, "page %llu (%s): %s\n",
                   (unsigned long long)finding->page, finding->database, finding->text);
}

static inline void data_on_row(const char *database, const struct ss_page_node *node, void *ctx)
{
    struct data *data = ctx;
    (void)database;
    ss_check(node->key.len > 0);
    data->rows++;
}

static inline void data_check(struct data *data)
{
    struct ss_failure failure = { 0 };
    const struct ss_pages_options options = { .report = data_on_finding, .row = data_on_row,
                                              .ctx = data, .start = data->start };
    data->findings[0] = '\0';
    data->rows = 0;
    int err = ss__pages_check(data->path, &options, &data->summary, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
}

static inline int data_remove_one(const char *path, const struct stat *info, int type,
                                  struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static inline void data_end(struct data *data)
{
    (void)nftw(data->dir, data_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(data->bytes);
}

#endif
