#include "store/entries.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "ss_test.h"
#include "store/copy.h"

#define NAMES 5

/* Called before that of the C library. */
static int good_reads = -1;    /* before the disk gives an error; below 0: it gives none */

struct dirent *readdir(DIR *dir)
{
    static __typeof__(readdir) *real;
    if (real == NULL) {
        real = (__typeof__(readdir) *)dlsym(RTLD_NEXT, "readdir");
    }
    if (good_reads == 0) {
        errno = EIO;
        return NULL;
    }
    good_reads -= good_reads > 0;
    return real(dir);
}

static void make(char path[64])
{
    char name[96];
    strcpy(path, "/tmp/ss-entries-XXXXXX");
    ss_check(mkdtemp(path) != NULL);
    for (unsigned i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof name, "%s/%u", path, i);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        ss_check(fd >= 0 && close(fd) == 0);
    }
}

/* The names that were given, as bits. */
static unsigned list(const char *path, int *ret_code)
{
    unsigned seen = 0;
    const char *name;
    DIR *dir = opendir(path);
    ss_check(dir != NULL);
    while ((*ret_code = ss__entries_next(dir, &name)) == 0 && name != NULL) {
        unsigned bit = 1u << (name[0] - '0');
        ss_check(strlen(name) == 1 && (seen & bit) == 0);
        seen |= bit;
    }
    ss_check(closedir(dir) == 0);
    return seen;
}

SS_TEST(entries, each_name_comes_once_and_no_dots)
{
    char path[64];
    int code;
    make(path);
    ss_check(list(path, &code) == (1u << NAMES) - 1 && code == 0);
    ss_check(ss__remove_tree(path, NULL) == 0 && access(path, F_OK) != 0);
}

SS_TEST(entries, directory_that_cannot_be_read_to_its_end_is_an_error)
{
    char path[64];
    int code;
    make(path);
    for (int good = 0; good < NAMES + 2; good++) {
        good_reads = good;
        ss_check(list(path, &code) != (1u << NAMES) - 1 || good >= NAMES);
        ss_check(code == EIO);
        good_reads = -1;
    }
    ss_check(ss__remove_tree(path, NULL) == 0);
}

SS_TEST(entries, tree_that_cannot_be_read_to_its_end_is_not_said_to_be_removed)
{
    char path[64];
    struct ss_failure failure = { 0 };
    make(path);
    good_reads = 3;
    ss_check(ss__remove_tree(path, &failure) == SS_E_IO);
    ss_check(strstr(failure.text, strerror(EIO)) != NULL);
    good_reads = -1;
    ss_check(ss__remove_tree(path, NULL) == 0 && access(path, F_OK) != 0);
}
