#include "load/request_id.h"

#include <string.h>

#include "ss_test.h"

#define ITEMS(array) (sizeof(array) / sizeof *(array))

SS_TEST(request_id, brings_back_what_was_published)
{
    static const struct ss_load_message messages[] = {
        { .session = 0, .number = 1, .sent_ns = 0 },
        { .session = 17, .number = 4096, .sent_ns = 123456789012345 },
        { .session = UINT32_MAX, .number = 9999999999999999999u, .sent_ns = INT64_MAX },
    };
    for (size_t i = 0; i < ITEMS(messages); i++) {
        char id[SS_LOAD_REQUEST_ID_BYTES_MAX];
        size_t len = ss__load_request_id_write(&messages[i], id);
        struct ss_load_item item = { 0 };
        ss_check(len > 0 && len < sizeof id);
        ss_check(ss__load_request_id_read(ss_str_of(id, len), &item));
        ss_check(item.session == messages[i].session);
        ss_check(item.number == messages[i].number);
        ss_check(item.sent_ns == messages[i].sent_ns);
    }
}

SS_TEST(request_id, has_the_form_session_number_time)
{
    struct ss_load_message message = { .session = 3, .number = 20, .sent_ns = 500 };
    char id[SS_LOAD_REQUEST_ID_BYTES_MAX];
    size_t len = ss__load_request_id_write(&message, id);
    ss_check(len == strlen("3.20.500") && memcmp(id, "3.20.500", len) == 0);
}

SS_TEST(request_id, every_part_of_one_is_refused)
{
    static const char id[] = "12.345.6789";
    struct ss_load_item item;
    ss_check(ss__load_request_id_read(ss_str(id), &item));
    for (size_t len = 0; len <= strlen("12.345."); len++) {
        item = (struct ss_load_item){ 0 };
        ss_check_msg(!ss__load_request_id_read(ss_str_of(id, len), &item), "%zu bytes", len);
        ss_check_msg(item.number == 0, "%zu bytes: it must not look like an answer", len);
    }
}

SS_TEST(request_id, another_form_is_refused_and_names_no_message)
{
    static const char *const bad[] = {
        "hello", "1.2", "1.2.3.4", "1.2.3x", "x1.2.3", "-1.2.3", "1.-2.3", "1.2.-3", "1..3", ".2.3",
        "1.2.", " 1.2.3", "1,2,3", "4294967296.2.3", "1.99999999999999999999.3",
        "1.2.99999999999999999999", "1.2.9223372036854775808",
    };
    for (size_t i = 0; i < ITEMS(bad); i++) {
        struct ss_load_item item = { 0 };
        ss_check_msg(!ss__load_request_id_read(ss_str(bad[i]), &item), "%s", bad[i]);
        ss_check_msg(item.number == 0, "%s", bad[i]);
    }
}
