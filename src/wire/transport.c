#include "wire/transport.h"

#include "sessionstream/v1/transport.descriptor.h"

int ss__transport_load(struct ss_schema *schema, struct ss_failure *failure)
{
    return ss__schema_load(schema, transport_descriptor_set, transport_descriptor_set_len,
                           failure);
}

int ss__transport_init(struct ss_transport *ret_transport, const struct ss_schema *schema,
                       struct ss_failure *failure)
{
    struct ss_transport transport = {
        .schema = schema,
        .client_frame = ss__schema_find(schema, ss_str("sessionstream.v1.ClientFrame")),
        .server_frame = ss__schema_find(schema, ss_str("sessionstream.v1.ServerFrame")),
        .snapshot_frame = ss__schema_find(schema, ss_str("sessionstream.v1.SnapshotFrame")),
    };
    if (transport.client_frame == NULL || transport.server_frame == NULL ||
        transport.snapshot_frame == NULL) {
        return ss__fail(failure, SS_E_UNKNOWN_TYPE,
                        "the types of sessionstream/v1/transport.proto are not loaded");
    }
    *ret_transport = transport;
    return 0;
}
