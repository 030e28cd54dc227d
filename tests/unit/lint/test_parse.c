#include "lint_fixture.h"

SS_TEST(lint_parse, fields_keep_what_the_server_forgets)
{
    struct lint_fixture lint;
    lint_init(&lint, LINT_SET(old_evolve), (struct ss_str){ NULL, 0 });
    const struct ss_lint_message *same = ss__lint_set_message(&lint.set, ss_str("evolve.Same"));
    ss_check(same->field_count == 7 && same->place.line == 6 && same->file->proto3);
    ss_check(ss__lint_reserves_number(&same->reserved, 20));
    ss_check(ss__lint_reserves_number(&same->reserved, 30));
    ss_check(!ss__lint_reserves_number(&same->reserved, 31));
    ss_check(ss__lint_reserves_name(&same->reserved, ss_str("never")));
    const struct ss_lint_field *field = ss__lint_field_by_name(same, ss_str("number"));
    ss_check(field->number == 2 && field->proto3_optional && field->oneof.len == 0);
    ss_check(field->place.line == 10 && field->place.column == 3);
    field = ss__lint_field_by_number(same, 7);
    ss_check(ss_str_equal(field->oneof, ss_str("choice")) &&
             ss_str_equal(field->type_name, ss_str("evolve.Part")));
    field = ss__lint_field_by_name(same, ss_str("by_name"));
    ss_check(ss_str_equal(field->json_name, ss_str("byName")) && field->entry != NULL &&
             field->entry->map_entry);
    ss_check(ss__lint_field_by_number(same, 8) == NULL);
    ss_check(ss__lint_field_by_name(same, ss_str("nothing")) == NULL);
    lint_deinit(&lint);
}

SS_TEST(lint_parse, enums_and_nested_messages_have_places_and_parents)
{
    struct lint_fixture lint;
    lint_init(&lint, LINT_SET(old_evolve), (struct ss_str){ NULL, 0 });
    const struct ss_lint_enum *level = ss__lint_set_enum(&lint.set, ss_str("evolve.Level"));
    const struct ss_lint_value *value = ss__lint_value_by_name(level, ss_str("LEVEL_KEPT"));
    ss_check(value->number == 5 && value == ss__lint_value_by_number(level, 5));
    ss_check(value->place.line > level->place.line && level->parent == NULL);
    ss_check(ss__lint_reserves_number(&level->reserved, 22));
    ss_check(!ss__lint_reserves_number(&level->reserved, 23));
    const struct ss_lint_message *within =
        ss__lint_set_message(&lint.set, ss_str("evolve.Gone.Within"));
    ss_check(ss_str_equal(within->parent->name, ss_str("evolve.Gone")));
    ss_check(within->place.line > within->parent->place.line && within->place.column == 3);
    lint_deinit(&lint);
}

SS_TEST(lint_parse, proto2_keeps_labels_and_defaults)
{
    struct lint_fixture lint;
    lint_init(&lint, LINT_SET(old_legacy), (struct ss_str){ NULL, 0 });
    const struct ss_lint_message *record =
        ss__lint_set_message(&lint.set, ss_str("legacy.Record"));
    ss_check(!record->file->proto3);
    ss_check(ss__lint_field_by_number(record, 1)->label == SS_LINT_REQUIRED);
    ss_check(ss__lint_field_by_number(record, 2)->has_default);
    ss_check(ss_str_equal(ss__lint_field_by_number(record, 2)->default_text, ss_str("3")));
    ss_check(!ss__lint_field_by_number(record, 1)->has_default);
    lint_deinit(&lint);
}
