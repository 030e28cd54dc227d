#include "server/standard_files.h"

#include <fcntl.h>
#include <unistd.h>

bool ss__standard_files_keep(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* open gives the lowest number that is free; those before are taken. */
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
            return false;
        }
    }
    return true;
}
