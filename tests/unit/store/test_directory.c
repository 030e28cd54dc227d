#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store_fixture.h"

#include "store/manifest.h"

struct place {
    char root[256];
    char data[300];
    char identity[320];
};

static void place_init(struct place *place)
{
    fixture_make_root(place->root, sizeof place->root);
    (void)snprintf(place->data, sizeof place->data, "%s/deep/data", place->root);
    (void)snprintf(place->identity, sizeof place->identity, "%s/sessionstream", place->data);
}

static void place_end(struct place *place)
{
    (void)nftw(place->root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct ss_directory *open_good(struct place *place, uint32_t shards, bool explicit_count)
{
    struct ss_directory *directory;
    struct ss_failure failure = { 0 };
    int err = ss__directory_open(place->data, shards, explicit_count, &directory, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    return directory;
}

static void refused(struct place *place, uint32_t shards, int code, const char *part)
{
    struct ss_directory *directory;
    struct ss_failure failure = { 0 };
    ss_check(ss__directory_open(place->data, shards, true, &directory, &failure) == code);
    ss_check_msg(strstr(failure.text, part) != NULL, "%s", failure.text);
}

static void edit_identity(struct place *place, off_t at, const void *bytes, size_t len)
{
    int fd = open(place->identity, O_RDWR);
    ss_check(fd >= 0 && pwrite(fd, bytes, len, at) == (ssize_t)len && close(fd) == 0);
}

/* As a program of that format would have written it. */
static void set_format(struct place *place, uint32_t format)
{
    uint8_t bytes[256];
    int fd = open(place->identity, O_RDWR);
    ssize_t len = fd < 0 ? -1 : pread(fd, bytes, sizeof bytes, 0);
    ss_check(len > 20 && len < (ssize_t)sizeof bytes);
    ss__put_le32(bytes + 8, format);
    ss__put_le64(bytes + len - 8, ss__checksum(bytes, (size_t)len - 8));
    ss_check(pwrite(fd, bytes, (size_t)len, 0) == len && close(fd) == 0);
}

SS_TEST(directory, identity_is_made_once_and_kept)
{
    struct place place;
    place_init(&place);
    struct ss_directory *first = open_good(&place, 4, true);
    ss_check(first->created && first->shard_count == 4 && first->format == SS_STORE_FORMAT);
    uint64_t id = first->directory_id;
    struct ss_hash_key key = first->routing_key;
    char path[400];
    ss_check(ss__directory_shard_path(first, 7, path, sizeof path) == 0);
    ss_check(strcmp(path + strlen(place.data), "/shard-0007") == 0);
    ss_check(ss__directory_shard_path(first, 7, path, strlen(path)) == SS_E_TOOBIG);
    ss__directory_close(first);
    struct ss_directory *again = open_good(&place, 9, false);
    ss_check(!again->created && again->shard_count == 4 && again->directory_id == id);
    ss_check(memcmp(&again->routing_key, &key, sizeof key) == 0);
    ss__directory_close(again);
    place_end(&place);
}

SS_TEST(directory, other_shard_count_is_refused_with_both_numbers_and_the_way_out)
{
    struct place place;
    place_init(&place);
    ss__directory_close(open_good(&place, 4, true));
    refused(&place, 6, SS_E_SHARDS, "has 4 shards, not 6");
    refused(&place, 6, SS_E_SHARDS, "say --shards 4");
    ss__directory_close(open_good(&place, 4, true));
    place_end(&place);
}

SS_TEST(directory, second_process_is_refused_and_told_who_holds_it)
{
    struct place place;
    place_init(&place);
    struct ss_directory *directory = open_good(&place, 1, true);
    char pid[24];
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    pid_t child = fork();
    ss_check(child >= 0);
    if (child == 0) {
        struct ss_directory *second;
        struct ss_failure failure = { 0 };
        int err = ss__directory_open(place.data, 1, true, &second, &failure);
        _exit(err == SS_E_LOCKED && strstr(failure.text, pid) != NULL ? 0 : 1);
    }
    int status;
    ss_check(waitpid(child, &status, 0) == child && WIFEXITED(status) &&
             WEXITSTATUS(status) == 0);
    ss__directory_close(directory);
    ss__directory_close(open_good(&place, 1, true));
    place_end(&place);
}

SS_TEST(directory, newer_format_is_refused)
{
    struct place place;
    place_init(&place);
    ss__directory_close(open_good(&place, 1, true));
    set_format(&place, SS_STORE_FORMAT + 1);
    refused(&place, 1, SS_E_VERSION, "newer version");
    place_end(&place);
}

SS_TEST(directory, any_damaged_byte_of_the_identity_is_refused)
{
    struct place place;
    struct stat info;
    place_init(&place);
    ss__directory_close(open_good(&place, 1, true));
    ss_check(stat(place.identity, &info) == 0);
    int fd = open(place.identity, O_RDWR);
    ss_check(fd >= 0);
    for (off_t at = 0; at < info.st_size; at++) {
        uint8_t byte;
        ss_check(pread(fd, &byte, 1, at) == 1);
        uint8_t other = (uint8_t)(byte ^ 0x80);
        ss_check(pwrite(fd, &other, 1, at) == 1);
        struct ss_directory *directory;
        int err = ss__directory_open_existing(place.data, &directory, NULL);
        ss_check(err == SS_E_CORRUPT);
        ss_check(pwrite(fd, &byte, 1, at) == 1);
    }
    for (off_t len = 0; len < info.st_size; len += 7) {
        uint8_t bytes[512];
        ss_check(pread(fd, bytes, (size_t)info.st_size, 0) == info.st_size);
        ss_check(ftruncate(fd, len) == 0);
        struct ss_directory *directory;
        ss_check(ss__directory_open_existing(place.data, &directory, NULL) == SS_E_CORRUPT);
        ss_check(pwrite(fd, bytes, (size_t)info.st_size, 0) == info.st_size);
    }
    ss_check(close(fd) == 0);
    ss__directory_close(open_good(&place, 1, true));
    place_end(&place);
}

SS_TEST(directory, tools_never_create_one)
{
    struct place place;
    struct ss_directory *directory;
    struct stat info;
    place_init(&place);
    ss_check(ss__directory_open_existing(place.data, &directory, NULL) == SS_E_NOTFOUND);
    ss_check(stat(place.data, &info) != 0);
    place_end(&place);
}

SS_TEST(directory, shard_count_outside_the_limit_is_refused)
{
    struct place place;
    place_init(&place);
    refused(&place, 0, SS_E_SHARDS, "from 1 to 256");
    refused(&place, SS_SHARDS_MAX + 1, SS_E_SHARDS, "from 1 to 256");
    ss__directory_close(open_good(&place, 1, true));
    uint8_t bytes[512];
    int fd = open(place.identity, O_RDONLY);
    ssize_t len = read(fd, bytes, sizeof bytes);
    ss_check(fd >= 0 && len > 24 && len < (ssize_t)sizeof bytes && close(fd) == 0);
    size_t checked = (size_t)len - 8;
    uint32_t counts[] = { 0, SS_SHARDS_MAX + 1, UINT32_MAX };
    for (size_t i = 0; i < 3; i++) {
        struct ss_directory *directory;
        struct ss_failure failure = { 0 };
        ss__put_le32(bytes + 12, counts[i]);
        ss__put_le64(bytes + checked, ss__checksum(bytes, checked));
        edit_identity(&place, 0, bytes, (size_t)len);
        ss_check(ss__directory_open_existing(place.data, &directory, &failure) == SS_E_SHARDS);
        ss_check_msg(strstr(failure.text, "takes 1 to 256") != NULL, "%s", failure.text);
    }
    place_end(&place);
}

static int open_shard(struct place *place, uint32_t index, struct ss_failure *failure)
{
    struct ss_directory *directory = open_good(place, 3, true);
    struct ss_store_options options;
    struct ss_store_report report;
    struct ss_store *store = NULL;
    char path[400];
    ss_check(ss__directory_shard_path(directory, index, path, sizeof path) == 0);
    ss__store_options_init(&options);
    options.dir = path;
    options.shard_index = index;
    options.shard_count = 3;
    options.directory_id = directory->directory_id;
    options.must_exist = true;
    options.map_bytes = 16u << 20;
    options.min_free_bytes = 0;
    int err = ss__store_open(&options, &store, &report, failure);
    ss__store_close(store);
    ss__directory_close(directory);
    return err;
}

static void shard_file(struct place *place, unsigned index, const char *name, char out[400])
{
    (void)snprintf(out, 400, "%s/shard-%04u/%s", place->data, index, name);
}

static void shard_refused(struct place *place, uint32_t index)
{
    struct ss_failure failure = { 0 };
    ss_check(open_shard(place, index, &failure) == SS_E_CORRUPT);
    ss_check_msg(strstr(failure.text, "shard 0001 of the data directory is missing") != NULL &&
                 strstr(failure.text, "store restored") != NULL, "%s", failure.text);
}

SS_TEST(directory, shard_that_is_missing_empty_or_another_store_is_never_made_anew)
{
    struct place place;
    struct stat info;
    char file[400];
    char other[400];
    char shard[400];
    place_init(&place);
    for (uint32_t i = 0; i < 3; i++) {
        ss_check(open_shard(&place, i, NULL) == 0);
    }
    shard_file(&place, 1, "data.mdb", file);
    shard_file(&place, 1, "", shard);
    (void)snprintf(other, sizeof other, "%s/aside", place.root);
    ss_check(rename(file, other) == 0);
    shard_refused(&place, 1);
    ss_check(stat(file, &info) != 0);
    int fd = open(file, O_WRONLY | O_CREAT, 0640);
    ss_check(fd >= 0 && close(fd) == 0);
    shard_refused(&place, 1);
    ss_check(stat(file, &info) == 0 && info.st_size == 0);
    ss_check(unlink(file) == 0);
    struct ss_env env;
    ss_check(ss__env_open(shard, 16u << 20, false, &env, NULL) == 0);
    ss__env_close(&env);
    shard_refused(&place, 1);
    char moved[400];
    (void)snprintf(moved, sizeof moved, "%s/moved", place.root);
    ss_check(rename(shard, moved) == 0);
    shard_refused(&place, 1);
    ss_check(open_shard(&place, 2, NULL) == 0);
    struct ss_failure failure = { 0 };
    ss_check(mkdir(shard, 0750) == 0 && rename(other, file) == 0);
    ss_check(open_shard(&place, 1, &failure) == SS_E_CORRUPT);    /* without its log */
    ss_check_msg(strstr(failure.text, "file of it is missing") != NULL, "%s", failure.text);
    ss_check(rename(file, other) == 0 &&
             nftw(shard, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
    ss_check(rename(moved, shard) == 0 && rename(other, file) == 0);
    ss_check(open_shard(&place, 1, NULL) == 0);
    place_end(&place);
}

SS_TEST(directory, shards_in_use_without_identity_are_not_taken_over)
{
    struct place place;
    place_init(&place);
    ss_check(open_shard(&place, 1, NULL) == 0);
    ss_check(unlink(place.identity) == 0);
    refused(&place, 3, SS_E_CORRUPT, "sessionstream\" is missing");
    struct stat info;
    ss_check(stat(place.identity, &info) != 0);
    place_end(&place);
}

/* Those may be of somebody whose directory has lost its identity. */
SS_TEST(directory, attempt_that_fails_takes_away_no_shard_that_was_there_before)
{
    struct place place;
    struct stat info;
    char shard[400];
    place_init(&place);
    ss_check(open_shard(&place, 1, NULL) == 0);
    ss_check(unlink(place.identity) == 0);
    shard_file(&place, 0, "", shard);
    ss_check(nftw(shard, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
    refused(&place, 3, SS_E_CORRUPT, "sessionstream\" is missing");
    ss_check(stat(shard, &info) != 0);    /* made by the attempt */
    shard_file(&place, 1, "data.mdb", shard);
    ss_check(stat(shard, &info) == 0);
    shard_file(&place, 2, "data.mdb", shard);
    ss_check(stat(shard, &info) == 0);
    place_end(&place);
}

/* Something may have been mounted there since, or the identity cannot be removed. */
SS_TEST(directory, nothing_is_taken_back_but_from_the_one_that_was_locked)
{
    struct place place;
    struct stat info;
    char lock[400];
    char other[400];
    char shard[400];
    place_init(&place);
    struct ss_directory *directory = open_good(&place, 1, true);
    (void)snprintf(lock, sizeof lock, "%s/LOCK", place.data);
    (void)snprintf(other, sizeof other, "%s/aside", place.data);
    shard_file(&place, 0, "data.mdb", shard);
    ss_check(rename(lock, other) == 0 && link(place.identity, lock) == 0);
    ss__directory_take_back(directory, NULL);
    ss_check(stat(place.identity, &info) == 0 && stat(shard, &info) == 0);
    ss_check(rename(other, lock) == 0 && rename(place.identity, other) == 0 &&
             mkdir(place.identity, 0750) == 0);
    ss__directory_take_back(directory, NULL);
    ss_check(stat(shard, &info) == 0);
    ss_check(rmdir(place.identity) == 0 && rename(other, place.identity) == 0);
    ss__directory_take_back(directory, NULL);
    ss_check(stat(place.identity, &info) != 0 && stat(shard, &info) != 0);
    ss__directory_close(directory);
    place_end(&place);
}

SS_TEST(directory, creation_that_was_cut_off_is_begun_again)
{
    struct place place;
    place_init(&place);
    ss__directory_close(open_good(&place, 3, true));
    ss_check(unlink(place.identity) == 0);
    for (uint32_t i = 0; i < 3; i++) {
        ss_check(open_shard(&place, i, NULL) == 0);
    }
    place_end(&place);
}

/* After a sync that failed a later one may succeed without bringing the names to the disk: they are
 * taken away, and made anew by the next attempt. */
SS_TEST(directory, every_entry_is_synced_before_the_directory_counts_as_made)
{
    /* deep, data, three shards, the entries of data, the identity file. */
    const unsigned syncs = 7;
    for (unsigned failing = 1; failing <= syncs + 1; failing++) {
        struct place place;
        struct stat info;
        place_init(&place);
        ss__fault_reset();
        ss__fault_arm("create.sync", failing, 1, SS_E_IO);
        if (failing <= syncs) {
            refused(&place, 3, SS_E_IO, "cannot be made durable");
            ss_check(stat(place.identity, &info) != 0);
            for (unsigned i = 0; i < 3; i++) {
                char shard[400];
                shard_file(&place, i, "", shard);
                ss_check(stat(shard, &info) != 0);
            }
        }
        ss__directory_close(open_good(&place, 3, true));
        ss__fault_reset();
        place_end(&place);
    }
}

SS_TEST(directory, older_format_is_refused_with_the_way_out)
{
    struct place place;
    place_init(&place);
    ss__directory_close(open_good(&place, 1, true));
    set_format(&place, SS_STORE_FORMAT - 1);
    refused(&place, 1, SS_E_VERSION, "use the version that made it");
    place_end(&place);
}

SS_TEST(directory, one_that_a_killed_process_made_is_durable_before_it_is_used)
{
    struct place place;
    struct stat info;
    struct ss_directory *directory;
    struct ss_failure failure = { 0 };
    char parent[300];
    place_init(&place);
    (void)snprintf(parent, sizeof parent, "%s/deep", place.root);
    ss_check(mkdir(parent, 0750) == 0 && mkdir(place.data, 0750) == 0);    /* and no sync */
    ss__fault_arm("create.parents", 1, 100, EIO);
    ss_check(ss__directory_open(place.data, 2, true, &directory, &failure) == SS_E_IO);
    ss_check_msg(strstr(failure.text, "above") != NULL, "%s", failure.text);
    ss_check(stat(place.identity, &info) != 0);
    ss__fault_reset();
    ss__directory_close(open_good(&place, 2, true));
    place_end(&place);
}

/* A sync that succeeds need not bring to the disk what one before has failed with. */
SS_TEST(directory, name_whose_sync_failed_is_given_anew)
{
    struct place place;
    struct stat before;
    struct stat info;
    place_init(&place);
    ss__directory_close(open_good(&place, 1, true));
    ss_check(stat(place.identity, &before) == 0);
    ss__fault_arm("create.sync", 1, 1, SS_E_IO);
    refused(&place, 1, SS_E_IO, "cannot be made durable");
    ss__fault_reset();
    ss_check(stat(place.identity, &info) == 0 && info.st_ino != before.st_ino);
    struct ss_directory *directory = open_good(&place, 1, true);
    ss_check(!directory->created);
    ss__directory_close(directory);
    place_end(&place);
}

/* A link to itself: neither there nor absent. */
static void plant_loop(const char *path)
{
    ss_check(symlink(path, path) == 0);
}

SS_TEST(directory, what_cannot_be_looked_at_is_not_taken_for_absent)
{
    struct place place;
    char path[600];
    static const char *const marks[] = { SS_MANIFEST_NAME, SS_UNFINISHED_NAME };
    place_init(&place);
    ss_check(open_shard(&place, 1, NULL) == 0);
    ss_check(unlink(place.identity) == 0);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", place.data, marks[i]);
        plant_loop(path);
        refused(&place, 3, SS_E_IO, "cannot be read");
        ss_check(unlink(path) == 0);
    }
    char moved_shard[700];
    (void)snprintf(path, sizeof path, "%s/shard-0000", place.data);
    (void)snprintf(moved_shard, sizeof moved_shard, "%s.moved", path);
    ss_check(rename(path, moved_shard) == 0);
    plant_loop(path);
    refused(&place, 3, SS_E_IO, "cannot be read");
    ss_check(unlink(path) == 0 && rename(moved_shard, path) == 0);
    (void)snprintf(path, sizeof path, "%s/shard-0001/data.mdb", place.data);
    char moved[700];
    (void)snprintf(moved, sizeof moved, "%s.moved", path);
    ss_check(rename(path, moved) == 0);
    plant_loop(path);
    refused(&place, 3, SS_E_IO, "cannot be read");    /* and not made anew in its place */
    struct stat info;
    ss_check(lstat(path, &info) == 0 && S_ISLNK(info.st_mode) && unlink(path) == 0);
    ss_check(rename(moved, path) == 0);
    refused(&place, 3, SS_E_CORRUPT, "sessionstream\" is missing");
    place_end(&place);
}

SS_TEST(directory, tools_tell_one_that_cannot_be_looked_at_from_none)
{
    struct place place;
    struct ss_directory *directory;
    struct ss_failure failure = { 0 };
    char path[400];
    place_init(&place);
    (void)snprintf(path, sizeof path, "%s/loop", place.root);
    plant_loop(path);
    ss_check(ss__directory_open_existing(path, &directory, &failure) == SS_E_IO);
    ss_check_msg(strstr(failure.text, "cannot be read") != NULL, "%s", failure.text);
    ss_check(unlink(path) == 0);
    place_end(&place);
}

SS_TEST(directory, path_that_is_too_long_is_refused_with_a_sentence)
{
    static char path[4200];
    struct ss_directory *directory;
    struct ss_directory identity = { .shard_count = 1, .directory_id = 7 };
    struct ss_failure failure = { 0 };
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    ss_check(ss__directory_open(path, 1, true, &directory, &failure) == SS_E_TOOBIG);
    ss_check(failure.text[0] != '\0');
    failure = (struct ss_failure){ 0 };
    ss_check(ss__directory_begin(path, &identity, &directory, &failure) == SS_E_TOOBIG);
    ss_check(failure.text[0] != '\0');
    failure = (struct ss_failure){ 0 };
    ss_check(ss__directory_open_existing(path, &directory, &failure) == SS_E_TOOBIG);
    ss_check(failure.text[0] != '\0');
}

/* Nothing in it has a path that the kernel does not take. */
SS_TEST(directory, longest_path_that_is_taken_has_room_for_all_that_is_in_it)
{
    static char path[SS_PATH_BYTES];
    const size_t longest = SS_PATH_BYTES - SS_DIRECTORY_NAMES_BYTES;
    char root[256];
    struct ss_directory *directory;
    struct ss_directory identity = { .shard_count = 2, .directory_id = 7 };
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    ss__fault_reset();
    fixture_make_root(root, sizeof root);
    size_t len = (size_t)snprintf(path, sizeof path, "%s", root);
    while (len < longest) {
        size_t part = longest - len - 1 < 250 ? longest - len - 1 : 200;
        path[len] = '/';
        memset(path + len + 1, 'd', part);
        len += part + 1;
    }
    ss_check(strlen(path) == longest);
    int err = ss__directory_begin(path, &identity, &directory, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss__directory_close(directory);
    (void)snprintf(path + longest, sizeof path - longest, "/" SS_UNFINISHED_NAME);
    ss_check(unlink(path) == 0);
    path[longest] = '\0';
    err = ss__directory_open(path, 2, true, &directory, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss__directory_close(directory);
    err = ss__store_check(path, NULL, NULL, &summary, &failure);
    ss_check_msg(err == 0 && summary.findings == 0 && summary.shards == 2, "%s", failure.text);
    path[longest] = 'd';
    path[longest + 1] = '\0';
    ss_check(ss__directory_open(path, 2, true, &directory, &failure) == SS_E_TOOBIG);
    (void)nftw(root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What an attempt that was cut off has left is taken away, and nothing else. */
SS_TEST(directory, one_that_was_not_filled_to_its_end_is_begun_anew)
{
    char root[256];
    char path[300];
    struct ss_directory *directory;
    struct ss_directory identity = { .shard_count = 2, .directory_id = 7 };
    struct ss_failure failure = { 0 };
    ss__fault_reset();
    fixture_make_root(root, sizeof root);
    for (unsigned i = 0; i < 2; i++) {
        int err = ss__directory_begin(root, &identity, &directory, &failure);
        ss_check_msg(err == 0, "%s", failure.text);
        ss__directory_close(directory);
        (void)snprintf(path, sizeof path, "%s/shard-0001", root);
        ss_check(mkdir(path, 0700) == 0);    /* it was removed */
        (void)snprintf(path, sizeof path, "%s/sessionstream.new", root);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        ss_check(fd >= 0 && close(fd) == 0);
    }
    (void)snprintf(path, sizeof path, "%.200s/shard-with-a-name-that-is-longer-than-those-that-are-"
                   "given-to-shards-by-anybody", root);
    ss_check(mkdir(path, 0700) == 0);
    ss_check(ss__directory_begin(root, &identity, &directory, &failure) == SS_E_EXISTS);
    ss_check_msg(strstr(failure.text, "is not empty") != NULL, "%s", failure.text);
    ss_check(access(path, F_OK) == 0);
    (void)nftw(root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
