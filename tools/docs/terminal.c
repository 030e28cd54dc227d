#include "terminal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmark-gfm-core-extensions.h>

#include "words.h"

#define INDENT 2
#define GAP 2
#define COLUMNS_MAX 16

struct printer {
    const struct topics *topics;
    FILE *out;
    size_t indent;
    bool began;        /* something stands above: a blank line goes between */
    bool tight;        /* within a list without blank lines */
};

static void print_blocks(struct printer *printer, cmark_node *node);

static void pad(FILE *out, size_t columns)
{
    fprintf(out, "%*s", (int)columns, "");
}

static void separate(struct printer *printer)
{
    if (printer->began && !printer->tight) {
        fputc('\n', printer->out);
    }
    printer->began = true;
}

/* Lines of words, each behind @indent blanks. */
static void fill(struct printer *printer, const struct words *words, size_t indent)
{
    for (size_t at = 0; at < words->count;) {
        pad(printer->out, indent);
        (void)words_line(printer->out, words, &at, TERMINAL_WIDTH - indent);
        fputc('\n', printer->out);
    }
}

static void print_heading(struct printer *printer, cmark_node *node)
{
    struct words words;
    separate(printer);
    words_read(printer->topics, node, true, &words);
    fill(printer, &words, cmark_node_get_heading_level(node) > 2 ? 1 : 0);
    words_free(&words);
}

static void print_paragraph(struct printer *printer, cmark_node *node)
{
    struct words words;
    separate(printer);
    words_read(printer->topics, node, false, &words);
    fill(printer, &words, printer->indent);
    words_free(&words);
}

static void print_code(struct printer *printer, cmark_node *node)
{
    char *text = must(strdup(cmark_node_get_literal(node)));
    char *rest = text;
    separate(printer);
    for (char *line; (line = strsep(&rest, "\n")) != NULL && (line[0] != '\0' || rest != NULL);) {
        pad(printer->out, line[0] == '\0' ? 0 : printer->indent + 2);
        fprintf(printer->out, "%s\n", line);
    }
    free(text);
}

/* An item's first block begins behind its mark, which is printed over the indent. */
static void print_item(struct printer *printer, cmark_node *item, const char *mark)
{
    char *text = NULL;
    size_t len = 0;
    struct printer inner = *printer;
    size_t mark_len = strlen(mark);
    inner.out = must(open_memstream(&text, &len));
    inner.indent = printer->indent + mark_len;
    inner.began = false;
    print_blocks(&inner, cmark_node_first_child(item));
    if (fclose(inner.out) != 0) {
        stop("memory", strerror(errno), "");
    }
    if (len > inner.indent) {
        memcpy(text + printer->indent, mark, mark_len);
    }
    separate(printer);
    fputs(text, printer->out);
    free(text);
}

static void print_list(struct printer *printer, cmark_node *list)
{
    bool ordered = cmark_node_get_list_type(list) == CMARK_ORDERED_LIST;
    int number = cmark_node_get_list_start(list);
    bool outer_tight = printer->tight;
    char mark[32] = "* ";
    separate(printer);
    printer->began = false;
    printer->tight = cmark_node_get_list_tight(list) != 0;
    for (cmark_node *item = cmark_node_first_child(list); item != NULL;
         item = cmark_node_next(item)) {
        if (ordered) {
            (void)snprintf(mark, sizeof mark, "%d. ", number++);
        }
        print_item(printer, item, mark);
    }
    printer->tight = outer_tight;
}

/* ---- tables ---- */

struct table {
    struct words (*rows)[COLUMNS_MAX];
    size_t rows_count;
    size_t columns;
};

static void read_table(struct printer *printer, cmark_node *node, struct table *ret_table)
{
    struct table table = { .columns = cmark_gfm_extensions_get_table_columns(node) };
    if (table.columns > COLUMNS_MAX) {
        stop("table", "too many columns for a terminal", "");
    }
    for (cmark_node *row = cmark_node_first_child(node); row != NULL; row = cmark_node_next(row)) {
        table.rows = must(realloc(table.rows, (table.rows_count + 1) * sizeof *table.rows));
        struct words *cells = table.rows[table.rows_count];
        memset(cells, 0, sizeof table.rows[0]);
        size_t column = 0;
        for (cmark_node *cell = cmark_node_first_child(row);
             cell != NULL && column < table.columns; cell = cmark_node_next(cell)) {
            words_read(printer->topics, cell, table.rows_count == 0, &cells[column++]);
        }
        table.rows_count++;
    }
    *ret_table = table;
}

static void free_table(struct table *table)
{
    for (size_t i = 0; i < table->rows_count; i++) {
        for (size_t j = 0; j < table->columns; j++) {
            words_free(&table->rows[i][j]);
        }
    }
    free(table->rows);
}

/* Widths that fit into @width: as wide as the text wants, else what is left over after the longest
 * words is shared by what each would still take. False if not even the words fit. */
