/* The list of free pages: transaction -> count, then page numbers from the highest down. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/fault.h"
#include "store/pages_walk.h"

static void check_list(struct ss_pages_tree *tree, uint64_t page, const struct ss_page_bounds *key,
                       const uint8_t *data, size_t len)
{
    uint64_t count = 0;
    if (len >= sizeof count) {
        memcpy(&count, data, sizeof count);
    }
    if (len < sizeof count || count > len / sizeof count - 1) {
        ss__pages_found(tree, page, key, "a list of %" PRIu64 " free pages in %zu bytes", count,
                        len);
        return;
    }
    uint64_t before = UINT64_MAX;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number;
        memcpy(&number, data + (i + 1) * sizeof number, sizeof number);
        if (number >= before) {
            ss__pages_found(tree, page, key, "the list of free pages is not in order");
            return;
        }
        before = number;
        if (!ss__pages_meet(tree, number, page, key)) {
            return;
        }
        tree->pages->summary->pages_free++;
    }
}

int ss__pages_free_row(struct ss_pages_tree *tree, uint64_t page, const struct ss_page_node *node)
{
    uint64_t transaction;
    const struct ss_page_bounds key = { node->key, node->key };
    memcpy(&transaction, node->key.data, sizeof transaction);    /* judged to have 8 bytes */
    if (transaction == 0 || transaction > tree->newest) {
        ss__pages_found(tree, page, &key, "transaction %" PRIu64 " has not been yet", transaction);
        return 0;
    }
    if (!node->overflow) {
        check_list(tree, page, &key, node->data, node->data_bytes);
        return 0;
    }
    uint64_t room = tree->pages->file_bytes / tree->rules.page_bytes;
    if (node->child >= room ||
        node->data_bytes > tree->pages->file_bytes - node->child * tree->rules.page_bytes) {
        return 0;    /* has been reported as outside of the file */
    }
    size_t len = SS_PAGE_HEAD_BYTES + (size_t)node->data_bytes;
    uint8_t *bytes = SS_FAULT("pages.free") != 0 ? NULL : malloc(len);
    if (bytes == NULL) {
        return SS_E_NOMEM;
    }
    if (ss__pages_read(tree, node->child, len, page, &key, bytes)) {
        check_list(tree, page, &key, bytes + SS_PAGE_HEAD_BYTES, node->data_bytes);
    }
    free(bytes);
    return 0;
}
