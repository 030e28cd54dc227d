#include "site.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmark-gfm-core-extensions.h>

static void escape(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

/* The anchor that GitHub gives a heading, so that links work in the repository too: lower case,
 * blanks as hyphens, no other punctuation. */
static char *anchor_of(const char *heading)
{
    char *anchor = must(malloc(strlen(heading) + 1));
    char *end = anchor;
    for (; *heading != '\0'; heading++) {
        unsigned char byte = (unsigned char)*heading;
        if (byte == ' ') {
            *end++ = '-';
        } else if (isalnum(byte) || byte == '-' || byte == '_' || byte >= 0x80) {
            *end++ = (char)tolower(byte);
        }
    }
    *end = '\0';
    return anchor;
}

/* One heading of a page, for the table of contents. */
struct heading {
    char *anchor;
    char *text;
    int level;
};

struct headings {
    struct heading *items;
    size_t count;
};

static void add_heading(const char *page, struct headings *headings, cmark_node *node)
{
    struct heading heading = { .text = node_text(node),
                               .level = cmark_node_get_heading_level(node) };
    heading.anchor = anchor_of(heading.text);
    for (size_t i = 0; i < headings->count; i++) {
        if (strcmp(headings->items[i].anchor, heading.anchor) == 0) {
            stop(page, "two headings have the same anchor", heading.anchor);
        }
    }
    headings->items =
        must(realloc(headings->items, (headings->count + 1) * sizeof *headings->items));
    headings->items[headings->count++] = heading;
}

/* The heading's text becomes a link to itself. */
static void link_heading(const struct heading *heading, cmark_node *node)
{
    char *enter = NULL;
    cmark_node *link = must(cmark_node_new(CMARK_NODE_CUSTOM_INLINE));
    if (asprintf(&enter, "<a class=\"anchor\" id=\"%s\" href=\"#%s\">", heading->anchor,
                 heading->anchor) < 0) {
        stop(heading->anchor, strerror(ENOMEM), "");
    }
    (void)cmark_node_set_on_enter(link, enter);
    (void)cmark_node_set_on_exit(link, "</a>");
    free(enter);
    for (cmark_node *child; (child = cmark_node_first_child(node)) != NULL;) {
        (void)cmark_node_append_child(link, child);
    }
    (void)cmark_node_append_child(node, link);
}

/* Wide tables scroll by themselves instead of making the page wide. */
static void wrap_table(cmark_node *node)
{
    cmark_node *box = must(cmark_node_new(CMARK_NODE_CUSTOM_BLOCK));
    (void)cmark_node_set_on_enter(
        box, "<div class=\"scroll\" role=\"region\" aria-label=\"Table\" tabindex=\"0\">");
    (void)cmark_node_set_on_exit(box, "</div>");
    if (cmark_node_replace(node, box) == 0 || cmark_node_append_child(box, node) == 0) {
        stop("table", "cannot be wrapped", "");
    }
}

static void rewrite_link(const struct topics *topics, cmark_node *node)
{
    struct link_target target = link_resolve(topics, cmark_node_get_url(node));
    if (target.kind == LINK_TOPIC) {
        char *url = NULL;
        if (asprintf(&url, "%s%s", target.topic->name, target.anchor) < 0) {
            stop(target.topic->name, strerror(ENOMEM), "");
        }
        (void)cmark_node_set_url(node, url);
        free(url);
    } else if (target.kind == LINK_SOURCE) {
        for (cmark_node *child; (child = cmark_node_first_child(node)) != NULL;) {
            (void)cmark_node_insert_before(node, child);
        }
        cmark_node_free(node);
    }
}

/* Nodes are gathered first: an iterator does not survive changes around it. */
static void prepare(const struct topics *topics, const char *page, cmark_node *tree,
                    struct headings *ret_headings)
{
    cmark_node **nodes = NULL;
    size_t count = 0;
    cmark_iter *iter = must(cmark_iter_new(tree));
    for (cmark_event_type event; (event = cmark_iter_next(iter)) != CMARK_EVENT_DONE;) {
        cmark_node *node = cmark_iter_get_node(iter);
        cmark_node_type type = cmark_node_get_type(node);
        if (event == CMARK_EVENT_ENTER && (type == CMARK_NODE_HEADING ||
                                           type == CMARK_NODE_LINK || node_is_table(node))) {
            nodes = must(realloc(nodes, (count + 1) * sizeof *nodes));
            nodes[count++] = node;
        }
    }
    cmark_iter_free(iter);
    for (size_t i = 0; i < count; i++) {
        cmark_node_type type = cmark_node_get_type(nodes[i]);
        if (type == CMARK_NODE_HEADING) {
            add_heading(page, ret_headings, nodes[i]);
            link_heading(&ret_headings->items[ret_headings->count - 1], nodes[i]);
        } else if (node_is_table(nodes[i])) {
            wrap_table(nodes[i]);
        } else {
            rewrite_link(topics, nodes[i]);
        }
    }
    free(nodes);
}

static void write_head(FILE *out, const char *title, const char *summary)
{
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          out);
    escape(out, title);
    fputs("</title>\n<meta name=\"description\" content=\"", out);
    escape(out, summary);
    fputs("\">\n<link rel=\"stylesheet\" href=\"style.css\">\n</head>\n<body>\n"
          "<a class=\"skip\" href=\"#page\">Skip to the page</a>\n"
          "<header><a href=\"./\">sessionstream</a> <a class=\"menu\" href=\"#topics\">All pages"
          "</a></header>\n",
          out);
}

