#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "store_fixture.h"

#include "store/create.h"

static const struct ss_meta_shard first = { .index = 0, .count = 1, .directory_id = 11 };
static const struct ss_meta_shard second = { .index = 0, .count = 1, .directory_id = 22 };

static void make_root(char root[256])
{
    ss__fault_reset();
    fixture_make_root(root, 256);
}

static void remove_root(const char *root)
{
    ss__fault_reset();
    (void)nftw(root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Where a shard is to be made, in a new root. */
static void make_place(char root[256], char dir[300])
{
    make_root(root);
    (void)snprintf(dir, 300, "%s/shard-0000", root);
}

/* Longer than any path may be. */
static const char *too_long(void)
{
    static char path[8192];
    memset(path, 'x', sizeof path - 1);
    return path;
}

/* 80,000 bytes that LMDB would not open, or would crash in. */
static void write_nonsense(const char *path)
{
    FILE *file = fopen(path, "we");
    ss_check(file != NULL);
    for (int i = 0; i < 10000; i++) {
        ss_check(fputs("no store", file) >= 0);
    }
    ss_check(fclose(file) == 0);
}

static int open_store(const char *dir, uint64_t directory_id)
{
    struct ss_store_options options;
    struct ss_store_report report;
    struct ss_store *store = NULL;
    ss__store_options_init(&options);
    options.dir = dir;
    options.directory_id = directory_id;
    options.must_exist = true;
    options.map_bytes = 16u << 20;
    options.min_free_bytes = 0;
    int err = ss__store_open(&options, &store, &report, NULL);
    ss__store_close(store);
    return err;
}

SS_TEST(create, directories_of_any_spelling_are_made_and_a_failed_sync_leaves_none)
{
    char root[256];
    char path[400];
    char part[400];
    struct stat info;
    struct ss_failure failure = { 0 };
    make_root(root);
    (void)snprintf(path, sizeof path, "%s//a/./b/", root);
    (void)snprintf(part, sizeof part, "%s/a/b", root);
    ss__fault_arm("create.sync", 2, 1, SS_E_IO);
    ss_check(ss__create_directories(path, &failure) == SS_E_IO);
    ss_check_msg(strstr(failure.text, "cannot be made durable") != NULL, "%s", failure.text);
    ss_check(stat(part, &info) != 0);
    for (int again = 0; again < 2; again++) {
        ss_check(ss__create_directories(path, &failure) == 0);
        ss_check(stat(part, &info) == 0 && S_ISDIR(info.st_mode));
    }
    ss_check(ss__create_directories(too_long(), &failure) == SS_E_TOOBIG);
    ss_check(ss__create_directories("/proc/none", &failure) == SS_E_IO);
    remove_root(root);
}

SS_TEST(create, shard_is_given_another_identity_until_it_has_been_in_use)
{
    char root[256];
    char dir[300];
    make_place(root, dir);
    ss_check(ss__create_verify(dir, 0, NULL) == SS_E_CORRUPT);
    ss_check(ss__create_shard(dir, &first, NULL) == 0);
    ss_check(ss__create_verify(dir, 0, NULL) == 0);
    ss_check(open_store(dir, 22) == SS_E_SHARDS);
    ss_check(ss__create_shard(dir, &second, NULL) == 0);
    ss_check(open_store(dir, 22) == 0);
    ss_check(ss__create_shard(dir, &first, NULL) == SS_E_EXISTS);
    ss_check(open_store(dir, 22) == 0);
    remove_root(root);
}

SS_TEST(create, shard_whose_entry_cannot_be_synced_is_not_made)
{
    char root[256];
    char dir[300];
    make_place(root, dir);
    ss__fault_arm("create.sync", 1, 1, SS_E_IO);
    ss_check(ss__create_shard(dir, &first, NULL) == SS_E_IO);
    ss_check(ss__create_shard(dir, &first, NULL) == 0);
    (void)snprintf(dir, sizeof dir, "%s/none/shard-0000", root);
    ss_check(ss__create_shard(dir, &first, NULL) == SS_E_IO);
    remove_root(root);
}

SS_TEST(create, data_file_that_was_being_made_is_made_anew)
{
    char root[256];
    char dir[300];
    char path[400];
    struct stat info;
    make_place(root, dir);
    (void)snprintf(path, sizeof path, "%s/data.new", dir);
    ss_check(mkdir(dir, 0750) == 0);
    write_nonsense(path);
    ss_check(ss__create_verify(dir, 0, NULL) == SS_E_CORRUPT);
    ss_check(ss__create_shard(dir, &first, NULL) == 0);
    ss_check(stat(path, &info) != 0);
    ss_check(open_store(dir, 11) == 0);
    remove_root(root);
}

SS_TEST(create, data_file_gets_its_name_when_it_is_whole)
{
    char root[256];
    char dir[300];
    char path[400];
    struct ss_failure failure = { 0 };
    make_place(root, dir);
    (void)snprintf(path, sizeof path, "%s/data.new", dir);
    ss_check(mkdir(dir, 0750) == 0 && mkdir(path, 0750) == 0);    /* in the way */
    ss_check(ss__create_shard(dir, &first, &failure) == SS_E_IO);
    ss_check_msg(strstr(failure.text, "cannot be removed") != NULL, "%s", failure.text);
    ss_check(ss__create_verify(dir, 0, NULL) == SS_E_CORRUPT);
    ss_check(rmdir(path) == 0);
    ss_check(ss__create_shard(dir, &first, NULL) == 0);
    ss_check(ss__create_verify(dir, 0, NULL) == 0);
    remove_root(root);
}

SS_TEST(create, entries_of_all_directories_above_are_synced)
{
    char root[256];
    char path[400];
    struct ss_failure failure = { 0 };
    make_root(root);
    (void)snprintf(path, sizeof path, "%s/a//b/", root);
    ss_check(ss__create_sync_parents(path, &failure) == SS_E_IO);    /* there is no a */
    ss_check(ss__create_directories(path, &failure) == 0);
    ss_check(ss__create_sync_parents(path, &failure) == 0);
    ss__fault_arm("create.parents", 3, 1, EIO);
    ss_check(ss__create_sync_parents(path, &failure) == SS_E_IO);
    ss_check_msg(strstr(failure.text, "cannot be made durable") != NULL, "%s", failure.text);
    ss__fault_arm("create.parents", 1, 100, EROFS);
    ss_check(ss__create_sync_parents(path, &failure) == 0);
    ss__fault_reset();
    ss_check(ss__create_sync_parents("relative", &failure) == 0);
    ss_check(ss__create_sync_parents(too_long(), &failure) == SS_E_TOOBIG);
    remove_root(root);
}

/* What LMDB leaves of its first pages is no store and must not stand in the way of one. */
SS_TEST(create, a_disk_that_is_full_at_the_first_page_leaves_nothing_behind)
{
    static const rlim_t rooms[] = { 0, 1000, 4096, 6000, 9000, 20000 };
    struct rlimit before;
    ss_check(getrlimit(RLIMIT_FSIZE, &before) == 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        char root[256];
        char dir[300];
        struct ss_failure failure = { 0 };
        make_place(root, dir);
        struct rlimit small = { rooms[i], before.rlim_max };
        ss_check(setrlimit(RLIMIT_FSIZE, &small) == 0);
        int err = ss__create_shard(dir, &first, &failure);
        ss_check(setrlimit(RLIMIT_FSIZE, &before) == 0);
        ss_check_msg(err == SS_E_STOREFULL || err == SS_E_STOREIO, "%llu: %s",
                     (unsigned long long)rooms[i], ss_error_name(err));
        ss_check(failure.text[0] != '\0');
        err = ss__create_shard(dir, &first, &failure);
        ss_check_msg(err == 0, "%llu: %s", (unsigned long long)rooms[i], failure.text);
        ss_check(open_store(dir, first.directory_id) == 0);
        remove_root(root);
    }
    ss_check(signal(SIGXFSZ, handler) == SIG_IGN);
}

SS_TEST(create, data_file_that_is_none_is_left_and_named)
{
    char root[256];
    char dir[300];
    char path[400];
    struct stat info;
    struct ss_failure failure = { 0 };
    make_place(root, dir);
    (void)snprintf(path, sizeof path, "%s/data.mdb", dir);
    ss_check(mkdir(dir, 0700) == 0);
    write_nonsense(path);
    int err = ss__create_shard(dir, &first, &failure);
    ss_check_msg(err == SS_E_CORRUPT && strstr(failure.text, dir) != NULL, "%s %s",
                 ss_error_name(err), failure.text);
    ss_check(stat(path, &info) == 0 && info.st_size == 80000);
    remove_root(root);
}

SS_TEST(create, shard_whose_path_leaves_no_room_is_refused_with_a_sentence)
{
    static char dir[4090];
    struct ss_failure failure = { 0 };
    memset(dir, 'x', sizeof dir - 1);
    ss_check(ss__create_verify(dir, 0, &failure) == SS_E_TOOBIG);
    ss_check(strstr(failure.text, "too long") != NULL);
}
