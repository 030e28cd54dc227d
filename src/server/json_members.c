#include "server/json_members.h"

#include <string.h>

#include "schema/json_reader.h"

/* Moves to the value of member @name. */
static bool find_member(struct ss_json_reader *reader, struct ss_str json, const char *name,
                        struct ss_json_token *ret_token)
{
    struct ss_json_token token;
    ss__json_reader_init(reader, json);
    if (ss__json_next(reader, &token) != SS_JSON_OBJECT) {
        return false;
    }
    while (ss__json_next(reader, &token) == SS_JSON_KEY) {
        bool found = ss_str_equal(token.text, ss_str(name));
        (void)ss__json_next(reader, &token);    /* an error shows in the kind or in skip */
        if (found) {
            *ret_token = token;
            return token.kind != SS_JSON_ERROR;
        }
        if (!ss__json_skip(reader, &token)) {
            return false;
        }
    }
    return false;
}

bool ss__json_string_member(struct ss_str json, const char *name, struct ss_bytes *out)
{
    struct ss_json_reader reader;
    struct ss_json_token token;
    if (!find_member(&reader, json, name, &token) || token.kind != SS_JSON_STRING) {
        return false;
    }
    ss__json_unescape(out, &token);
    return true;
}

bool ss__json_member(struct ss_str json, const char *name, struct ss_str *ret_value)
{
    struct ss_json_reader reader;
    struct ss_json_token token;
    if (!find_member(&reader, json, name, &token) || !ss__json_skip(&reader, &token)) {
        return false;
    }
    *ret_value = ss_str_of(json.data + token.at, (size_t)(reader.at - reader.begin) - token.at);
    return true;
}

bool ss__json_element(struct ss_str json, size_t *at, struct ss_str *ret_element)
{
    struct ss_json_reader reader;
    struct ss_json_token token;
    size_t begin = *at;
    if (begin == 0) {
        ss__json_reader_init(&reader, json);
        if (ss__json_next(&reader, &token) != SS_JSON_ARRAY) {
            return false;
        }
        begin = (size_t)(reader.at - reader.begin);
    }
    while (begin < json.len && memchr(" \t\r\n,", json.data[begin], 5) != NULL) {
        begin++;
    }
    if (begin >= json.len || json.data[begin] == ']') {
        return false;
    }
    struct ss_str rest = ss_str_of(json.data + begin, json.len - begin);
    ss__json_reader_init(&reader, rest);
    if (ss__json_next(&reader, &token) == SS_JSON_ERROR || !ss__json_skip(&reader, &token)) {
        return false;
    }
    size_t len = (size_t)(reader.at - reader.begin);
    *ret_element = ss_str_of(rest.data, len);
    *at = begin + len;
    return true;
}

void ss__json_line(struct ss_bytes *out, struct ss_str json)
{
    uint8_t *at = ss__bytes_extend(out, json.len);
    for (size_t i = 0; at != NULL && i < json.len; i++) {
        bool line_end = json.data[i] == '\n' || json.data[i] == '\r';
        at[i] = line_end ? ' ' : (uint8_t)json.data[i];
    }
}
