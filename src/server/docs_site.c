#include "server/docs_site.h"

#include "core/log.h"
#include "schema/registry.h"

#define DOCS "/docs/"

/* Nothing but our style sheet: pages need no scripts, and no other site may frame them. */
#define POLICY                                                                                  \
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "               \
    "frame-ancestors 'none'"

int ss__docs_register(struct ss_registry *registry)
{
    for (const struct ss_asset *asset = registry->assets; asset != NULL; asset = asset->next) {
        if (asset->path.len >= sizeof DOCS - 1 &&
            memcmp(asset->path.data, DOCS, sizeof DOCS - 1) == 0) {
            ss__log(SS_LOG_INFO, "the application has pages of its own", "path=" DOCS);
            return 0;
        }
    }
    for (size_t i = 0; i < ss__doc_files_count; i++) {
        const struct ss_doc_file *file = &ss__doc_files[i];
        int err = ss_register_asset(registry, file->path, file->content_type, file->data,
                                    file->len);
        if (err != 0) {
            return err;
        }
        registry->assets->policy = ss_str(POLICY);
    }
    return 0;
}
