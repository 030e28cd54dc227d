#include "store/env_map.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mapped.h"

#define LINE_BYTES 4352    /* addresses, and a path */
#define NAME "/data.mdb"

/* A line of /proc/self/maps: "begin-end rights offset device inode path". */
static bool is_map_of(const char *line, uint64_t inode, uintptr_t *ret_begin, uintptr_t *ret_end)
{
    uintptr_t begin;
    uintptr_t end;
    uint64_t offset;
    uint64_t number;
    size_t len = strlen(line);
    if (len < sizeof NAME || strcmp(line + len - (sizeof NAME - 1), NAME) != 0 ||
        sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNx64 " %*s %" SCNu64, &begin, &end,
               &offset, &number) != 4 ||
        offset != 0 || number != inode) {
        return false;
    }
    *ret_begin = begin;
    *ret_end = end;
    return true;
}

static bool find_map(uint64_t inode, uintptr_t *ret_begin, uintptr_t *ret_end)
{
    char line[LINE_BYTES];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL) {
        return false;
    }
    while (!found && fgets(line, sizeof line, maps) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        found = is_map_of(line, inode, ret_begin, ret_end);
    }
    (void)fclose(maps);    /* was only read */
    return found;
}

int ss__env_map_note(MDB_env *env, int slot)
{
    int fd;
    const char *dir;
    struct stat info;
    uintptr_t begin;
    uintptr_t end;
    if (mdb_env_get_fd(env, &fd) != 0 || mdb_env_get_path(env, &dir) != 0 ||
        fstat(fd, &info) != 0 || !find_map(info.st_ino, &begin, &end)) {
        ss__mapped_remove(slot);
        return -1;
    }
    if (slot >= 0) {
        ss__mapped_move(slot, (const void *)begin, end - begin);
        return slot;
    }
    char label[LINE_BYTES];
    (void)snprintf(label, sizeof label, "%s" NAME, dir);    /* cutting it is fine */
    return ss__mapped_add((const void *)begin, end - begin, label);
}
