/* Two descriptor sets from files: the first byte says where the second one begins.
 *
 * What the server loads, ss-lint reads; every check ends; a set compared with itself has not
 * changed; what is written is read as the same. */
#include "fuzz.h"

#include "lint/check.h"
#include "lint/report.h"

struct side {
    struct ss_lint_set set;
    struct ss_lint_registrations registrations;
};

static bool open_side(struct side *side, struct ss_str bytes)
{
    struct ss_failure failure = { 0 };
    ss__lint_set_init(&side->set);
    ss__lint_registrations_init(&side->registrations);
    int err = ss__lint_set_add(&side->set, bytes, &failure);
    if (err == 0) {
        err = ss__lint_set_parse(&side->set, &failure);
        ss_check(err == 0);    /* the server took it */
        ss_check(ss__lint_registrations_read(&side->registrations, bytes) == 0);
    }
    ss_check(err == 0 || (err == SS_E_SCHEMA && failure.text[0] != '\0'));
    return err == 0;
}

static void close_side(struct side *side)
{
    ss__lint_registrations_deinit(&side->registrations);
    ss__lint_set_deinit(&side->set);
}

static void check(struct side *now, struct side *before, bool same)
{
    struct ss_lint_rules rules;
    struct ss_lint_findings findings;
    struct ss_bytes out;
    ss__lint_rules_init(&rules);
    ss__lint_findings_init(&findings, &rules);
    ss__bytes_init(&out, 0);
    const struct ss_lint_input input = { &now->set, &now->registrations, &before->set,
                                         &before->registrations, true, &findings };
    ss__lint_mark(&input);
    ss__lint_check_registrations(&input);
    ss__lint_check_declarations(&input);
    size_t declared = findings.count;
    ss__lint_check_previous(&input);
    for (size_t i = declared; same && i < findings.count; i++) {
        /* protoc refuses a message that uses what it reserves, the server does not look. Names
         * that were saved twice are two names. */
        enum ss_lint_rule rule = findings.items[i].rule;
        ss_check_msg(rule == SS_LINT_RESERVED_USED || rule == SS_LINT_NAME_TYPE_CHANGED, "%s\n",
                     findings.items[i].text.data);
    }
    ss__lint_findings_sort(&findings);
    ss__lint_report_text(&findings, NULL, false, &out);
    ss__lint_report_json(&findings, "root", &out);
    ss_check(findings.err == 0 && out.err == 0);
    ss__bytes_deinit(&out);
    ss__lint_findings_deinit(&findings);
    ss__lint_rules_deinit(&rules);
}

/* What @side holds, written, read and compared with it. */
static void write_again(struct side *side)
{
    struct ss_bytes bytes;
    struct side again;
    ss__bytes_init(&bytes, 0);
    ss__lint_set_write(&side->set, &bytes);
    ss__lint_registrations_write(&side->registrations, &bytes);
    ss_check(open_side(&again, ss__bytes_view(&bytes)));
    ss_check(again.registrations.count == side->registrations.count);
    check(&again, side, true);
    close_side(&again);
    ss__bytes_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    size_t cut = 1 + (len - 1) * data[0] / 255;
    struct side now;
    struct side before;
    bool now_open = open_side(&now, ss_str_of(data + 1, cut - 1));
    bool before_open = open_side(&before, ss_str_of(data + cut, len - cut));
    if (now_open && before_open) {
        check(&now, &before, false);
    }
    if (now_open) {
        write_again(&now);
    }
    close_side(&before);
    close_side(&now);
    return 0;
}
