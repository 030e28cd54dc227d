#include "lint_fixture.h"

#include "lint/report.h"

/* Two findings, one of them without a place. */
static void fill(struct lint_fixture *lint)
{
    struct ss_lint_place place = { ss_str("a/b.proto"), 7, 3 };
    lint_init(lint, LINT_SET(style), (struct ss_str){ NULL, 0 });
    ss__lint_find(&lint->findings, SS_LINT_MISSING_TYPE, (struct ss_lint_place){ .line = 0 },
                  ss_str("event/A"), "the \"type\" is gone");
    ss__lint_find(&lint->findings, SS_LINT_FIELD_CASE, place, ss_str("p.M.aB"), "odd");
    place.line = 0;
    ss__lint_find(&lint->findings, SS_LINT_FIELD_CASE, place, ss_str("p.M.aC"), "odd");
    ss__lint_findings_sort(&lint->findings);
}

static bool reads(const struct ss_bytes *out, const char *text)
{
    bool same = out->err == 0 && ss_str_equal(ss__bytes_view(out), ss_str(text));
    if (!same) {
        fprintf(stderr, "%.*s\n", (int)out->len, (const char *)out->data);
    }
    return same;
}

SS_TEST(lint_report, lines_for_people_begin_with_the_place)
{
    struct lint_fixture lint;
    struct ss_bytes out;
    fill(&lint);
    ss__bytes_init(&out, 0);
    ss__lint_report_text(&lint.findings, NULL, false, &out);
    ss_check(reads(&out, "error: event/A: the \"type\" is gone [missing-type]\n"
                         "a/b.proto: warning: p.M.aC: odd [field-case]\n"
                         "a/b.proto:7:3: warning: p.M.aB: odd [field-case]\n"
                         "1 error, 2 warnings\n"));
    ss__bytes_clear(&out);
    ss__lint_report_text(&lint.findings, "proto", true, &out);
    ss_check(reads(&out, "error: event/A: the \"type\" is gone [missing-type]\n"));
    ss__bytes_deinit(&out);
    lint_deinit(&lint);
}

SS_TEST(lint_report, the_root_goes_before_the_file)
{
    struct lint_fixture lint;
    struct ss_bytes out;
    fill(&lint);
    ss__bytes_init(&out, 0);
    ss__lint_report_text(&lint.findings, "proto", false, &out);
    ss_check(memmem(out.data, out.len, "\nproto/a/b.proto:7:3: ", 22) != NULL);
    ss__bytes_clear(&out);
    ss__lint_report_text(&lint.findings, "proto/", false, &out);
    ss_check(memmem(out.data, out.len, "\nproto/a/b.proto:7:3: ", 22) != NULL);
    ss__bytes_deinit(&out);
    lint_deinit(&lint);
}

SS_TEST(lint_report, json_has_the_documented_shape)
{
    struct lint_fixture lint;
    struct ss_bytes out;
    fill(&lint);
    ss__bytes_init(&out, 0);
    ss__lint_report_json(&lint.findings, NULL, &out);
    ss_check(reads(&out,
                   "{\"version\":1,\"errors\":1,\"warnings\":2,\"findings\":["
                   "{\"rule\":\"missing-type\",\"level\":\"error\",\"symbol\":\"event/A\","
                   "\"message\":\"the \\\"type\\\" is gone\"},"
                   "{\"rule\":\"field-case\",\"level\":\"warn\",\"file\":\"a/b.proto\","
                   "\"symbol\":\"p.M.aC\",\"message\":\"odd\"},"
                   "{\"rule\":\"field-case\",\"level\":\"warn\",\"file\":\"a/b.proto\",\"line\":7,"
                   "\"column\":3,\"symbol\":\"p.M.aB\",\"message\":\"odd\"}]}\n"));
    ss__bytes_deinit(&out);
    lint_deinit(&lint);
}

SS_TEST(lint_report, nothing_found_is_silence_or_an_empty_list)
{
    struct lint_fixture lint;
    struct ss_bytes out;
    lint_init(&lint, LINT_SET(style), (struct ss_str){ NULL, 0 });
    ss__bytes_init(&out, 0);
    ss__lint_report_text(&lint.findings, NULL, false, &out);
    ss_check(out.len == 0);
    ss__lint_report_json(&lint.findings, NULL, &out);
    ss_check(reads(&out, "{\"version\":1,\"errors\":0,\"warnings\":0,\"findings\":[]}\n"));
    ss__bytes_deinit(&out);
    lint_deinit(&lint);
}
