#include "load/request_id.h"

#include <inttypes.h>
#include <stdio.h>

size_t ss__load_request_id_write(const struct ss_load_message *message,
                                 char out[SS_LOAD_REQUEST_ID_BYTES_MAX])
{
    return (size_t)snprintf(out, SS_LOAD_REQUEST_ID_BYTES_MAX, "%" PRIu32 ".%" PRIu64 ".%" PRId64,
                            message->session, message->number, message->sent_ns);
}

static bool take_number(struct ss_str id, size_t *at, char stop, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t begin = *at;
    while (*at < id.len && id.data[*at] >= '0' && id.data[*at] <= '9') {
        uint64_t digit = (uint64_t)(id.data[(*at)++] - '0');
        if (value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
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
    uint64_t number;
    uint64_t sent_ns;
    if (!take_number(id, &at, '.', UINT32_MAX, &session) ||
        !take_number(id, &at, '.', UINT64_MAX, &number) ||
        !take_number(id, &at, '\0', INT64_MAX, &sent_ns)) {
        return false;
    }
    item->session = (uint32_t)session;
    item->number = number;
    item->sent_ns = (int64_t)sent_ns;
    return true;
}
