/* docs_pages DOCS_DIR STYLE.css TEXT.c SITE.c: the pages of docs/ as C arrays, for the terminal
 * (struct ss_doc of server/docs.h) and for the site (struct ss_doc_file of server/docs_site.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmark-gfm-core-extensions.h>

#include "site.h"
#include "terminal.h"

#define MARKDOWN "text/markdown; charset=utf-8"
#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"

/* A string literal, one source line for each line of @text. Octal escapes have three digits, so
 * that no digit behind them is taken in. */
static void write_literal(FILE *out, const char *text)
{
    fputs("\n    \"", out);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '\n') {
            fputs(text[1] == '\0' ? "\\n" : "\\n\"\n    \"", out);
        } else if (byte == '"' || byte == '\\' || byte == '?') {
            fprintf(out, "\\%c", byte);
        } else if (byte < 0x20 || byte >= 0x7F) {
            fprintf(out, "\\%03o", byte);
        } else {
            fputc(byte, out);
        }
    }
    fputc('"', out);
}

static FILE *create(const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        stop(path, strerror(errno), "");
    }
    return out;
}

static void finish(FILE *out, const char *path)
{
    if (ferror(out) || fclose(out) != 0) {
        stop(path, strerror(errno), "");
    }
}

static void write_text(const struct topics *topics, const char *path)
{
    FILE *out = create(path);
    fputs("#include \"server/docs.h\"\n\nconst struct ss_doc ss__docs[] = {\n", out);
    for (size_t i = 0; i < topics->count; i++) {
        const struct topic *topic = &topics->items[i];
        char *text = terminal_page(topics, topic);
        const char *const parts[] = { topic->name, topic->title, topic->summary, topic->markdown,
                                      text };
        fputs("    {", out);
        for (size_t j = 0; j < sizeof parts / sizeof parts[0]; j++) {
            write_literal(out, parts[j]);
            fputc(',', out);
        }
        fputs(" },\n", out);
        free(text);
    }
    fputs("};\n\nconst size_t ss__docs_count = sizeof ss__docs / sizeof ss__docs[0];\n", out);
    finish(out, path);
}

static void write_file(FILE *out, const char *name, const char *suffix, const char *type,
                       const char *body)
{
    fprintf(out, "    { \"/docs/%s%s\", \"%s\", SS_DOC_BYTES(", name, suffix, type);
    write_literal(out, body);
    fputs(") },\n", out);
}

static void write_site(const struct topics *topics, const char *style, const char *path)
{
    FILE *out = create(path);
    char *index = site_index(topics);
    fputs("#include \"server/docs_site.h\"\n\n"
          "#define SS_DOC_BYTES(text) (const uint8_t *)(text), sizeof(text) - 1\n\n"
          "const struct ss_doc_file ss__doc_files[] = {\n",
          out);
    write_file(out, "", "", HTML, index);
    write_file(out, "style.css", "", CSS, style);
    for (size_t i = 0; i < topics->count; i++) {
        char *page = site_page(topics, &topics->items[i]);
        write_file(out, topics->items[i].name, "", HTML, page);
        write_file(out, topics->items[i].name, ".md", MARKDOWN, topics->items[i].markdown);
        free(page);
    }
    fputs("};\n\nconst size_t ss__doc_files_count = "
          "sizeof ss__doc_files / sizeof ss__doc_files[0];\n",
          out);
    free(index);
    finish(out, path);
}

int main(int argc, char **argv)
{
    struct topics topics;
    if (argc != 5) {
        fprintf(stderr, "usage: docs_pages DOCS_DIR STYLE.css TEXT.c SITE.c\n");
        return 2;
    }
    cmark_gfm_core_extensions_ensure_registered();
    char *style = file_read(argv[2]);
    topics_read(argv[1], &topics);
    write_text(&topics, argv[3]);
    write_site(&topics, style, argv[4]);
    topics_free(&topics);
    free(style);
    return 0;
}
