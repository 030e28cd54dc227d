#include <dlfcn.h>
#include <errno.h>

#include "store_fixture.h"

#include "store/copy.h"

static int refused_flags = -1;    /* of unlinkat: with these it is refused */

/* Called before that of the C library. */
int unlinkat(int fd, const char *path, int flags)
{
    static __typeof__(unlinkat) *real;
    if (real == NULL) {
        real = (__typeof__(unlinkat) *)dlsym(RTLD_NEXT, "unlinkat");
    }
    if (flags == refused_flags) {
        errno = EBUSY;
        return -1;
    }
    return real(fd, path, flags);
}

struct files {
    char root[256];
    int from;
    int to;
    struct ss_copier copier;
    uint64_t seen;
};

static int on_step(uint64_t bytes, void *ctx)
{
    ((struct files *)ctx)->seen += bytes;
    return 0;
}

static int open_file(const struct files *files, const char *name)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", files->root, name);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    ss_check(fd >= 0);
    return fd;
}

static void begin(struct files *files, size_t bytes)
{
    *files = (struct files){ .from = -1 };
    fixture_make_root(files->root, sizeof files->root);
    files->from = open_file(files, "from");
    files->to = open_file(files, "to");
    uint8_t *data = malloc(bytes);
    ss_check(data != NULL);
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    ss_check(pwrite(files->from, data, bytes, 0) == (ssize_t)bytes);
    free(data);
    files->copier = (struct ss_copier){ .step = on_step, .ctx = files };
    ss_check(ss__copier_init(&files->copier) == 0);
}

static void end(struct files *files)
{
    ss__copier_deinit(&files->copier);
    (void)close(files->from);
    (void)close(files->to);
    ss_check(ss__remove_tree(files->root, NULL) == 0);
    ss__fault_reset();
}

SS_TEST(copy, is_of_so_many_bytes_and_the_rest_is_empty)
{
    struct files files;
    struct ss_failure failure = { 0 };
    uint64_t sum = 0;
    uint64_t again = 0;
    const uint64_t used = SS_COPY_CHUNK_BYTES * 2 + 77;
    begin(&files, used + 1000);
    ss_check(ss__copy(&files.copier, files.from, files.to, used, used + 5000, &sum, &failure) == 0);
    ss_check(files.seen == used && lseek(files.to, 0, SEEK_END) == (off_t)used + 5000);
    ss_check(ss__copy(&files.copier, files.to, -1, used, used, &again, &failure) == 0);
    ss_check(sum == again && sum != 0);
    uint8_t byte = 1;
    ss_check(pread(files.to, &byte, 1, (off_t)used) == 1 && byte == 0);
    ss_check(ss__copy(&files.copier, files.from, -1, used + 1001, used + 1001, &sum, &failure) ==
             SS_E_IO);
    end(&files);
}

SS_TEST(copy, the_head_stands_for_the_first_bytes_of_the_file)
{
    struct files files;
    struct ss_failure failure = { 0 };
    uint64_t sum;
    uint64_t again;
    char text[8] = "";
    begin(&files, 5000);
    files.copier.head = "HEAD";
    files.copier.head_bytes = 4;
    ss_check(ss__copy(&files.copier, files.from, files.to, 5000, 5000, &sum, &failure) == 0);
    ss_check(pread(files.to, text, 4, 0) == 4 && strcmp(text, "HEAD") == 0);
    files.copier.head = NULL;
    ss_check(ss__copy(&files.copier, files.to, -1, 5000, 5000, &again, &failure) == 0);
    ss_check(sum == again);
    end(&files);
}

SS_TEST(copy, keeps_its_rate)
{
    struct files files;
    struct ss_failure failure = { 0 };
    uint64_t sum;
    begin(&files, SS_COPY_CHUNK_BYTES);
    files.copier.rate = SS_COPY_CHUNK_BYTES * 10;
    uint64_t begin_ns = ss__clock_monotonic_ns(&ss__system_clock);
    ss_check(ss__copy(&files.copier, files.from, files.to, SS_COPY_CHUNK_BYTES,
                      SS_COPY_CHUNK_BYTES, &sum, &failure) == 0);
    ss_check(ss__clock_monotonic_ns(&ss__system_clock) - begin_ns >= 90000000);
    end(&files);
}

SS_TEST(copy, a_tree_goes_but_not_what_links_lead_to)
{
    char root[256];
    char path[400];
    fixture_make_root(root, sizeof root);
    (void)snprintf(path, sizeof path, "%s/a", root);
    ss_check(mkdir(path, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/a/b", root);
    ss_check(mkdir(path, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/keep", root);
    ss_check(mkdir(path, 0700) == 0);
    char link[400];
    (void)snprintf(link, sizeof link, "%s/a/b/link", root);
    ss_check(symlink(path, link) == 0);
    (void)snprintf(path, sizeof path, "%s/a", root);
    ss_check(ss__remove_tree(path, NULL) == 0 && access(path, F_OK) != 0);
    ss_check(ss__remove_tree(path, NULL) == 0);
    (void)snprintf(path, sizeof path, "%s/keep", root);
    ss_check(access(path, F_OK) == 0);
    ss_check(ss__remove_tree(root, NULL) == 0);
}

SS_TEST(copy, what_is_in_use_is_told_and_can_be_removed_later)
{
    static const int flags[] = { 0, AT_REMOVEDIR };
    char root[256];
    char path[300];
    struct ss_failure failure = { 0 };
    fixture_make_root(root, sizeof root);
    (void)snprintf(path, sizeof path, "%s/a", root);
    ss_check(mkdir(path, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/a/file", root);
    ss_check(close(open(path, O_WRONLY | O_CREAT, 0600)) == 0);
    for (unsigned i = 0; i < 2; i++) {
        refused_flags = flags[i];
        ss_check(ss__remove_tree(root, &failure) == SS_E_IO);
        refused_flags = -1;
        ss_check_msg(strstr(failure.text, strerror(EBUSY)) != NULL, "%s", failure.text);
        failure = (struct ss_failure){ 0 };
    }
    ss_check(ss__remove_tree(root, NULL) == 0 && access(root, F_OK) != 0);
}

/* What a disk cannot take is seen long before the end of a large file. */
SS_TEST(copy, a_large_file_is_synced_on_the_way)
{
    struct files files;
    struct ss_failure failure = { 0 };
    uint64_t sum;
    const uint64_t bytes = UINT64_C(20) << 20;
    begin(&files, 1000);
    ss_check(ftruncate(files.from, (off_t)bytes) == 0);
    ss__fault_arm("copy.sync", 1, 1, EIO);
    ss_check(ss__copy(&files.copier, files.from, files.to, bytes, bytes, &sum, &failure) ==
             SS_E_STOREIO);
    ss_check(files.seen < bytes / 2);
    files.seen = 0;
    ss_check(ss__copy(&files.copier, files.from, files.to, bytes, bytes, &sum, &failure) == 0);
    ss_check(files.seen == bytes);
    end(&files);
}
