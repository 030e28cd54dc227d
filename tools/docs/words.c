#include "words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What is being gathered: the pieces of a word stand side by side until a blank ends it. */
struct reader {
    const struct topics *topics;
    struct words words;
    char *text;
    size_t len;
    size_t columns;
    FILE *out;      /* of the open word; NULL between words */
};

static void end_word(struct reader *reader)
{
    if (reader->out == NULL) {
        return;
    }
    if (fclose(reader->out) != 0) {
        stop("memory", strerror(errno), "");
    }
    struct words *words = &reader->words;
    words->items = must(realloc(words->items, (words->count + 1) * sizeof *words->items));
    words->items[words->count++] = (struct word){ reader->text, reader->columns };
    words->columns += reader->columns + (words->count > 1);
    reader->out = NULL;
}

static void end_line(struct reader *reader)
{
    end_word(reader);
    struct words *words = &reader->words;
    words->items = must(realloc(words->items, (words->count + 1) * sizeof *words->items));
    words->items[words->count++] = (struct word){ NULL, 0 };
}

static void add_text(struct reader *reader, const char *text, const char *style)
{
    while (*text != '\0') {
        size_t len = strcspn(text, " \n");
        if (len > 0) {
            if (reader->out == NULL) {
                reader->columns = 0;
                reader->out = must(open_memstream(&reader->text, &reader->len));
            }
            fprintf(reader->out, "%s%.*s%s", style, (int)len, text,
                    style[0] == '\0' ? "" : SGR_RESET);
            for (size_t i = 0; i < len; i++) {
                reader->columns += ((unsigned char)text[i] & 0xC0) != 0x80;
            }
        }
        text += len;
        if (*text != '\0') {
            end_word(reader);
            text++;
        }
    }
}

/* Behind the text of a link: "(help TOPIC)" or the address. */
static void add_target(struct reader *reader, cmark_node *node)
{
    const char *url = cmark_node_get_url(node);
    struct link_target target = link_resolve(reader->topics, url);
    char *text = node_text(node);
    if (target.kind == LINK_TOPIC) {
        add_text(reader, " (help ", "");
        add_text(reader, target.topic->name, "");
        add_text(reader, ")", "");
    } else if (target.kind == LINK_OUTSIDE && strcmp(text, url) != 0) {
        add_text(reader, " <", "");
        add_text(reader, url, "");
        add_text(reader, ">", "");
    }
    free(text);
}

static void add_inlines(struct reader *reader, cmark_node *node, const char *style)
{
    for (; node != NULL; node = cmark_node_next(node)) {
        cmark_node *child = cmark_node_first_child(node);
        switch (cmark_node_get_type(node)) {
        case CMARK_NODE_CODE:
            add_text(reader, cmark_node_get_literal(node), style[0] == '\0' ? SGR_CODE : style);
            break;
        case CMARK_NODE_SOFTBREAK:
            end_word(reader);
            break;
        case CMARK_NODE_LINEBREAK:
            end_line(reader);
            break;
        case CMARK_NODE_STRONG:
            add_inlines(reader, child, SGR_BOLD);
            break;
        case CMARK_NODE_EMPH:
            add_inlines(reader, child, SGR_UNDERLINE);
            break;
        case CMARK_NODE_LINK:
            add_inlines(reader, child, style);
            add_target(reader, node);
            break;
        default:
            add_text(reader, cmark_node_get_literal(node), style);
        }
    }
}

void words_read(const struct topics *topics, cmark_node *node, int bold, struct words *ret_words)
{
    struct reader reader = { .topics = topics };
    add_inlines(&reader, cmark_node_first_child(node), bold ? SGR_BOLD : "");
    end_word(&reader);
    *ret_words = reader.words;
}

void words_free(struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        free(words->items[i].text);
    }
    free(words->items);
    *words = (struct words){ 0 };
}

size_t words_longest(const struct words *words)
{
    size_t longest = 0;
    for (size_t i = 0; i < words->count; i++) {
        longest = words->items[i].columns > longest ? words->items[i].columns : longest;
    }
    return longest;
}

size_t words_line(FILE *out, const struct words *words, size_t *at, size_t width)
{
    size_t used = 0;
    bool first = true;
    for (; *at < words->count; (*at)++) {
        const struct word *word = &words->items[*at];
        if (word->text == NULL) {
            (*at)++;
            break;
        }
        if (!first && used + 1 + word->columns > width) {
            break;
        }
        fprintf(out, "%s%s", first ? "" : " ", word->text);
        used += word->columns + !first;
        first = false;
    }
    return used;
}
