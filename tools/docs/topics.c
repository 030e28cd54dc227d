#include "topics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmark-gfm-core-extensions.h>

noreturn void stop(const char *place, const char *what, const char *detail)
{
    fprintf(stderr, "docs_pages: %s: %s%s%s\n", place, what, detail[0] == '\0' ? "" : ": ",
            detail);
    exit(1);
}

void *must(void *memory)
{
    if (memory == NULL) {
        stop("memory", strerror(ENOMEM), "");
    }
    return memory;
}

char *file_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t cap = 0;
    if (file == NULL) {
        stop(path, strerror(errno), "");
    }
    errno = 0;
    if (getdelim(&text, &cap, '\0', file) < 0) {
        stop(path, errno == 0 ? "empty" : strerror(errno), "");
    }
    (void)fclose(file);    /* read only */
    return text;
}

static char *page_path(const char *directory, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s.md", directory, name) < 0) {
        stop(name, strerror(ENOMEM), "");
    }
    return path;
}

char *node_text(cmark_node *node)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = must(open_memstream(&text, &len));
    cmark_iter *iter = must(cmark_iter_new(node));
    for (cmark_event_type event; (event = cmark_iter_next(iter)) != CMARK_EVENT_DONE;) {
        cmark_node *at = cmark_iter_get_node(iter);
        cmark_node_type type = cmark_node_get_type(at);
        if (event == CMARK_EVENT_ENTER && (type == CMARK_NODE_TEXT || type == CMARK_NODE_CODE)) {
            fputs(cmark_node_get_literal(at), out);
        } else if (type == CMARK_NODE_SOFTBREAK || type == CMARK_NODE_LINEBREAK) {
            fputc(' ', out);
        }
    }
    cmark_iter_free(iter);
    if (fclose(out) != 0) {
        stop("memory", strerror(errno), "");
    }
    return text;
}

bool node_is_table(cmark_node *node)
{
    return strcmp(cmark_node_get_type_string(node), "table") == 0;
}

/* "name   summary" */
static void read_line(const char *place, char *line, struct topics *topics)
{
    size_t name_len = strcspn(line, " \t");
    char *summary = line + name_len;
    summary += strspn(summary, " \t");
    line[name_len] = '\0';
    if (summary[0] == '\0') {
        stop(place, "a topic needs a summary behind its name", line);
    }
    if (topics_find(topics, line, name_len) != NULL) {
        stop(place, "listed twice", line);
    }
    topics->items = must(realloc(topics->items, (topics->count + 1) * sizeof *topics->items));
    topics->items[topics->count++] = (struct topic){ .name = must(strdup(line)),
                                                     .summary = must(strdup(summary)) };
}

static cmark_node *parse(const char *markdown)
{
    cmark_parser *parser = must(cmark_parser_new(CMARK_OPT_VALIDATE_UTF8));
    cmark_syntax_extension *table = must(cmark_find_syntax_extension("table"));
    cmark_parser_attach_syntax_extension(parser, table);
    cmark_parser_feed(parser, markdown, strlen(markdown));
    cmark_node *tree = must(cmark_parser_finish(parser));
    cmark_parser_free(parser);
    return tree;
}

void topics_read(const char *directory, struct topics *ret_topics)
{
    struct topics topics = { 0 };
    char *path = NULL;
    char *rest = NULL;
    if (asprintf(&path, "%s/topics.txt", directory) < 0) {
        stop(directory, strerror(ENOMEM), "");
    }
    char *list = file_read(path);
    for (char *line = strtok_r(list, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (line[0] != '#' && line[strspn(line, " \t")] != '\0') {
            read_line(path, line, &topics);
        }
    }
    for (size_t i = 0; i < topics.count; i++) {
        struct topic *topic = &topics.items[i];
        char *page = page_path(directory, topic->name);
        topic->markdown = file_read(page);
        cmark_node *tree = parse(topic->markdown);
        cmark_node *first = cmark_node_first_child(tree);
        if (first == NULL || cmark_node_get_type(first) != CMARK_NODE_HEADING ||
            cmark_node_get_heading_level(first) != 1) {
            stop(page, "a page begins with its title as a heading of level 1", "");
        }
        topic->title = node_text(first);
        cmark_node_free(tree);
        free(page);
    }
    free(list);
    free(path);
    *ret_topics = topics;
}

void topics_free(struct topics *topics)
{
    for (size_t i = 0; i < topics->count; i++) {
        free(topics->items[i].name);
        free(topics->items[i].summary);
        free(topics->items[i].title);
        free(topics->items[i].markdown);
    }
    free(topics->items);
}

const struct topic *topics_find(const struct topics *topics, const char *name, size_t name_len)
{
    for (size_t i = 0; i < topics->count; i++) {
        const struct topic *topic = &topics->items[i];
        if (strlen(topic->name) == name_len && memcmp(topic->name, name, name_len) == 0) {
            return topic;
        }
    }
    return NULL;
}

struct link_target link_resolve(const struct topics *topics, const char *url)
{
    const char *hash = strchr(url, '#');
    struct link_target target = { .kind = LINK_SOURCE, .anchor = hash == NULL ? "" : hash };
    size_t path_len = hash == NULL ? strlen(url) : (size_t)(hash - url);
    if (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) {
        target.kind = LINK_OUTSIDE;
    } else if (path_len == 0) {
        target.kind = LINK_ANCHOR;
    } else if (path_len > 3 && memcmp(url + path_len - 3, ".md", 3) == 0) {
        target.topic = topics_find(topics, url, path_len - 3);
        target.kind = target.topic == NULL ? LINK_SOURCE : LINK_TOPIC;
    }
    return target;
}

/* Comments are marks for tests and do not show. */
static bool is_comment(cmark_node *node)
{
    return cmark_node_get_type(node) == CMARK_NODE_HTML_BLOCK &&
           strncmp(cmark_node_get_literal(node), "<!--", 4) == 0;
}

static void check_node(const struct topics *topics, const struct topic *topic, cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);
    if ((type == CMARK_NODE_HTML_BLOCK || type == CMARK_NODE_HTML_INLINE) && !is_comment(node)) {
        stop(topic->name, "raw HTML has no place in a page", cmark_node_get_literal(node));
    }
    if (type == CMARK_NODE_IMAGE) {
        stop(topic->name, "images are not embedded", cmark_node_get_url(node));
    }
    if (type == CMARK_NODE_LINK) {
        const char *url = cmark_node_get_url(node);
        struct link_target target = link_resolve(topics, url);
        if (target.kind == LINK_SOURCE && strncmp(url, "../", 3) != 0) {
            stop(topic->name, "this link leads to no topic of topics.txt", url);
        }
    }
}

cmark_node *topic_parse(const struct topics *topics, const struct topic *topic)
{
    cmark_node *tree = parse(topic->markdown);
    cmark_iter *iter = must(cmark_iter_new(tree));
    for (cmark_event_type event; (event = cmark_iter_next(iter)) != CMARK_EVENT_DONE;) {
        if (event == CMARK_EVENT_ENTER) {
            check_node(topics, topic, cmark_iter_get_node(iter));
        }
    }
    cmark_iter_free(iter);
    for (cmark_node *node = cmark_node_first_child(tree); node != NULL;) {
        cmark_node *next = cmark_node_next(node);
        if (is_comment(node)) {
            cmark_node_free(node);
        }
        node = next;
    }
    return tree;
}
