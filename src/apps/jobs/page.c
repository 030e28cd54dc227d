#include "apps/jobs/page.h"

#include "jobs_page/app_js.h"
#include "jobs_page/icon_svg.h"
#include "jobs_page/index_html.h"
#include "jobs_page/link_js.h"
#include "jobs_page/style_css.h"

#define SCRIPT "text/javascript; charset=utf-8"

int ss__jobs_page_register(struct ss_registry *registry)
{
    const struct {
        const char *path;
        const char *content_type;
        const uint8_t *data;
        size_t len;
    } files[] = {
        { "/", "text/html; charset=utf-8", jobs_index_html, jobs_index_html_len },
        { "/style.css", "text/css; charset=utf-8", jobs_style_css, jobs_style_css_len },
        { "/icon.svg", "image/svg+xml", jobs_icon_svg, jobs_icon_svg_len },
        { "/app.js", SCRIPT, jobs_app_js, jobs_app_js_len },
        { "/link.js", SCRIPT, jobs_link_js, jobs_link_js_len },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int err = ss_register_asset(registry, files[i].path, files[i].content_type, files[i].data,
                                    files[i].len);
        if (err != 0) {
            return err;
        }
    }
    return 0;
}