static void write_topics(FILE *out, const struct topics *topics, const struct topic *current,
                         const struct headings *headings)
{
    fputs("<nav id=\"topics\" aria-label=\"Pages\">\n<ul>\n", out);
    for (size_t i = 0; i < topics->count; i++) {
        const struct topic *topic = &topics->items[i];
        fprintf(out, "<li><a href=\"%s\"%s>", topic->name,
                topic == current ? " aria-current=\"page\"" : "");
        escape(out, topic->title);
        fputs("</a>", out);
        if (topic == current) {
            fputs("\n<ul>\n", out);
            for (size_t j = 0; j < headings->count; j++) {
                if (headings->items[j].level == 2) {
                    fprintf(out, "<li><a href=\"#%s\">", headings->items[j].anchor);
                    escape(out, headings->items[j].text);
                    fputs("</a></li>\n", out);
                }
            }
            fputs("</ul>\n", out);
        }
        fputs("</li>\n", out);
    }
    fputs("</ul>\n</nav>\n", out);
}

static void close_page(FILE *out)
{
    fputs("</body>\n</html>\n", out);
    if (fclose(out) != 0) {
        stop("page", strerror(errno), "");
    }
}

char *site_page(const struct topics *topics, const struct topic *topic)
{
    char *page = NULL;
    size_t len = 0;
    char title[256];
    struct headings headings = { 0 };
    cmark_node *tree = topic_parse(topics, topic);
    prepare(topics, topic->name, tree, &headings);
    char *body = must(cmark_render_html(tree, CMARK_OPT_DEFAULT, NULL));
    FILE *out = must(open_memstream(&page, &len));
    (void)snprintf(title, sizeof title, "%s – sessionstream", topic->title);
    write_head(out, title, topic->summary);
    fprintf(out, "<main id=\"page\">\n<article>\n%s</article>\n"
                 "<p class=\"source\"><a href=\"%s.md\">This page as Markdown</a></p>\n</main>\n",
            body, topic->name);
    write_topics(out, topics, topic, &headings);
    close_page(out);
    free(body);
    cmark_node_free(tree);
    for (size_t i = 0; i < headings.count; i++) {
        free(headings.items[i].anchor);
        free(headings.items[i].text);
    }
    free(headings.items);
    return page;
}

char *site_index(const struct topics *topics)
{
    char *page = NULL;
    size_t len = 0;
    FILE *out = must(open_memstream(&page, &len));
    write_head(out, "sessionstream: documentation", "The pages of sessionstream.");
    fputs("<main id=\"page\">\n<article>\n<h1>Documentation</h1>\n"
          "<p>The same pages are in the terminal: <code>sessionstreamd help</code> and "
          "<code>ssctl help</code>.</p>\n<dl>\n",
          out);
    for (size_t i = 0; i < topics->count; i++) {
        fprintf(out, "<dt><a href=\"%s\">", topics->items[i].name);
        escape(out, topics->items[i].title);
        fputs("</a></dt>\n<dd>", out);
        escape(out, topics->items[i].summary);
        fputs("</dd>\n", out);
    }
    fputs("</dl>\n</article>\n</main>\n", out);
    write_topics(out, topics, NULL, NULL);
    close_page(out);
    return page;
}
