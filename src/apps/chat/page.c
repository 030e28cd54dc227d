#include "apps/chat/page.h"

#include "chat_page/app_js.h"
#include "chat_page/icon_svg.h"
#include "chat_page/index_html.h"
#include "chat_page/link_js.h"
#include "chat_page/pane_js.h"
#include "chat_page/style_css.h"
#include "chat_page/timeline_js.h"
#include "chat_page/wire_js.h"

#define SCRIPT "text/javascript; charset=utf-8"

int ss__chat_page_register(struct ss_registry *registry)
{
    const struct {
        const char *path;
        const char *content_type;
        const uint8_t *data;
        size_t len;
    } files[] = {
        { "/", "text/html; charset=utf-8", chat_index_html, chat_index_html_len },
        { "/style.css", "text/css; charset=utf-8", chat_style_css, chat_style_css_len },
        { "/icon.svg", "image/svg+xml", chat_icon_svg, chat_icon_svg_len },
        { "/app.js", SCRIPT, chat_app_js, chat_app_js_len },
        { "/link.js", SCRIPT, chat_link_js, chat_link_js_len },
        { "/pane.js", SCRIPT, chat_pane_js, chat_pane_js_len },
        { "/timeline.js", SCRIPT, chat_timeline_js, chat_timeline_js_len },
        { "/wire.js", SCRIPT, chat_wire_js, chat_wire_js_len },
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
