/* transport.h - the message types of sessionstream/v1/transport.proto in a schema. */
#ifndef SS_WIRE_TRANSPORT_H
#define SS_WIRE_TRANSPORT_H

#include "core/failure.h"
#include "schema/type.h"

/* Plain value, copyable; shares the life of its schema. Any thread may read it. */
struct ss_transport {
    const struct ss_schema *schema;          /* frozen; holds the payload types too */
    const struct ss_type *client_frame;
    const struct ss_type *server_frame;
    const struct ss_type *snapshot_frame;
};

/* Adds the transport's files to a schema that is not frozen yet. Errors: SS_E_SCHEMA,
 * SS_E_NOMEM. */
int ss__transport_load(struct ss_schema *schema, struct ss_failure *failure);

/* Finds the types in a schema that ss__transport_load has filled. Errors: SS_E_UNKNOWN_TYPE. */
int ss__transport_init(struct ss_transport *ret_transport, const struct ss_schema *schema,
                       struct ss_failure *failure);

#endif