static bool choose_widths(const struct table *table, size_t width, size_t widths[COLUMNS_MAX])
{
    size_t natural[COLUMNS_MAX] = { 0 };
    size_t least_sum = (table->columns - 1) * GAP;
    size_t wanted = 0;
    for (size_t j = 0; j < table->columns; j++) {
        widths[j] = 1;
        for (size_t i = 0; i < table->rows_count; i++) {
            const struct words *cell = &table->rows[i][j];
            size_t longest = words_longest(cell);
            natural[j] = cell->columns > natural[j] ? cell->columns : natural[j];
            widths[j] = longest > widths[j] ? longest : widths[j];
        }
        least_sum += widths[j];
        wanted += natural[j] > widths[j] ? natural[j] - widths[j] : 0;
    }
    if (least_sum > width) {
        return false;
    }
    size_t spare = width - least_sum;
    for (size_t j = 0; j < table->columns && wanted > 0; j++) {
        size_t more = natural[j] > widths[j] ? natural[j] - widths[j] : 0;
        widths[j] += spare >= wanted ? more : more * spare / wanted;
    }
    return true;
}

static void print_row(struct printer *printer, const struct table *table, size_t row,
                      const size_t widths[COLUMNS_MAX])
{
    size_t at[COLUMNS_MAX] = { 0 };
    bool more = true;
    while (more) {
        size_t due = printer->indent;    /* blanks owed before the next text: none at line ends */
        more = false;
        for (size_t j = 0; j < table->columns; j++) {
            const struct words *cell = &table->rows[row][j];
            size_t used = 0;
            if (at[j] < cell->count) {
                pad(printer->out, due);
                due = 0;
                used = words_line(printer->out, cell, &at[j], widths[j]);
            }
            due += widths[j] - used + GAP;
            more = more || at[j] < cell->count;
        }
        fputc('\n', printer->out);
    }
}

static void print_rule(struct printer *printer, const struct table *table,
                       const size_t widths[COLUMNS_MAX])
{
    pad(printer->out, printer->indent);
    for (size_t j = 0; j < table->columns; j++) {
        if (j > 0) {
            pad(printer->out, GAP);
        }
        for (size_t i = 0; i < widths[j]; i++) {
            fputc('-', printer->out);
        }
    }
    fputc('\n', printer->out);
}

static bool wraps(const struct table *table, const size_t widths[COLUMNS_MAX])
{
    for (size_t i = 0; i < table->rows_count; i++) {
        for (size_t j = 0; j < table->columns; j++) {
            if (table->rows[i][j].columns > widths[j]) {
                return true;
            }
        }
    }
    return false;
}

/* A table too wide for its columns: a paragraph for each row, each further cell behind its
 * column's name. */
static void print_records(struct printer *printer, const struct table *table)
{
    for (size_t i = 1; i < table->rows_count; i++) {
        separate(printer);
        fill(printer, &table->rows[i][0], printer->indent);
        for (size_t j = 1; j < table->columns; j++) {
            const struct words *cell = &table->rows[i][j];
            const struct words *name = &table->rows[0][j];
            size_t start = printer->indent + 2 + name->columns + 2;
            size_t head = 0;
            if (cell->count == 0) {
                continue;
            }
            pad(printer->out, printer->indent + 2);
            (void)words_line(printer->out, name, &head, TERMINAL_WIDTH);
            fputs(": ", printer->out);
            for (size_t at = 0; at < cell->count;) {
                pad(printer->out, at == 0 ? 0 : start);
                (void)words_line(printer->out, cell, &at, TERMINAL_WIDTH - start);
                fputc('\n', printer->out);
            }
        }
    }
}

static void print_table(struct printer *printer, cmark_node *node)
{
    struct table table;
    size_t widths[COLUMNS_MAX];
    read_table(printer, node, &table);
    if (!choose_widths(&table, TERMINAL_WIDTH - printer->indent, widths)) {
        print_records(printer, &table);
        free_table(&table);
        return;
    }
    separate(printer);
    bool spaced = wraps(&table, widths);
    for (size_t i = 0; i < table.rows_count; i++) {
        if (spaced && i > 1) {
            fputc('\n', printer->out);    /* shows where a row of several lines ends */
        }
        print_row(printer, &table, i, widths);
        if (i == 0) {
            print_rule(printer, &table, widths);
        }
    }
    free_table(&table);
}

/* ---- page ---- */

static void print_blocks(struct printer *printer, cmark_node *node)
{
    for (; node != NULL; node = cmark_node_next(node)) {
        cmark_node_type type = cmark_node_get_type(node);
        if (type == CMARK_NODE_HEADING) {
            print_heading(printer, node);
        } else if (type == CMARK_NODE_PARAGRAPH) {
            print_paragraph(printer, node);
        } else if (type == CMARK_NODE_CODE_BLOCK) {
            print_code(printer, node);
        } else if (type == CMARK_NODE_LIST) {
            print_list(printer, node);
        } else if (node_is_table(node)) {
            print_table(printer, node);
        } else if (type == CMARK_NODE_BLOCK_QUOTE) {
            printer->indent += 2;
            print_blocks(printer, cmark_node_first_child(node));
            printer->indent -= 2;
        }
    }
}

char *terminal_page(const struct topics *topics, const struct topic *topic)
{
    char *text = NULL;
    size_t len = 0;
    struct printer printer = { .topics = topics, .indent = INDENT };
    cmark_node *tree = topic_parse(topics, topic);
    printer.out = must(open_memstream(&text, &len));
    print_blocks(&printer, cmark_node_first_child(tree));
    if (fclose(printer.out) != 0) {
        stop("memory", strerror(errno), "");
    }
    cmark_node_free(tree);
    return text;
}
