#include "load/dialect.h"

#include <string.h>

static const struct ss_load_dialect *const dialects[] = {
    &ss__load_json, &ss__load_protobuf, &ss__load_mqtt, &ss__load_nats, &ss__load_nchan,
    &ss__load_redis,
};

const struct ss_load_dialect *ss__load_dialect_find(const char *name)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        if (strcmp(dialects[i]->name, name) == 0) {
            return dialects[i];
        }
    }
    return NULL;
}
