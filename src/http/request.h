/* request.h - incremental parser of HTTP/1.1 requests. No I/O, no clock.
 *
 * The head is collected and checked byte by byte, then split by http_parser; so every slice of a
 * request lies in the parser's own memory. Beyond http_parser refused: bare LF or CR, obsolete
 * line folding, control bytes, a blank before a colon, a request line that is not exactly METHOD
 * TARGET HTTP/1.x, Content-Length beside Transfer-Encoding, Transfer-Encoding in 1.0, any transfer
 * coding but one "chunked", trailers, a second Host, a missing Host in 1.1, one with bytes that no
 * host has, a target that is no path (but "*" of OPTIONS). Source: RFC 9110, RFC 9112.
 *
 * Life: init -> feed until DONE -> use the request -> reset -> feed ... -> deinit. One thread at a
 * time. Nothing is allocated before the first byte. */
#ifndef SS_HTTP_REQUEST_H
#define SS_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sessionstream/limits.h>
#include <sessionstream/types.h>

#define SS_HTTP_FIELDS_MAX 64        /* header fields; real clients send under 30 */
#define SS_HTTP_TARGET_BYTES_MAX 8192
#define SS_HTTP_SEGMENTS_MAX 16      /* path segments; our deepest route has 5 */

enum ss_http_method { SS_HTTP_GET, SS_HTTP_POST, SS_HTTP_HEAD, SS_HTTP_OTHER };

struct ss_http_field {
    struct ss_str name;     /* as sent */
    struct ss_str value;    /* without surrounding white space */
};

struct ss_http_request {
    enum ss_http_method method;
    struct ss_str method_name;
    unsigned version_minor;          /* HTTP/1.x: 0 or 1 */
    struct ss_str path;              /* as sent, begins with '/' (or is "*" of OPTIONS);
                                      * without the origin of an absolute form */
    struct ss_str query;             /* as sent, behind '?'; empty if none */
    struct ss_str segments[SS_HTTP_SEGMENTS_MAX];   /* of path, percent-decoded, any bytes */
    size_t segment_count;            /* "/" has none, "/a/" has "a" and "" */
    struct ss_http_field fields[SS_HTTP_FIELDS_MAX];
    size_t field_count;
    uint64_t content_length;         /* bytes of body, also for chunked ones */
    bool keep_alive;
    bool upgrade;                    /* asks for another protocol: Connection lists "upgrade" */
    bool expect_continue;
    struct ss_str body;
};

enum ss_http_progress { SS_HTTP_NEED_MORE = 0, SS_HTTP_DONE = 1 };

struct ss_http_state;

/* Memory of unfinished bodies, on one account for many parsers of one thread. */
struct ss_http_bodies {
    size_t held_bytes;
    size_t held_bytes_max;
};

struct ss_http_parser {
    struct ss_http_state *state;     /* NULL while idle */
    struct ss_http_bodies *bodies;   /* NULL: no common account */
    size_t body_bytes_max;
    unsigned status;                 /* HTTP status to answer after an error, else 0 */
    const char *error;               /* static sentence that goes with it */
};

void ss__http_parser_init(struct ss_http_parser *parser, size_t body_bytes_max);
void ss__http_parser_deinit(struct ss_http_parser *parser);

/* From now on bodies count on this account, which outlives the parser; before the first byte. */
void ss__http_parser_share(struct ss_http_parser *parser, struct ss_http_bodies *bodies);

/* Forgets the request to read the next one of the connection; its slices die. */
void ss__http_parser_reset(struct ss_http_parser *parser);

/* Takes bytes of the connection. *ret_consumed tells how many were used; after SS_HTTP_DONE the
 * rest belongs to the next request or the new protocol. Errors, all final for the connection:
 * SS_E_PROTO with parser->status 400, 417, 501 or 505; SS_E_TOOBIG with 413, 414 or 431;
 * SS_E_NOMEM with 503; SS_E_BUSY with 503 (a body that is not complete yet needs more memory, and
 * with it the account of bodies would be over its limit; one alone is always taken). */
int ss__http_parser_feed(struct ss_http_parser *parser, const uint8_t *data, size_t len,
                         size_t *ret_consumed);

/* The request; only after SS_HTTP_DONE, until reset or deinit. */
const struct ss_http_request *ss__http_parser_request(const struct ss_http_parser *parser);

/* True if no byte of a request has arrived: the connection may be closed silently. */
bool ss__http_parser_idle(const struct ss_http_parser *parser);

/* True once per request, when its head asked for "100 Continue" and the body is still missing. */
bool ss__http_parser_take_continue(struct ss_http_parser *parser);

/* First field of this name (any case); false if there is none. */
bool ss__http_field(const struct ss_http_request *request, const char *name,
                    struct ss_str *ret_value);

/* Iterates the fields of this name: start with *at = 0. */
bool ss__http_field_next(const struct ss_http_request *request, const char *name, size_t *at,
                         struct ss_str *ret_value);

/* Cuts the next element off a comma-separated list, without white space, empty ones skipped. */
bool ss__http_list_next(struct ss_str *list, struct ss_str *ret_element);

/* True if a list field of this name holds @token; both compared without case. */
bool ss__http_field_has_token(const struct ss_http_request *request, const char *name,
                              const char *token);

/* True if @value may be a Host as far as single bytes tell, also if it is empty. Source: RFC 9112
 * section 3.2, RFC 3986 section 3.2.2. */
bool ss__http_is_host(struct ss_str value);

/* ASCII comparison without case. */
bool ss__http_equal_nocase(struct ss_str a, struct ss_str b);

/* Percent-decodes @text to @out (room for text.len bytes, may be text.data itself). Returns the
 * bytes written, or -1 for a '%' without two hex digits. */
ptrdiff_t ss__http_percent_decode(struct ss_str text, uint8_t *out);

/* Value of the parameter @name of a query string, percent-decoded ('+' is a space) into
 * @out[cap]. Errors: SS_E_NOTFOUND, SS_E_INVAL (bad escape), SS_E_TOOBIG. */
int ss__http_query_value(struct ss_str query, const char *name, uint8_t *out, size_t cap,
                         struct ss_str *ret_value);

/* The same of a parameter that is a number of at most @digits_max (<= 20) digits. Errors:
 * SS_E_NOTFOUND, SS_E_INVAL (anything else, also a number over 64 bits). */
int ss__http_query_number(struct ss_str query, const char *name, size_t digits_max,
                          uint64_t *ret_number);

#endif
