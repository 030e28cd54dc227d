#include "server/docs_site.h"

#include <stdio.h>
#include <string.h>

#include "schema/registry.h"
#include "server/docs.h"
#include "ss_test.h"

static const struct ss_asset *find(const struct ss_registry *registry, const char *path)
{
    const struct ss_asset *asset = registry->assets;
    while (asset != NULL && !ss_str_equal(asset->path, ss_str(path))) {
        asset = asset->next;
    }
    return asset;
}

SS_TEST(docs_site, every_topic_is_a_page_and_its_source)
{
    struct ss_registry *registry = ss_registry_new();
    ss_check(ss__docs_register(registry) == 0);
    const struct ss_asset *index = find(registry, "/docs/");
    ss_check(index != NULL && find(registry, "/docs/style.css") != NULL);
    for (size_t i = 0; i < ss__docs_count; i++) {
        char path[80];
        snprintf(path, sizeof path, "/docs/%s", ss__docs[i].name);
        const struct ss_asset *page = find(registry, path);
        ss_check_msg(page != NULL, "%s", path);
        ss_check(ss_str_equal(page->content_type, ss_str("text/html; charset=utf-8")));
        ss_check(memmem(page->policy.data, page->policy.len, "default-src 'none'", 18) != NULL);
        snprintf(path, sizeof path, "/docs/%s.md", ss__docs[i].name);
        page = find(registry, path);
        ss_check(page != NULL && ss_str_equal(page->data, ss_str(ss__docs[i].markdown)));
        snprintf(path, sizeof path, "href=\"%s\"", ss__docs[i].name);
        ss_check(memmem(index->data.data, index->data.len, path, strlen(path)) != NULL);
    }
    ss_registry_free(registry);
}

SS_TEST(docs_site, an_application_may_have_pages_of_its_own_there)
{
    struct ss_registry *registry = ss_registry_new();
    const uint8_t page[] = "own";
    ss_check(ss_register_asset(registry, "/docs/x", "text/plain", page, 3) == 0);
    ss_check(ss__docs_register(registry) == 0);
    ss_check(find(registry, "/docs/x") != NULL && find(registry, "/docs/") == NULL);
    ss_registry_free(registry);
}
