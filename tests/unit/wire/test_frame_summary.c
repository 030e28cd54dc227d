#include "wire/frame_summary.h"

#include <string.h>

#include "core/bytes.h"
#include "schema/pb.h"
#include "ss_test.h"

static struct ss_frame_summary json(const char *text)
{
    struct ss_frame_summary summary;
    ss__frame_summary(SS_ENCODING_V1_JSON, ss_str(text), &summary);
    return summary;
}

SS_TEST(frame_summary, json_frames_say_what_they_are)
{
    struct ss_frame_summary got = json(
        "{\"uiEvent\":{\"sessionId\":\"s\",\"eventOrdinal\":\"12\",\"name\":\"Shown\","
        "\"payload\":{\"@type\":\"type.googleapis.com/a.B\",\"name\":\"inner\"},\"last\":true}}");
    ss_check(strcmp(got.type, "uiEvent") == 0 && ss_str_equal(got.session_id, ss_str("s")));
    ss_check(got.ordinal == 12 && ss_str_equal(got.event, ss_str("Shown")));
    ss_check(ss_str_equal(got.payload_type, ss_str("a.B")) && !got.session_escaped);
    got = json("{\"snapshot\":{\"sessionId\":\"a\\\"b\",\"snapshotOrdinal\":\"7\",\"entities\":"
               "[{\"kind\":\"k\",\"payload\":{\"entities\":[1]}},{\"kind\":\"k\"}]}}");
    ss_check(strcmp(got.type, "snapshot") == 0 && got.ordinal == 7 && got.entities == 2);
    ss_check(got.session_escaped);
    got = json("{\"subscribed\":{\"sessionId\":\"s\",\"sinceSnapshotOrdinal\":\"42\"}}");
    ss_check(strcmp(got.type, "subscribed") == 0 && got.since == 42);
    ss_check(strcmp(json("{\"hello\":{\"connectionId\":\"c\"}}").type, "hello") == 0);
}

SS_TEST(frame_summary, what_is_malformed_or_cut_is_left_out)
{
    static const char whole[] = "{\"uiEvent\":{\"sessionId\":\"s\",\"name\":\"N\"}}";
    struct ss_frame_summary got;
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        ss__frame_summary(SS_ENCODING_V1_JSON, ss_str_of(whole, len), &got);
        ss_check(strcmp(got.type, len < 11 ? "unknown" : "uiEvent") == 0);
    }
    ss_check(strcmp(json("{\"other\":{}}").type, "unknown") == 0);
    ss_check(strcmp(json("[]").type, "unknown") == 0);
    ss_check(json("{\"uiEvent\":3}").session_id.len == 0);
    ss__frame_summary(SS_ENCODING_V2_PROTOBUF, ss_str("\xff\xff"), &got);
    ss_check(strcmp(got.type, "unknown") == 0);
}

SS_TEST(frame_summary, binary_frames_say_the_same)
{
    struct ss_bytes any;
    struct ss_bytes event;
    struct ss_bytes frame;
    struct ss_frame_summary got;
    ss__bytes_init(&any, 0);
    ss__bytes_init(&event, 0);
    ss__bytes_init(&frame, 0);
    ss__pb_bytes(&any, 1, ss_str("type.googleapis.com/a.B"));
    ss__pb_bytes(&event, 1, ss_str("s"));
    ss__pb_u64(&event, 2, 12);
    ss__pb_bytes(&event, 3, ss_str("Shown"));
    ss__pb_bytes(&event, 4, ss__bytes_view(&any));
    ss__pb_bytes(&frame, 5, ss__bytes_view(&event));
    ss__frame_summary(SS_ENCODING_V2_PROTOBUF, ss__bytes_view(&frame), &got);
    ss_check(strcmp(got.type, "uiEvent") == 0 && got.ordinal == 12);
    ss_check(ss_str_equal(got.session_id, ss_str("s")));
    ss_check(ss_str_equal(got.event, ss_str("Shown")));
    ss_check(ss_str_equal(got.payload_type, ss_str("a.B")));
    ss__bytes_clear(&frame);
    ss__bytes_clear(&event);
    ss__pb_bytes(&event, 1, ss_str("s"));
    ss__pb_u64(&event, 2, 3);
    ss__pb_bytes(&event, 3, ss_str(""));
    ss__pb_bytes(&frame, 2, ss__bytes_view(&event));
    ss__frame_summary(SS_ENCODING_V2_PROTOBUF, ss__bytes_view(&frame), &got);
    ss_check(strcmp(got.type, "snapshot") == 0 && got.ordinal == 3 && got.entities == 1);
    ss__bytes_deinit(&any);
    ss__bytes_deinit(&event);
    ss__bytes_deinit(&frame);
}
