/* kinds.h - the message types that the targets for JSON and for packed bytes choose from by the
 * first byte of an input ('0' is the first; new ones go to the end, or the corpora change). */
#ifndef SS_TESTS_FUZZ_KINDS_H
#define SS_TESTS_FUZZ_KINDS_H

#include "fuzz.h"

#include "kinds.descriptor.h"
#include "kinds2.descriptor.h"
#include "schema/type.h"

static const char *const types[] = {
    "sessionstream.test.Singular",   "sessionstream.test.Optional",
    "sessionstream.test.Repeated",   "sessionstream.test.Unpacked",
    "sessionstream.test.Maps",       "sessionstream.test.Choice",
    "sessionstream.test.Outer",      "sessionstream.test.Node",
    "sessionstream.test.WellKnown",  "sessionstream.test.Names",
    "sessionstream.test2.Required",  "sessionstream.test2.Lists",
    "google.protobuf.Value",         "google.protobuf.Any",
    "sessionstream.test2.Defaults",  "sessionstream.test.Inner",
};

static struct ss_schema *schema;

static void load(void)
{
    if (schema == NULL) {
        ss_check(ss__schema_new(&schema) == 0);
        ss_check(ss__schema_load(schema, kinds_descriptor_set, kinds_descriptor_set_len, NULL) ==
                 0);
        ss_check(ss__schema_load(schema, kinds2_descriptor_set, kinds2_descriptor_set_len, NULL) ==
                 0);
    }
}

#endif
