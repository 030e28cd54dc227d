#include "load/request_id.h"

#include <inttypes.h>
#include <stdio.h>

size_t ss__load_request_id_write(const struct ss_load_message *message,
                                 char out[SS_LOAD_REQUEST_ID_BYTES_MAX])
{
    return (size_t)snprintf(out, SS_LOAD_REQUEST_ID_BYTES_MAX, "%" PRIu32 ".%" PRIu64 ".%" PRId64,
                            message->session, message->number, message->sent_ns);
}

static bool take_number(struct ss_str id, size_t *at, char stop, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t begin = *at;
    while (*at < id.len && id.data[*at] >= '0' && id.data[*at] <= '9' && *at - begin < 19) {
        value = value * 10 + (uint64_t)(id.data[(*at)++] - '0');
    }
    bool good = *at > begin && (*at == id.len ? stop == '\0' : id.data[*at] == stop);
    (*at)++;
    *ret_value = value;
    return good;
}

bool ss__load_request_id_read(struct ss_str id, struct ss_load_item *item)
{
    size_t at = 0;
    uint64_t session;
    uint64_t sent_ns;
    if (!take_number(id, &at, '.', &session) || !take_number(id, &at, '.', &item->number) ||
        !take_number(id, &at, '\0', &sent_ns) || session > UINT32_MAX) {
        return false;
    }
    item->session = (uint32_t)session;
    item->sent_ns = (int64_t)sent_ns;
    return true;
}
