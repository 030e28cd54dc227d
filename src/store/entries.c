#include "store/entries.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

int ss__entries_next(DIR *dir, const char **ret_name)
{
    struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(dir);
        if (entry == NULL && errno != 0) {
            return errno;
        }
    } while (entry != NULL &&
             (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    *ret_name = entry == NULL ? NULL : entry->d_name;
    return 0;
}
