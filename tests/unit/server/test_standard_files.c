#include "server/standard_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ss_test.h"

/* The file behind a number; 0: none. */
static ino_t file_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

SS_TEST(standard_files, closed_ones_are_no_file_that_is_opened_next)
{
    struct stat null;
    int saved = dup(STDIN_FILENO);
    ino_t out = file_of(STDOUT_FILENO);
    ino_t err = file_of(STDERR_FILENO);
    ss_check(stat("/dev/null", &null) == 0);
    (void)close(STDIN_FILENO);    /* it may be closed already */
    ss_check(file_of(STDIN_FILENO) == 0);
    ss_check(ss__standard_files_keep());
    ss_check(file_of(STDIN_FILENO) == null.st_ino);
    ss_check(file_of(STDOUT_FILENO) == out && file_of(STDERR_FILENO) == err);
    ss_check(ss__standard_files_keep());
    ss_check(saved < 0 || (dup2(saved, STDIN_FILENO) == STDIN_FILENO && close(saved) == 0));
}
