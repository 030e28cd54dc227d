/* request_id.h - request ids that bring back what was published: "SESSION.NUMBER.SENT_NS". */
#ifndef SS_LOAD_REQUEST_ID_H
#define SS_LOAD_REQUEST_ID_H

#include <stdbool.h>

#include "load/dialect.h"

#define SS_LOAD_REQUEST_ID_BYTES_MAX 64

/* Writes the id of @message; returns its bytes. */
size_t ss__load_request_id_write(const struct ss_load_message *message,
                                 char out[SS_LOAD_REQUEST_ID_BYTES_MAX]);

/* Fills session, number and sent_ns of @item; false, and @item untouched, for an id of another
 * form. */
bool ss__load_request_id_read(struct ss_str id, struct ss_load_item *item);

#endif
