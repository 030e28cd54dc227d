#include "message/trace.h"

#include <stdlib.h>
#include <string.h>

#include "ss_test.h"

static void add(struct ss_trace *trace, uint64_t hash, uint64_t ordinal)
{
    struct ss_pipeline_record record = { .ordinal = ordinal, .event = ss_str("Put"),
                                         .appended = true };
    ss__trace_pipeline(trace, hash, &record);
}

SS_TEST(trace, the_oldest_give_way_and_numbers_go_on)
{
    atomic_uint_fast64_t numbers = 0;
    struct ss_trace_slot out[8];
    struct ss_trace *trace = ss__trace_new(4, &numbers);
    for (uint64_t i = 1; i <= 6; i++) {
        add(trace, 1, i);
    }
    ss_check(atomic_load(&numbers) == 6);
    ss_check(ss__trace_copy(trace, 1, 0, UINT64_MAX, out, 8) == 4);
    for (uint32_t i = 0; i < 4; i++) {
        ss_check(out[i].number == i + 3 && out[i].ordinal == i + 3);
    }
    ss_check(ss__trace_copy(trace, 1, 4, UINT64_MAX, out, 8) == 2 && out[0].number == 5);
    ss_check(ss__trace_copy(trace, 1, 0, 4, out, 8) == 2 && out[1].number == 4);
    ss_check(ss__trace_copy(trace, 1, 0, UINT64_MAX, out, 3) == 3 && out[0].number == 3);
    ss_check(ss__trace_copy(trace, 2, 0, UINT64_MAX, out, 8) == 0);
    free(trace);
}

SS_TEST(trace, rings_of_several_threads_share_their_numbers)
{
    atomic_uint_fast64_t numbers = 0;
    struct ss_trace_slot out[4];
    struct ss_trace *a = ss__trace_new(4, &numbers);
    struct ss_trace *b = ss__trace_new(4, &numbers);
    add(a, 1, 1);
    add(b, 1, 2);
    add(a, 1, 3);
    ss_check(ss__trace_copy(a, 1, 0, UINT64_MAX, out, 4) == 2);
    ss_check(out[0].number == 1 && out[1].number == 3);
    ss_check(ss__trace_copy(b, 1, 0, UINT64_MAX, out, 4) == 1 && out[0].number == 2);
    free(a);
    free(b);
}

SS_TEST(trace, a_slot_tells_what_failed_first_and_cuts_what_is_long)
{
    atomic_uint_fast64_t numbers = 0;
    static char name[SS_NAME_BYTES_MAX + 9];
    struct ss_trace_slot out[2];
    struct ss_trace *trace = ss__trace_new(2, &numbers);
    memset(name, 'n', sizeof name);
    struct ss_pipeline_record record = { .event = ss_str_of(name, sizeof name),
                                         .ui_err = SS_E_HANDLER, .fanout_err = SS_E_NOMEM,
                                         .ui_events_count = 1, .entities_count = 2 };
    ss__trace_pipeline(trace, 1, &record);
    struct ss_transport_record stage = { .stage = SS_TRANSPORT_UI_EVENT_SENT,
                                         .direction = SS_TRANSPORT_SERVER_TO_CLIENT,
                                         .connection_id = ss_str("conn-1"),
                                         .frame_type = ss_str("uiEvent"), .raw_bytes = 77,
                                         .err = SS_E_SLOW };
    ss__trace_transport(trace, 1, &stage);
    ss_check(ss__trace_copy(trace, 1, 0, UINT64_MAX, out, 2) == 2);
    ss_check(strcmp(out[0].step, "ui") == 0 && out[0].err == SS_E_HANDLER);
    ss_check(strlen(out[0].event) == SS_NAME_BYTES_MAX && !out[0].is_transport);
    ss_check(out[0].ui_events == 1 && out[0].entities == 2);
    ss_check(out[1].is_transport && out[1].word == SS_TRANSPORT_UI_EVENT_SENT);
    ss_check(strcmp(out[1].connection, "conn-1") == 0 && out[1].raw_bytes == 77);
    ss_check(strcmp(out[1].frame_type, "uiEvent") == 0 && out[1].err == SS_E_SLOW);
    free(trace);
}
