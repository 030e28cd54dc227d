#include "wire/ws_close.h"

#include <string.h>

#include "ss_test.h"

SS_TEST(ws_close, only_the_registered_and_private_ranges_may_be_sent)
{
    static const struct {
        unsigned first;
        unsigned last;
        bool good;
    } ranges[] = { { 0, 999, false },     { 1000, 1003, true },  { 1004, 1006, false },
                   { 1007, 1014, true },  { 1015, 2999, false }, { 3000, 4999, true },
                   { 5000, 65535, false } };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        for (unsigned status = ranges[i].first; status <= ranges[i].last; status++) {
            ss_check_msg(ss__ws_status_sendable((uint16_t)status) == ranges[i].good, "%u",
                         status);
        }
    }
}

SS_TEST(ws_close, payloads_are_read_or_answered_with_a_status)
{
    uint16_t status = 7;
    struct ss_str reason = ss_str("untouched");
    ss_check(ss__ws_close_read(ss_str_of("\x03\xE8", 1), &status, &reason) == 1002);
    ss_check(ss__ws_close_read(ss_str_of("\x03\xEC", 2), &status, &reason) == 1002);
    ss_check(ss__ws_close_read(ss_str_of("\x03\xE8\xC3(", 4), &status, &reason) == 1007);
    ss_check(status == 7 && ss_str_equal(reason, ss_str("untouched")));
    ss_check(ss__ws_close_read(ss_str(""), &status, &reason) == 0);
    ss_check(status == SS_WS_STATUS_NONE && reason.len == 0);
    ss_check(ss__ws_close_read(ss_str_of("\x03\xF6reason \xC3\xA4", 11), &status, &reason) == 0);
    ss_check(status == 1014 && ss_str_equal(reason, ss_str("reason \xC3\xA4")));
}

SS_TEST(ws_close, frames_carry_status_and_reason)
{
    uint8_t out[SS_WS_CLOSE_FRAME_BYTES_MAX];
    size_t len = 0;
    ss__ws_close_frame(SS_WS_STATUS_TOO_BIG, ss_str("why"), out, &len);
    ss_check(len == 7 && memcmp(out, "\x88\x05\x03\xF1why", 7) == 0);
    ss__ws_close_frame(SS_WS_STATUS_NORMAL, (struct ss_str){ NULL, 0 }, out, &len);
    ss_check(len == 4 && memcmp(out, "\x88\x02\x03\xE8", 4) == 0);
    ss__ws_close_frame(SS_WS_STATUS_NONE, ss_str("not sent"), out, &len);
    ss_check(len == 2 && memcmp(out, "\x88\x00", 2) == 0);
}

SS_TEST(ws_close, long_reasons_are_cut_between_characters)
{
    static const char *const chars[] = { "x", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80" };
    for (size_t width = 1; width <= 4; width++) {
        for (size_t shift = 0; shift < width; shift++) {
            char text[200];
            size_t text_len = shift;
            uint8_t out[SS_WS_CLOSE_FRAME_BYTES_MAX];
            size_t len = 0;
            memset(text, 'a', shift);
            while (text_len + width <= sizeof text) {
                memcpy(text + text_len, chars[width - 1], width);
                text_len += width;
            }
            ss__ws_close_frame(SS_WS_STATUS_POLICY, ss_str_of(text, text_len), out, &len);
            size_t kept = shift + (123 - shift) / width * width;
            ss_check_msg(len == 4 + kept, "width %zu shift %zu: %zu", width, shift, len);
            ss_check(out[1] == 2 + kept && memcmp(out + 4, text, kept) == 0);
        }
    }
}
