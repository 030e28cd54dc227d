#include "gateway/import.h"

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "core/utf8.h"
#include "gateway/import_read.h"
#include "gateway/requests.h"
#include "gateway/respond.h"

static int read_body(const struct ss_conn *conn, const struct ss_http_request *request,
                     struct ss_import **ret_import, struct ss_failure *failure)
{
    const struct ss_gateway_options *options = &conn->gateway->options;
    int err = ss__requests_check_session(request->segments[2], failure);
    return err != 0 ? err
                    : ss__import_read(options->registry, options->transport->schema, request->body,
                                      ret_import, failure);
}

void ss__import_post(struct ss_conn *conn, const struct ss_http_request *request)
{
    struct ss_failure failure = { .text = "" };
    struct ss_import *import = NULL;
    struct ss_str id = request->segments[2];
    int err = read_body(conn, request, &import, &failure);
    if (err == 0) {
        struct ss_request *passed = ss__request_new_import(id, import);
        if (passed == NULL) {
            ss__import_free(import);
        }
        err = passed == NULL ? SS_E_NOMEM : ss__requests_post(conn, passed, &conn->in.number);
    }
    if (err != 0) {
        bool echoed = id.len <= SS_SESSION_ID_BYTES_MAX && ss__utf8_valid(id.data, id.len);
        ss__respond_error(conn, err, ss_str(failure.text), echoed ? id : ss_str(NULL));
        return;
    }
    ss__conn_pause(conn, SS_PAUSE_ANSWER);
}
