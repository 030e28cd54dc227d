#include "lint/report.h"

#include <string.h>

#include "schema/json.h"

#define JSON_VERSION 1

static void put_path(const char *root, struct ss_str file, struct ss_bytes *out)
{
    size_t len = root == NULL ? 0 : strlen(root);
    if (len > 0) {
        ss__bytes_append(out, root, len);
        ss__bytes_text(out, root[len - 1] == '/' ? "" : "/");
    }
    ss__bytes_str(out, file);
}

static void put_count(size_t count, const char *one, const char *many, struct ss_bytes *out)
{
    ss__bytes_u64(out, count);
    ss__bytes_text(out, count == 1 ? one : many);
}

static void put_line(const struct ss_lint_finding *finding, const char *root,
                     struct ss_bytes *out)
{
    if (finding->place.file.len > 0) {
        put_path(root, finding->place.file, out);
        if (finding->place.line > 0) {
            ss__bytes_text(out, ":");
            ss__bytes_u64(out, finding->place.line);
            ss__bytes_text(out, ":");
            ss__bytes_u64(out, finding->place.column);
        }
        ss__bytes_text(out, ": ");
    }
    ss__bytes_text(out, finding->level == SS_LINT_ERROR ? "error: " : "warning: ");
    ss__bytes_str(out, finding->symbol);
    ss__bytes_text(out, ": ");
    ss__bytes_str(out, finding->text);
    ss__bytes_text(out, " [");
    ss__bytes_text(out, ss__lint_rule_word(finding->rule));
    ss__bytes_text(out, "]\n");
}

void ss__lint_report_text(const struct ss_lint_findings *findings, const char *root, bool quiet,
                          struct ss_bytes *out)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (!quiet || findings->items[i].level == SS_LINT_ERROR) {
            put_line(&findings->items[i], root, out);
        }
    }
    if (!quiet && findings->count > 0) {
        put_count(findings->errors, " error, ", " errors, ", out);
        put_count(findings->warnings, " warning\n", " warnings\n", out);
    }
}

static void put_member(const char *name, struct ss_str value, struct ss_bytes *out)
{
    ss__bytes_text(out, name);
    ss__json_string(out, value);
}

static void put_object(const struct ss_lint_finding *finding, const char *root,
                       struct ss_bytes *out)
{
    put_member("{\"rule\":", ss_str(ss__lint_rule_word(finding->rule)), out);
    put_member(",\"level\":", ss_str(ss__lint_level_word(finding->level)), out);
    if (finding->place.file.len > 0) {
        struct ss_bytes path;
        ss__bytes_init(&path, 0);
        put_path(root, finding->place.file, &path);
        put_member(",\"file\":", ss__bytes_view(&path), out);
        out->err = out->err == 0 ? path.err : out->err;
        ss__bytes_deinit(&path);
    }
    if (finding->place.line > 0) {
        ss__bytes_text(out, ",\"line\":");
        ss__bytes_u64(out, finding->place.line);
        ss__bytes_text(out, ",\"column\":");
        ss__bytes_u64(out, finding->place.column);
    }
    put_member(",\"symbol\":", finding->symbol, out);
    put_member(",\"message\":", finding->text, out);
    ss__bytes_text(out, "}");
}

void ss__lint_report_json(const struct ss_lint_findings *findings, const char *root,
                          struct ss_bytes *out)
{
    ss__bytes_text(out, "{\"version\":");
    ss__bytes_u64(out, JSON_VERSION);
    ss__bytes_text(out, ",\"errors\":");
    ss__bytes_u64(out, findings->errors);
    ss__bytes_text(out, ",\"warnings\":");
    ss__bytes_u64(out, findings->warnings);
    ss__bytes_text(out, ",\"findings\":[");
    for (size_t i = 0; i < findings->count; i++) {
        ss__bytes_text(out, i == 0 ? "" : ",");
        put_object(&findings->items[i], root, out);
    }
    ss__bytes_text(out, "]}\n");
}
