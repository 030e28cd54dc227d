#include "message/import.h"

#include <stdlib.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#define SLOTS_MIN 8u

struct ss_import *ss__import_new(void)
{
    struct ss_import *import = calloc(1, sizeof *import);
    if (import != NULL) {
        ss__bytes_init(&import->payloads, SS_IMPORT_BYTES_MAX);
    }
    return import;
}

void ss__import_free(struct ss_import *import)
{
    if (import != NULL) {
        ss__bytes_deinit(&import->payloads);
        free(import->events);
        free(import);
    }
}

static int make_room(struct ss_import *import)
{
    if (import->count < import->slots) {
        return 0;
    }
    uint32_t slots = import->slots == 0 ? SLOTS_MIN : import->slots * 2;
    struct ss_import_event *events = realloc(import->events, slots * sizeof *events);
    if (events == NULL) {
        return SS_E_NOMEM;
    }
    import->events = events;
    import->slots = slots;
    return 0;
}

int ss__import_add(struct ss_import *import, uint64_t ordinal, uint64_t time_us, const void *name,
                   struct ss_str payload, struct ss_failure *failure)
{
    if (ordinal == 0 || ordinal == UINT64_MAX) {
        return ss__fail(failure, SS_E_INVAL, "ordinals begin with 1");
    }
    if (import->count > 0 && ordinal != import->first + import->count) {
        return ss__fail(failure, SS_E_INVAL, "ordinal %llu follows ordinal %llu: the events of one "
                        "import are consecutive", (unsigned long long)ordinal,
                        (unsigned long long)ss__import_last(import));
    }
    if (import->count >= SS_IMPORT_EVENTS_MAX ||
        payload.len > SS_IMPORT_BYTES_MAX - import->payloads.len) {
        return ss__fail(failure, SS_E_LIMIT, "one import takes %d events and %u bytes of payload",
                        SS_IMPORT_EVENTS_MAX, SS_IMPORT_BYTES_MAX);
    }
    size_t at = import->payloads.len;
    ss__bytes_str(&import->payloads, payload);
    int err = import->payloads.err != 0 ? SS_E_NOMEM : make_room(import);
    if (err != 0) {
        return ss__fail(failure, err, "out of memory");
    }
    import->first = import->count == 0 ? ordinal : import->first;
    import->events[import->count++] = (struct ss_import_event){ name, time_us, at, payload.len };
    return 0;
}

size_t ss__import_bytes(const struct ss_import *import)
{
    return sizeof *import + import->slots * sizeof *import->events + import->payloads.cap;
}
