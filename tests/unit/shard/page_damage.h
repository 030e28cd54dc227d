/* page_damage.h - pages of a store in use that are damaged on the disk. */
#ifndef SS_PAGE_DAMAGE_H
#define SS_PAGE_DAMAGE_H

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "ss_test.h"

#define PAGE_BYTES 4096

/* Flips a bit in the number of each page of the file that has @part on it. Returns how many. */
static inline unsigned damage_pages(const char *path, const char *part)
{
    uint8_t page[PAGE_BYTES];
    unsigned count = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ss_check(fd >= 0);
    for (off_t at = 0; pread(fd, page, sizeof page, at) == (ssize_t)sizeof page; at += PAGE_BYTES) {
        if (memmem(page, sizeof page, part, strlen(part)) != NULL) {
            page[0] ^= 0x40;
            ss_check(pwrite(fd, page, 1, at) == 1);
            count++;
        }
    }
    (void)close(fd);    /* a descriptor of the test */
    return count;
}

#endif
