/* encoding.h - how the frames of a connection are written. */
#ifndef SS_WIRE_ENCODING_H
#define SS_WIRE_ENCODING_H

#include <stdbool.h>

/* V1: exactly the contract's fields, as JSON text. V2: all fields, as JSON text or as binary
 * protobuf. Chosen by websocket subprotocol; V1_JSON without one. */
enum ss_encoding {
    SS_ENCODING_V1_JSON,
    SS_ENCODING_V2_JSON,
    SS_ENCODING_V2_PROTOBUF,
    SS_ENCODING_COUNT
};

static inline bool ss__encoding_is_json(enum ss_encoding encoding)
{
    return encoding != SS_ENCODING_V2_PROTOBUF;
}

#endif
