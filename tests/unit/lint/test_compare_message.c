#include "lint_fixture.h"

static void compare(struct lint_fixture *lint, const char *name)
{
    lint_init(lint, LINT_SET(new_evolve), LINT_SET(old_evolve));
    const struct ss_lint_message *old_message = ss__lint_set_message(&lint->previous, ss_str(name));
    const struct ss_lint_message *message = ss__lint_set_message(&lint->set, ss_str(name));
    ss_check(old_message != NULL && message != NULL);
    ss__lint_compare_message(&lint->findings, old_message, message);
}

static void expect(const struct lint_fixture *lint, size_t count)
{
    ss_check_msg(lint->findings.count == count, "%zu instead of %zu:\n%s", lint->findings.count,
                 count, lint_text(lint));
}

SS_TEST(lint_compare_message, other_orders_new_fields_and_joined_reservations_are_fine)
{
    struct lint_fixture lint;
    compare(&lint, "evolve.Same");
    expect(&lint, 0);
    lint_deinit(&lint);
}

SS_TEST(lint_compare_message, a_field_may_go_only_with_number_and_name_reserved)
{
    struct lint_fixture lint;
    compare(&lint, "evolve.Removed");
    expect(&lint, 4);
    const struct ss_lint_finding *finding =
        lint_the(&lint, SS_LINT_FIELD_REMOVED, "evolve.Removed.bare");
    ss_check_msg(lint_says(finding, "reserved 2; reserved \"bare\";"), "%s", finding->text.data);
    ss_check(finding->level == SS_LINT_ERROR && finding->place.line == 32);
    finding = lint_the(&lint, SS_LINT_FIELD_REMOVED, "evolve.Removed.number_only");
    ss_check_msg(lint_says(finding, "add: reserved \"number_only\";"), "%s", finding->text.data);
    finding = lint_the(&lint, SS_LINT_FIELD_REMOVED, "evolve.Removed.name_only");
    ss_check_msg(lint_says(finding, "add: reserved 4;"), "%s", finding->text.data);
    ss_check(!lint_says(finding, "\"name_only\""));
    ss_check(lint_the(&lint, SS_LINT_FIELD_RESERVED, "evolve.Removed.both")->level ==
             SS_LINT_WARN);
    lint_deinit(&lint);
}

SS_TEST(lint_compare_message, a_field_keeps_its_number)
{
    struct lint_fixture lint;
    compare(&lint, "evolve.Number");
    expect(&lint, 1);
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_NUMBER, "evolve.Number.moved"),
                       "was 1 and is 2"));
    lint_deinit(&lint);
}

SS_TEST(lint_compare_message, a_field_on_the_number_of_a_removed_one_is_two_errors)
{
    struct lint_fixture lint;
    compare(&lint, "evolve.Reused");
    expect(&lint, 2);
    (void)lint_the(&lint, SS_LINT_FIELD_NUMBER, "evolve.Reused.moved");
    (void)lint_the(&lint, SS_LINT_FIELD_REMOVED, "evolve.Reused.gone");
    lint_deinit(&lint);
}

SS_TEST(lint_compare_message, a_field_keeps_its_type_also_inside_maps)
{
    struct lint_fixture lint;
    compare(&lint, "evolve.Kind");
    expect(&lint, 6);
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_KIND, "evolve.Kind.count"),
                       "was int32 and is int64"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_KIND, "evolve.Kind.part"),
                       "was evolve.Part and is evolve.Other"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_KIND, "evolve.Kind.level"),
                       "was evolve.Level and is int32"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_KIND, "evolve.Kind.sizes"),
                       "the value of the map was int32 and is evolve.Part"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_KIND, "evolve.Kind.keys"),
                       "the key of the map was int32 and is int64"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_KIND, "evolve.Kind.text"),
                       "was string and is bytes"));
    lint_deinit(&lint);
}

SS_TEST(lint_compare_message, a_field_stays_singular_or_repeated)
{
    struct lint_fixture lint;
    compare(&lint, "evolve.Label");
    expect(&lint, 2);
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_LABEL, "evolve.Label.one"),
                       "was singular and is repeated"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_LABEL, "evolve.Label.many"),
                       "was repeated and is singular"));
    lint_deinit(&lint);
}

SS_TEST(lint_compare_message, a_new_name_needs_the_old_one_in_json)
{
    struct lint_fixture lint;
    compare(&lint, "evolve.Json");
    expect(&lint, 3);
    const struct ss_lint_finding *finding =
        lint_the(&lint, SS_LINT_FIELD_JSON_NAME, "evolve.Json.text_id");
    ss_check(finding->level == SS_LINT_ERROR && lint_says(finding, "[json_name = \"textId\"]"));
    ss_check(lint_the(&lint, SS_LINT_FIELD_NAME, "evolve.Json.kept_id")->level == SS_LINT_WARN);
    (void)lint_the(&lint, SS_LINT_FIELD_NAME, "evolve.Json.counts");
    lint_deinit(&lint);
}

SS_TEST(lint_compare_message, a_field_stays_in_or_out_of_its_oneof)
{
    struct lint_fixture lint;
    compare(&lint, "evolve.Oneof");
    expect(&lint, 3);
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_ONEOF, "evolve.Oneof.leaves"),
                       "was in the oneof first"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_ONEOF, "evolve.Oneof.enters"),
                       "is now in the oneof first"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_ONEOF, "evolve.Oneof.moves"),
                       "in the oneof first and is in other"));
    lint_deinit(&lint);
}

SS_TEST(lint_compare_message, optional_stays)
{
    struct lint_fixture lint;
    compare(&lint, "evolve.Presence");
    expect(&lint, 2);
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_PRESENCE, "evolve.Presence.gains"), "now"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_FIELD_PRESENCE, "evolve.Presence.loses"),
                       "no longer"));
    lint_deinit(&lint);
}

SS_TEST(lint_compare_message, what_is_reserved_stays_so)
{
    struct lint_fixture lint;
    compare(&lint, "evolve.Reserved");
    expect(&lint, 4);
    ss_check(lint_says(lint_the(&lint, SS_LINT_RESERVED_USED, "evolve.Reserved.five"), "number"));
    ss_check(lint_says(lint_the(&lint, SS_LINT_RESERVED_USED, "evolve.Reserved.back"), "name"));
    ss_check(lint_count(&lint, SS_LINT_RESERVED_REMOVED, "evolve.Reserved") == 2);
    lint_deinit(&lint);
}

SS_TEST(lint_compare_message, defaults_and_required_fields_of_proto2)
{
    struct lint_fixture lint;
    lint_init(&lint, LINT_SET(new_legacy), LINT_SET(old_legacy));
    ss__lint_compare_message(&lint.findings,
                             ss__lint_set_message(&lint.previous, ss_str("legacy.Record")),
                             ss__lint_set_message(&lint.set, ss_str("legacy.Record")));
    expect(&lint, 4);
    (void)lint_the(&lint, SS_LINT_FIELD_LABEL, "legacy.Record.id");
    (void)lint_the(&lint, SS_LINT_FIELD_LABEL, "legacy.Record.firm");
    (void)lint_the(&lint, SS_LINT_FIELD_DEFAULT, "legacy.Record.count");
    (void)lint_the(&lint, SS_LINT_REQUIRED_ADDED, "legacy.Record.added");
    lint_deinit(&lint);
}
