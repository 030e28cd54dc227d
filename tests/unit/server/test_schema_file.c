#include "ss_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "server/schema_file.h"

static int load(const char *path, struct ss_failure *failure)
{
    struct ss_registry *registry = ss_registry_new();
    ss_check(registry != NULL);
    int err = ss__schema_file_load(path, registry, failure);
    ss_registry_free(registry);
    return err;
}

SS_TEST(schema_file, a_missing_file_is_a_configuration_error_that_names_it)
{
    struct ss_failure failure = { 0 };
    ss_check(load("/nonexistent.binpb", &failure) == SS_E_CONFIG);
    ss_check(strstr(failure.text, "/nonexistent.binpb cannot be opened") != NULL);
}

SS_TEST(schema_file, what_is_no_descriptor_set_is_refused)
{
    char path[] = "/tmp/ss_schema_file_XXXXXX";
    struct ss_failure failure = { 0 };
    int fd = mkstemp(path);
    ss_check(fd >= 0 && write(fd, "\xff\xff\xff", 3) == 3 && close(fd) == 0);
    ss_check(load(path, &failure) == SS_E_SCHEMA);
    ss_check(strstr(failure.text, path) != NULL);
    ss_check(unlink(path) == 0);
}

/* FileDescriptorSet { file { name: "a.proto" package: "p" message_type { name: "M" }
 * syntax: "proto3" } } */
SS_TEST(schema_file, types_of_a_descriptor_set_can_be_registered)
{
    static const char set[] = "\x0a\x19\x0a\x07" "a.proto" "\x12\x01" "p" "\x22\x03\x0a\x01" "M"
                              "\x62\x06" "proto3";
    char path[] = "/tmp/ss_schema_file_XXXXXX";
    struct ss_failure failure = { 0 };
    int fd = mkstemp(path);
    ss_check(fd >= 0 && write(fd, set, sizeof set - 1) == (ssize_t)sizeof set - 1);
    ss_check(close(fd) == 0);
    struct ss_registry *registry = ss_registry_new();
    ss_check(registry != NULL);
    int err = ss__schema_file_load(path, registry, &failure);
    ss_check_msg(err == 0, "%s", failure.text);
    ss_check(ss_register_event(registry, "E", "p.M") == 0);
    ss_registry_free(registry);
    ss_check(unlink(path) == 0);
}
