/* What a reader takes along of the log: what it asked for, and no more. */
#include "store/tail.h"

#include "store_fixture.h"

#include "store/bytes_order.h"
#include "store/log.h"
#include "store/record.h"
#include "store/store_state.h"

#define FLUSHED 64
#define NEWEST 70
#define PAYLOAD 100

struct taken {
    uint64_t first;
    uint64_t last;
    uint64_t at;
    size_t bytes;
};

static void open_tail(struct fixture *f)
{
    fixture_open(f);
    fixture_publish(f, "a", FLUSHED, PAYLOAD, 16);
    fixture_flush_all(f);
    fixture_publish(f, "other", 1, PAYLOAD, 1);
    fixture_publish(f, "a", NEWEST - FLUSHED, PAYLOAD, 2);
}

static struct taken take(struct fixture *f, uint64_t after, uint64_t at, size_t bytes_max)
{
    struct ss_bytes out;
    struct taken taken = { .first = 0 };
    struct ss_store_session *session = fixture_session(f, "a");
    ss_check(ss__tail_copy(f->store, session, after, at, bytes_max, &out, &taken.at) == 0);
    for (size_t place = 0; place < out.len;) {
        struct ss_log_record record;
        struct ss_str rest = ss_str_of(out.data + place, out.len - place);
        ss_check(ss__log_record_decode(rest, f->store->log.seed, &record) == 0);
        ss_check(record.event.ordinal == (taken.first == 0 ? record.event.ordinal
                                                           : taken.last + 1));
        ss_check(ss_str_equal(record.event.payload,
                              fixture_payload(ss_str("a"), record.event.ordinal, PAYLOAD)));
        taken.first = taken.first == 0 ? record.event.ordinal : taken.first;
        taken.last = record.event.ordinal;
        place += record.len;
    }
    taken.bytes = out.len;
    ss_check(out.cap == out.len);
    ss__bytes_deinit(&out);
    ss__store_put_session(f->store, session);
    return taken;
}

SS_TEST(tail, holds_the_events_between_and_no_others)
{
    struct fixture f;
    open_tail(&f);
    for (uint64_t after = 0; after <= NEWEST; after++) {
        for (uint64_t at = after; at <= NEWEST; at++) {
            struct taken taken = take(&f, after, at, 0);
            uint64_t first = after < FLUSHED ? FLUSHED + 1 : after + 1;
            bool some = first <= at;
            ss_check(taken.first == (some ? first : 0) && taken.last == (some ? at : 0));
            ss_check(taken.at == at);
        }
    }
    fixture_end(&f);
}

SS_TEST(tail, is_as_long_as_it_may_be_and_one_event_at_least)
{
    struct fixture f;
    open_tail(&f);
    size_t one = take(&f, FLUSHED, FLUSHED + 1, 0).bytes;
    ss_check(one > PAYLOAD);
    for (size_t max = 1; max <= one * 7; max += one / 2) {
        struct taken taken = take(&f, 0, NEWEST, max);
        uint64_t fit = max / one < 1 ? 1 : max / one > 6 ? 6 : max / one;
        ss_check(taken.first == FLUSHED + 1 && taken.last == FLUSHED + fit);
        ss_check(taken.at == taken.last && taken.bytes == one * fit);
    }
    fixture_end(&f);
}

SS_TEST(tail, leaves_out_what_is_staged)
{
    struct fixture f;
    open_tail(&f);
    struct ss_store_session *session = fixture_session(&f, "a");
    fixture_stage(&f, session, 3, PAYLOAD);
    ss_check(take(&f, 0, NEWEST + 3, 0).last == NEWEST);
    ss__store_abort(f.store);
    ss__store_put_session(f.store, session);
    fixture_end(&f);
}

SS_TEST(tail, ends_where_a_record_has_no_length_and_does_not_say_that_this_is_all)
{
    struct fixture f;
    uint8_t none[4];
    open_tail(&f);
    struct ss_store_session *session = fixture_session(&f, "a");
    ss__put_le32(none, UINT32_MAX);
    fixture_write_log(&f, session->tail[3], none, sizeof none);
    struct taken taken = take(&f, 0, NEWEST, 0);
    ss_check(taken.last == FLUSHED + 3 && taken.at == NEWEST);
    taken = take(&f, 0, NEWEST, 1u << 20);
    ss_check(taken.last == FLUSHED + 3 && taken.at == NEWEST);
    ss__store_put_session(f.store, session);
    fixture_end(&f);
}
