#include "wire/transport.h"

#include <string.h>

#include <sessionstream/error.h>

#include "ss_test.h"

SS_TEST(transport, the_types_of_the_frames_are_found_after_loading)
{
    struct ss_schema *schema = NULL;
    struct ss_failure failure = { .text = "" };
    struct ss_transport transport = { 0 };
    ss_check(ss__schema_new(&schema) == 0);
    ss_check_msg(ss__transport_load(schema, &failure) == 0, "%s", failure.text);
    ss_check_msg(ss__transport_init(&transport, schema, &failure) == 0, "%s", failure.text);
    ss_check(transport.schema == schema);
    ss_check(transport.client_frame ==
             ss__schema_find(schema, ss_str("sessionstream.v1.ClientFrame")));
    ss_check(transport.server_frame ==
             ss__schema_find(schema, ss_str("sessionstream.v1.ServerFrame")));
    ss_check(transport.snapshot_frame ==
             ss__schema_find(schema, ss_str("sessionstream.v1.SnapshotFrame")));
    ss_check(transport.client_frame != NULL && transport.server_frame != NULL &&
             transport.snapshot_frame != NULL);
    ss__schema_free(schema);
}

SS_TEST(transport, an_empty_schema_lacks_the_types)
{
    struct ss_schema *schema = NULL;
    struct ss_failure failure = { .text = "" };
    struct ss_transport transport = { 0 };
    ss_check(ss__schema_new(&schema) == 0);
    ss_check(ss__transport_init(&transport, schema, &failure) == SS_E_UNKNOWN_TYPE);
    ss_check(strstr(failure.text, "transport.proto") != NULL);
    ss_check(transport.schema == NULL && transport.client_frame == NULL);
    ss__schema_free(schema);
}
