#include <errno.h>
#include <sys/stat.h>

#include "core/hash.h"
#include "store_fixture.h"

#define FILE_BYTES (8u << 10)

struct place {
    char root[256];
    int dir_fd;
};

static void place_open(struct place *place)
{
    ss__fault_reset();
    fixture_make_root(place->root, sizeof place->root);
    place->dir_fd = open(place->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ss_check(place->dir_fd >= 0);
}

static void place_end(struct place *place)
{
    (void)close(place->dir_fd);
    (void)nftw(place->root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    ss__fault_reset();
}

static bool exists(const struct place *place, const char *name)
{
    return faccessat(place->dir_fd, name, F_OK, 0) == 0;
}

static uint64_t size_of(const struct place *place, const char *name)
{
    struct stat info;
    ss_check(fstatat(place->dir_fd, name, &info, 0) == 0);
    return (uint64_t)info.st_size;
}

static struct ss_log_head head_of(uint64_t serial)
{
    return (struct ss_log_head){ .shard_index = 0, .directory_id = 7, .serial = serial,
                                 .bytes = FILE_BYTES, .first_batch = 1 };
}

static struct ss_log_file *create(struct place *place, const char *spare, uint64_t serial)
{
    struct ss_log_file *file;
    struct ss_log_head head = head_of(serial);
    ss_check(ss__log_file_create(place->dir_fd, spare, &head, &file) == 0);
    return file;
}

SS_TEST(log_file, new_one_is_whole_and_what_is_appended_is_seen_through_its_map)
{
    struct place place;
    uint8_t block[SS_LOG_BLOCK_BYTES];
    place_open(&place);
    struct ss_log_file *file = create(&place, NULL, 1);
    ss_check(exists(&place, "log-00000001") && !exists(&place, "log.new"));
    ss_check(size_of(&place, "log-00000001") == FILE_BYTES && file->end == SS_LOG_BLOCK_BYTES);
    for (unsigned i = 1; i < FILE_BYTES / SS_LOG_BLOCK_BYTES; i++) {
        memset(block, (int)i, sizeof block);
        ss_check(ss__log_file_append(file, block, sizeof block) == 0);
        ss_check(file->end == (i + 1) * SS_LOG_BLOCK_BYTES && file->map[file->end - 1] == i);
    }
    ss_check(ss__log_file_sync(file) == 0);
    ss__log_file_close(file);
    ss_check(ss__log_file_open(place.dir_fd, 1, true, &file) == 0);
    ss_check(!file->damaged && file->head.directory_id == 7 && file->head.bytes == FILE_BYTES);
    ss_check(file->map[512] == 1 && file->map[FILE_BYTES - 1] == 15);
    ss__log_file_close(file);
    place_end(&place);
}

SS_TEST(log_file, large_one_has_its_blocks_too)
{
    struct place place;
    struct stat info;
    place_open(&place);
    struct ss_log_head head = head_of(1);
    head.bytes = 5u << 20;
    struct ss_log_file *file;
    ss_check(ss__log_file_create(place.dir_fd, NULL, &head, &file) == 0);
    ss_check(fstat(file->fd, &info) == 0 && info.st_size == 5 << 20);
    ss_check((uint64_t)info.st_blocks * 512 >= head.bytes);
    ss__log_file_close(file);
    place_end(&place);
}

SS_TEST(log_file, spare_keeps_its_bytes_but_not_its_name_or_first_block)
{
    struct place place;
    uint8_t block[SS_LOG_BLOCK_BYTES];
    place_open(&place);
    struct ss_log_file *file = create(&place, NULL, 1);
    memset(block, 0x5a, sizeof block);
    ss_check(ss__log_file_append(file, block, sizeof block) == 0);
    ss__log_file_close(file);
    ss_check(renameat(place.dir_fd, "log-00000001", place.dir_fd, "spare-00000000") == 0);
    file = create(&place, "spare-00000000", 2);
    ss_check(exists(&place, "log-00000002") && !exists(&place, "spare-00000000"));
    ss_check(file->map[512] == 0x5a && file->end == SS_LOG_BLOCK_BYTES);
    ss__log_file_close(file);
    ss_check(ss__log_file_open(place.dir_fd, 2, false, &file) == 0);
    ss_check(!file->damaged && file->head.serial == 2);
    ss__log_file_close(file);
    place_end(&place);
}

SS_TEST(log_file, failure_to_make_one_leaves_no_name_and_the_next_attempt_works)
{
    const struct { int code; int expected; } cases[] = {
        { ENOSPC, SS_E_STOREFULL }, { EDQUOT, SS_E_STOREFULL }, { EFBIG, SS_E_STOREFULL },
        { ENOMEM, SS_E_NOMEM },     { EIO, SS_E_STOREIO },      { EMFILE, SS_E_STOREIO },
    };
    struct place place;
    struct ss_log_file *file;
    struct ss_log_head head = head_of(1);
    place_open(&place);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ss__fault_arm("log.create", 1, 1, cases[i].code);
        ss_check(ss__log_file_create(place.dir_fd, NULL, &head, &file) == cases[i].expected);
        ss_check(!exists(&place, "log-00000001") && !exists(&place, "log.new"));
    }
    ss_check(ss__log_file_create(place.dir_fd, "spare-00000009", &head, &file) == SS_E_STOREIO);
    ss__log_file_close(create(&place, NULL, 1));
    /* A name that cannot be taken. */
    ss_check(mkdirat(place.dir_fd, "log-00000002", 0700) == 0);
    head = head_of(2);
    ss_check(ss__log_file_create(place.dir_fd, NULL, &head, &file) == SS_E_STOREIO);
    ss_check(!exists(&place, "log.new"));
    place_end(&place);
}

SS_TEST(log_file, failed_write_or_sync_tells_why_and_moves_nothing)
{
    struct place place;
    static const uint8_t block[SS_LOG_BLOCK_BYTES];
    place_open(&place);
    struct ss_log_file *file = create(&place, NULL, 1);
    ss__fault_arm("log.write", 1, 1, ENOSPC);
    ss_check(ss__log_file_append(file, block, sizeof block) == SS_E_STOREFULL);
    ss__fault_arm("log.write", 1, 1, EIO);
    ss_check(ss__log_file_append(file, block, sizeof block) == SS_E_STOREIO);
    ss_check(file->end == SS_LOG_BLOCK_BYTES);
    ss_check(ss__log_file_append(file, block, sizeof block) == 0);
    ss__fault_arm("log.sync", 1, 1, EIO);
    ss_check(ss__log_file_sync(file) == SS_E_STOREIO && ss__log_file_sync(file) == 0);
    ss__log_file_close(file);
    /* Opened for reading only: the descriptor takes no write. */
    ss_check(ss__log_file_open(place.dir_fd, 1, true, &file) == 0);
    ss_check(ss__log_file_append(file, block, sizeof block) == SS_E_STOREIO);
    ss__log_file_close(file);
    place_end(&place);
}

/* Writes @bytes bytes of @block, then zeros up to @size, as the file of serial 1. */
static void make_raw(struct place *place, const uint8_t *block, size_t bytes, uint64_t size)
{
    int fd = openat(place->dir_fd, "log-00000001", O_WRONLY | O_CREAT | O_TRUNC, 0640);
    ss_check(fd >= 0 && write(fd, block, bytes) == (ssize_t)bytes);
    ss_check(ftruncate(fd, (off_t)size) == 0);
    (void)close(fd);
}

static void opens_damaged(struct place *place, uint64_t bytes)
{
    struct ss_log_file *file;
    ss_check(ss__log_file_open(place->dir_fd, 1, true, &file) == 0);
    ss_check(file->damaged && file->head.serial == 1 && file->head.bytes == bytes);
    ss_check((file->map != NULL) == (bytes > 0));
    ss__log_file_close(file);
}

SS_TEST(log_file, first_block_that_lies_makes_a_damaged_file_of_the_size_it_has)
{
    struct place place;
    uint8_t block[SS_LOG_BLOCK_BYTES];
    struct ss_log_head head = head_of(1);
    place_open(&place);
    ss__log_head_encode(block, &head);
    make_raw(&place, block, sizeof block, FILE_BYTES - 1);    /* cut off */
    opens_damaged(&place, FILE_BYTES - 1);
    make_raw(&place, block, sizeof block, 0);
    opens_damaged(&place, 0);
    make_raw(&place, block, 100, 100);
    opens_damaged(&place, 0);
    make_raw(&place, block, sizeof block, SS_LOG_FILE_BYTES_MAX + 1);    /* a hole */
    opens_damaged(&place, 0);
    block[30] ^= 1;
    make_raw(&place, block, sizeof block, FILE_BYTES);
    opens_damaged(&place, FILE_BYTES);
    head.serial = 2;    /* of another file */
    ss__log_head_encode(block, &head);
    make_raw(&place, block, sizeof block, FILE_BYTES);
    opens_damaged(&place, FILE_BYTES);
    head = head_of(1);
    head.bytes = SS_LOG_BLOCK_BYTES - 1;
    ss__log_head_encode(block, &head);
    make_raw(&place, block, sizeof block, FILE_BYTES);
    opens_damaged(&place, FILE_BYTES);
    place_end(&place);
}

SS_TEST(log_file, one_of_a_newer_version_or_absent_is_not_opened)
{
    struct place place;
    uint8_t block[SS_LOG_BLOCK_BYTES];
    struct ss_log_head head = head_of(1);
    struct ss_log_file *file;
    place_open(&place);
    ss__log_head_encode(block, &head);
    ss__put_le32(block + 8, 2);
    ss__put_le64(block + 72, ss__checksum(block, 72));
    make_raw(&place, block, sizeof block, FILE_BYTES);
    ss_check(ss__log_file_open(place.dir_fd, 1, true, &file) == SS_E_VERSION);
    ss_check(ss__log_file_open(place.dir_fd, 2, true, &file) == SS_E_STOREIO);
    place_end(&place);
}

SS_TEST(log_file, filled_one_is_zeros_and_a_failed_one_is_gone)
{
    struct place place;
    place_open(&place);
    ss_check(ss__log_file_fill(place.dir_fd, "spare-00000001", (2u << 20) + 512) == 0);
    ss_check(size_of(&place, "spare-00000001") == (2u << 20) + 512);
    ss__fault_arm("log.fill", 1, 1, ENOSPC);
    ss_check(ss__log_file_fill(place.dir_fd, "spare-00000002", 512) == SS_E_STOREFULL);
    ss_check(!exists(&place, "spare-00000002"));
    ss_check(mkdirat(place.dir_fd, "spare-00000003", 0700) == 0);
    ss_check(ss__log_file_fill(place.dir_fd, "spare-00000003", 512) == SS_E_STOREIO);
    place_end(&place);
}
