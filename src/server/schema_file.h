/* schema_file.h - descriptor sets of --schema. */
#ifndef SS_SERVER_SCHEMA_FILE_H
#define SS_SERVER_SCHEMA_FILE_H

#include <sessionstream/registry.h>

#include "core/failure.h"

#define SS_SCHEMA_FILE_BYTES_MAX (16u << 20)

/* Loads the FileDescriptorSet at @path into @registry. Errors: SS_E_CONFIG (unreadable or too
 * large), SS_E_SCHEMA, SS_E_NOMEM; the text names the file. Blocks: on the file. */
int ss__schema_file_load(const char *path, struct ss_registry *registry,
                         struct ss_failure *failure);

#endif
