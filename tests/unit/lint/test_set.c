#include "lint_fixture.h"

#include "schema/pb.h"

/* FileDescriptorSet { file { name: "a.proto" package: "p" message_type { name: @message }
 * syntax: "proto3" source_code_info: @info } } */
static void put_set(struct ss_bytes *out, const char *message, const char *info)
{
    struct ss_bytes type;
    struct ss_bytes file;
    ss__bytes_init(&type, 0);
    ss__bytes_init(&file, 0);
    ss__pb_bytes(&type, 1, ss_str(message));
    ss__pb_bytes(&file, 1, ss_str("a.proto"));
    ss__pb_bytes(&file, 2, ss_str("p"));
    ss__pb_bytes(&file, 4, ss__bytes_view(&type));
    if (info != NULL) {
        ss__pb_bytes(&file, 9, ss_str(info));
    }
    ss__pb_bytes(&file, 12, ss_str("proto3"));
    ss__pb_bytes(out, 1, ss__bytes_view(&file));
    ss__bytes_deinit(&type);
    ss__bytes_deinit(&file);
}

static void add(struct ss_lint_set *set, const char *message, const char *info)
{
    struct ss_bytes bytes;
    struct ss_failure failure = { 0 };
    ss__bytes_init(&bytes, 0);
    put_set(&bytes, message, info);
    ss_check_msg(ss__lint_set_add(set, ss__bytes_view(&bytes), &failure) == 0, "%s", failure.text);
    ss__bytes_deinit(&bytes);    /* the set has copies */
}

SS_TEST(lint_set, the_source_info_of_a_later_set_serves_an_earlier_one)
{
    struct ss_lint_set set;
    ss__lint_set_init(&set);
    add(&set, "M", NULL);
    add(&set, "M", "first");
    ss_check(!set.files->differs && set.files->next == NULL);
    add(&set, "M", "other");
    ss_check(!set.files->differs && ss_str_equal(set.files->info, ss_str("first")));
    add(&set, "N", NULL);
    ss_check(set.files->differs);
    ss_check(ss__lint_set_parse(&set, NULL) == 0);
    ss_check(ss__lint_set_message(&set, ss_str("p.M")) != NULL);
    ss_check(ss__lint_set_message(&set, ss_str("p.N")) == NULL);
    ss__lint_set_deinit(&set);
}

SS_TEST(lint_set, what_it_writes_it_reads_and_compares_as_the_same)
{
    struct lint_fixture lint;
    struct ss_bytes written;
    lint_init(&lint, LINT_SET(new_evolve), (struct ss_str){ NULL, 0 });
    ss__bytes_init(&written, 0);
    ss__lint_set_write(&lint.set, &written);
    ss_check(written.err == 0 && written.len < new_evolve_set_len);
    ss_check(ss__lint_set_add(&lint.set, ss__bytes_view(&written), NULL) == 0);
    ss_check(!lint.set.files->differs);
    ss__bytes_deinit(&written);
    lint_deinit(&lint);
}

SS_TEST(lint_set, marks_reach_through_fields_and_maps)
{
    struct lint_fixture lint;
    lint_init(&lint, LINT_SET(old_evolve), (struct ss_str){ NULL, 0 });
    struct ss_lint_message *outer = ss__lint_set_message(&lint.set, ss_str("evolve.Outer"));
    const struct ss_lint_message *deep = ss__lint_set_message(&lint.set, ss_str("evolve.Deep"));
    const struct ss_lint_message *same = ss__lint_set_message(&lint.set, ss_str("evolve.Same"));
    ss__lint_set_mark(&lint.set, outer, false);
    ss_check(deep->used && !deep->stored);
    ss__lint_set_mark(&lint.set, outer, true);
    ss_check(deep->stored && !same->used);
    ss_check(!ss__lint_set_enum(&lint.set, ss_str("evolve.Level"))->stored);
    ss__lint_set_mark(&lint.set, ss__lint_set_message(&lint.set, ss_str("evolve.Same")), true);
    ss_check(ss__lint_set_enum(&lint.set, ss_str("evolve.Level"))->stored);
    lint_deinit(&lint);
}

/* A set that was cut anywhere, or in which one byte changed, is read or refused, never trusted. */
SS_TEST(lint_set, damaged_sets_are_refused_or_harmless)
{
    uint8_t *copy = malloc(style_set_len);
    ss_check(copy != NULL);
    size_t read = 0;
    size_t refused = 0;
    for (size_t i = 0; i < style_set_len; i += 3) {
        struct ss_failure failure = { 0 };
        struct ss_lint_set set;
        memcpy(copy, style_set, style_set_len);
        copy[i] = (uint8_t)(copy[i] ^ (1u << (i % 8)));
        size_t len = i % 2 == 0 ? style_set_len : i;
        ss__lint_set_init(&set);
        int err = ss__lint_set_add(&set, ss_str_of(copy, len), &failure);
        if (err == 0) {
            err = ss__lint_set_parse(&set, &failure);
        }
        ss_check(err == 0 || (err == SS_E_SCHEMA && failure.text[0] != '\0'));
        read += err == 0;
        refused += err != 0;
        ss__lint_set_deinit(&set);
    }
    ss_check(read > 0 && refused > 0);
    free(copy);
}
