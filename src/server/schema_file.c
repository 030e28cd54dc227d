#include "server/schema_file.h"

#include "server/file_bytes.h"

int ss__schema_file_load(const char *path, struct ss_registry *registry,
                         struct ss_failure *failure)
{
    struct ss_bytes bytes;
    struct ss_failure reason = { 0 };
    ss__bytes_init(&bytes, SS_SCHEMA_FILE_BYTES_MAX);
    int err = ss__file_bytes_load(path, &bytes, &reason);
    if (err != 0) {
        err = ss__fail(failure, err == SS_E_NOMEM ? err : SS_E_CONFIG, "%.100s %.150s", path,
                       reason.text);
    } else {
        err = ss_registry_load_descriptors(registry, bytes.data, bytes.len);
        if (err != 0) {
            (void)ss__fail(failure, err, "%.100s: %.150s", path, ss_registry_error(registry));
        }
    }
    ss__bytes_deinit(&bytes);
    return err;
}
