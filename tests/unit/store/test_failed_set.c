/* Failed events in rows and checkpoints. */
#include "store_fixture.h"

static struct ss_failed_set set_of(uint64_t first, uint64_t total)
{
    struct ss_failed_set set = { 0 };
    for (uint64_t i = 0; i < total; i++) {
        ss__failed_add(&set, first + i);
    }
    return set;
}

static bool same(const struct ss_failed_set *a, const struct ss_failed_set *b)
{
    return a->total == b->total && a->named == b->named &&
           memcmp(a->ordinals, b->ordinals, a->named * sizeof a->ordinals[0]) == 0;
}

static struct ss_row_value row_sample(uint64_t failed)
{
    return (struct ss_row_value){ .ordinal = 70, .first_retained = 1, .timeline_ordinal = 60,
                                  .tip = { 65, 6, 600 }, .running = true, .id = ss_str("one"),
                                  .failed = set_of(3, failed) };
}

SS_TEST(failed_set, the_oldest_are_named_and_more_are_counted)
{
    struct ss_failed_set set = set_of(5, SS_FAILED_ORDINALS_MAX + 3);
    ss_check(set.named == SS_FAILED_ORDINALS_MAX && set.total == SS_FAILED_ORDINALS_MAX + 3);
    ss_check(set.ordinals[0] == 5 && set.ordinals[15] == 20);
}

SS_TEST(failed_set, a_row_tells_it_again_and_every_bit_counts)
{
    static const uint64_t counts[] = { 1, 2, SS_FAILED_ORDINALS_MAX, SS_FAILED_ORDINALS_MAX + 9 };
    uint8_t bytes[SS_ROW_BYTES_MAX + 1] = { 0 };
    struct ss_row_value got;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct ss_row_value row = row_sample(counts[i]);
        size_t len = ss__row_encode(bytes, 7, &row);
        ss_check(ss__row_decode(7, ss_str_of(bytes, len), &got) == 0 && got.running);
        ss_check(same(&got.failed, &row.failed) && ss_str_equal(got.id, row.id));
        for (size_t cut = 0; cut < len; cut++) {
            ss_check(ss__row_decode(7, ss_str_of(bytes, cut), &got) == SS_E_CORRUPT);
        }
        for (size_t bit = 0; bit < len * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            ss_check(ss__row_decode(7, ss_str_of(bytes, len), &got) == SS_E_CORRUPT);
            bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
}

static int decode(const struct ss_row_value *row)
{
    uint8_t bytes[SS_ROW_BYTES_MAX];
    struct ss_row_value got;
    return ss__row_decode(7, ss_str_of(bytes, ss__row_encode(bytes, 7, row)), &got);
}

SS_TEST(failed_set, one_that_cannot_be_is_damage)
{
    struct ss_row_value row = row_sample(3);
    ss_check(decode(&row) == 0);
    row.failed.ordinals[1] = row.failed.ordinals[0];    /* not ascending */
    ss_check(decode(&row) == SS_E_CORRUPT);
    row = row_sample(3);
    row.failed.ordinals[2] = row.timeline_ordinal + 1;
    ss_check(decode(&row) == SS_E_CORRUPT);
    row = row_sample(3);
    row.failed.ordinals[0] = 0;
    ss_check(decode(&row) == SS_E_CORRUPT);
    row = row_sample(3);
    row.failed.total = 4;    /* the fourth would be named */
    ss_check(decode(&row) == SS_E_CORRUPT);
    row.failed.total = 2;
    ss_check(decode(&row) == SS_E_CORRUPT);
}

static void check_image(struct fixture *f, const char *id, uint64_t timeline,
                        const struct ss_failed_set *failed)
{
    struct ss_store_session *session;
    struct ss_image_request *request;
    struct ss_image image;
    ss_check(ss__store_get_session(f->store, ss_str(id), &session) == 0);
    ss_check(ss__store_image_request(f->store, session, false, &request) == 0);
    ss_check(ss__store_read_image(f->store, request, &image) == 0);
    ss_check(image.row.timeline_ordinal == timeline && same(&image.failed, failed));
    ss__image_deinit(&image);
    ss__store_image_request_free(request);
    ss__store_put_session(f->store, session);
}

SS_TEST(failed_set, a_checkpoint_brings_it_and_later_flushes_keep_it)
{
    struct fixture f;
    struct ss_failed_set failed = set_of(2, 2);
    struct ss_failed_set none = { 0 };
    struct ss_store_session *session;
    fixture_open(&f);
    fixture_publish(&f, "one", 5, 50, 1);
    ss_check(ss__store_get_session(f.store, ss_str("one"), &session) == 0);
    ss_check(ss__store_stage_checkpoint(f.store, session, NULL, 0, 4, 7) == 0);
    ss__store_stage_failed(f.store, &failed);
    fixture_flush_all(&f);
    check_image(&f, "one", 4, &failed);
    fixture_publish(&f, "one", 70, 50, 1);    /* a flush without a checkpoint writes the row */
    fixture_flush_all(&f);
    check_image(&f, "one", 4, &failed);
    ss__store_put_session(f.store, session);
    fixture_crash(&f);
    fixture_reopen(&f);
    check_image(&f, "one", 4, &failed);
    ss_check(ss__store_get_session(f.store, ss_str("one"), &session) == 0);
    ss_check(ss__store_void_timeline(session) == 0 && ss__store_timeline_is_void(session));
    check_image(&f, "one", 0, &none);
    ss__store_keep_timeline(session);
    ss_check(!ss__store_timeline_is_void(session));
    check_image(&f, "one", 4, &failed);
    ss_check(ss__store_void_timeline(session) == 0);
    ss_check(ss__store_stage_checkpoint(f.store, session, NULL, 0, 75, 7) == 0);
    fixture_flush_all(&f);
    check_image(&f, "one", 75, &none);
    ss__store_put_session(f.store, session);
    fixture_close(&f);
    fixture_check_clean(&f);
    fixture_end(&f);
}
