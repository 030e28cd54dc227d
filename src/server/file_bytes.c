#include "server/file_bytes.h"

#include <errno.h>
#include <string.h>

int ss__file_bytes_read(FILE *file, struct ss_bytes *out, struct ss_failure *failure)
{
    char chunk[4096];
    size_t len;
    while ((len = fread(chunk, 1, sizeof chunk, file)) > 0 && out->err == 0) {
        ss__bytes_append(out, chunk, len);
    }
    if (out->err == SS_E_TOOBIG) {
        return ss__fail(failure, out->err, "is larger than %zu bytes", out->max);
    }
    if (out->err != 0) {
        return ss__fail(failure, out->err, "does not fit into memory");
    }
    if (ferror(file) != 0) {
        return ss__fail(failure, SS_E_IO, "cannot be read: %s", strerror(errno));
    }
    return 0;
}

int ss__file_bytes_load(const char *path, struct ss_bytes *out, struct ss_failure *failure)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ss__fail(failure, SS_E_IO, "cannot be opened: %s", strerror(errno));
    }
    int err = ss__file_bytes_read(file, out, failure);
    (void)fclose(file);    /* only read from */
    return err;
}
