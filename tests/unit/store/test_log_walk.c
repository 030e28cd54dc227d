#include "store/log_walk.h"

#include "store_fixture.h"

#define FILE_BYTES (16u << 10)

struct place {
    char root[256];
    struct ss_log log;
    uint64_t heads[64];      /* where the batches begin, by number - 1 */
    /* what the last walk has met */
    uint64_t ordinals;       /* the newest, if none was left out */
    unsigned records;
    unsigned damaged;
    unsigned gaps;
    unsigned torn;
    uint64_t place;          /* of the last gap or torn batch */
    uint64_t bytes;
    int answer;              /* of the visitor */
};

static void log_open(struct place *place)
{
    ss_check(ss__log_open(&place->log, place->root, 0, 7, FILE_BYTES, false, NULL) == 0);
}

static void place_open(struct place *place)
{
    *place = (struct place){ 0 };
    ss__fault_reset();
    fixture_make_root(place->root, sizeof place->root);
    log_open(place);
    ss_check(ss__log_roll(&place->log, 0) == 0);
}

static void place_end(struct place *place)
{
    ss__log_close(&place->log);
    (void)nftw(place->root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A batch of two events of 400 bytes: two blocks. */
static void append(struct place *place)
{
    uint8_t batch[4096] = { 0 };
    struct ss_log *log = &place->log;
    uint64_t len = SS_LOG_BATCH_HEAD_BYTES;
    if (ss__log_room(log) < 1024) {
        ss_check(ss__log_roll(log, 1024) == 0);
    }
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t ordinal = log->next_batch * 2 - 1 + i;
        struct ss_record record = { .ordinal = ordinal, .type_id = 1,
                                    .payload = fixture_payload(ss_str("x"), ordinal, 400) };
        ss__log_event_encode(batch + len, log->seed, log->next_batch, 1, &record);
        len += ss__log_event_bytes(&record);
    }
    const struct ss_log_file *file = ss__log_current(log);
    struct ss_log_batch_head head = { file->head.serial, log->next_batch, 2, len };
    ss__log_batch_encode(batch, log->seed, &head);
    place->heads[log->next_batch - 1] = ss__log_position(head.serial, file->end);
    ss_check(ss__log_append(log, batch, ss__log_round(len), 2) == 0);
}

static void append_all(struct place *place, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        append(place);
    }
}

static int on_record(void *ctx, struct ss_log_file *file, uint64_t position,
                     const struct ss_log_record *record, bool damaged)
{
    struct place *place = ctx;
    ss_check(position >> 32 == file->head.serial);
    place->records++;
    place->damaged += damaged ? 1 : 0;
    place->ordinals += !damaged && record->event.ordinal == place->ordinals + 1 ? 1 : 0;
    return place->answer;
}

static int on_gap(void *ctx, struct ss_log_file *file, uint64_t position, uint64_t bytes,
                  const char *what)
{
    struct place *place = ctx;
    ss_check(position >> 32 == file->head.serial && what[0] != '\0');
    place->gaps++;
    place->place = position;
    place->bytes = bytes;
    return place->answer;
}

static void on_torn(void *ctx, struct ss_log_file *file, uint64_t position, uint64_t bytes)
{
    struct place *place = ctx;
    ss_check(position >> 32 == file->head.serial && bytes > 0);
    place->torn++;
    place->place = position;
}

static int walk_known(struct place *place, const struct ss_log_known *known)
{
    static const struct ss_log_visitor visitor = { on_record, on_gap, on_torn };
    ss__log_close(&place->log);
    log_open(place);
    place->ordinals = place->place = place->bytes = 0;
    place->records = place->damaged = place->gaps = place->torn = 0;
    return ss__log_walk(&place->log, known, &visitor, place);
}

static void walk(struct place *place, bool synced)
{
    ss_check(walk_known(place, &(struct ss_log_known){ .synced = synced }) == 0);
}

static void flip(struct place *place, uint64_t position)
{
    struct fixture f;
    (void)snprintf(f.shard_dir, sizeof f.shard_dir, "%s", place->root);
    fixture_flip_log(&f, position);
}

static bool met(const struct place *place, unsigned records, unsigned damaged, unsigned gaps,
                unsigned torn)
{
    return place->records == records && place->damaged == damaged && place->gaps == gaps &&
           place->torn == torn;
}

SS_TEST(log_walk, every_record_comes_once_in_order_over_all_files)
{
    struct place place;
    place_open(&place);
    walk(&place, true);
    ss_check(met(&place, 0, 0, 0, 0) && place.log.next_batch == 1);
    append_all(&place, 40);
    size_t files = place.log.count;
    uint64_t end = ss__log_current(&place.log)->end;
    for (int synced = 0; synced < 2; synced++) {
        walk(&place, synced == 1);
        ss_check(met(&place, 80, 0, 0, 0) && place.ordinals == 80);
        ss_check(place.log.next_batch == 41 && place.log.count == files && files == 3);
        ss_check(ss__log_current(&place.log)->end == end);
        ss_check(place.log.files[0]->records == 30 && place.log.files[2]->records == 20);
    }
    place_end(&place);
}

SS_TEST(log_walk, last_batch_cut_anywhere_is_the_end)
{
    struct place place;
    place_open(&place);
    append_all(&place, 3);
    const uint64_t last = place.heads[2];
    for (uint64_t at = 0; at < SS_LOG_BATCH_HEAD_BYTES + 2 * 456; at += 7) {
        for (int synced = 0; synced < 2; synced++) {
            flip(&place, last + at);
            walk(&place, synced == 1);
            bool silent = !synced && at < SS_LOG_BATCH_HEAD_BYTES;
            ss_check_msg(met(&place, 4, 0, 0, silent ? 0 : 1), "%u %u %u %u", (unsigned)at,
                         place.records, place.gaps, place.torn);
            ss_check(silent || place.place == last);
            ss_check(place.log.next_batch == 3);
            ss_check(ss__log_current(&place.log)->end == (last & UINT32_MAX));
            flip(&place, last + at);
        }
    }
    place_end(&place);
}

SS_TEST(log_walk, last_batch_that_was_whole_once_is_damage)
{
    struct place place;
    const struct ss_log_known known = { .synced = true, .next_batch = 4 };
    place_open(&place);
    append_all(&place, 3);
    flip(&place, place.heads[2] + 100);
    ss_check(walk_known(&place, &known) == 0);
    ss_check(met(&place, 6, 1, 0, 0) && place.log.next_batch == 4);
    place_end(&place);
}

SS_TEST(log_walk, damage_before_a_readable_batch_costs_what_it_hit)
{
    struct place place;
    place_open(&place);
    append_all(&place, 3);
    flip(&place, place.heads[1] + SS_LOG_BATCH_HEAD_BYTES + 100);
    walk(&place, true);
    ss_check(met(&place, 6, 1, 0, 0) && place.log.next_batch == 4);
    flip(&place, place.heads[1] + SS_LOG_BATCH_HEAD_BYTES + 100);

    flip(&place, place.heads[1] + SS_LOG_BATCH_HEAD_BYTES + 3);    /* the length */
    walk(&place, true);
    ss_check(met(&place, 5, 1, 1, 0) && place.log.next_batch == 4);
    ss_check(place.place == place.heads[1] + SS_LOG_BATCH_HEAD_BYTES && place.bytes == 2 * 456);
    flip(&place, place.heads[1] + SS_LOG_BATCH_HEAD_BYTES + 3);

    flip(&place, place.heads[1] + 20);    /* the head */
    walk(&place, true);
    ss_check(met(&place, 4, 0, 1, 0) && place.log.next_batch == 4);
    ss_check(place.place == place.heads[1] && place.bytes == 1024);
    place_end(&place);
}

SS_TEST(log_walk, without_syncs_the_first_unreadable_batch_of_the_newest_file_is_the_end)
{
    struct place place;
    place_open(&place);
    append_all(&place, 3);
    flip(&place, place.heads[1] + 20);
    walk(&place, false);
    ss_check(met(&place, 2, 0, 0, 0) && place.log.next_batch == 2);
    flip(&place, place.heads[1] + 20);
    flip(&place, place.heads[1] + 100);
    walk(&place, false);
    ss_check(met(&place, 2, 0, 0, 1) && place.log.next_batch == 2);
    ss_check(place.place == place.heads[1]);
    place_end(&place);
}

SS_TEST(log_walk, file_before_another_was_whole_and_its_last_batch_is_missed)
{
    struct place place;
    place_open(&place);
    append_all(&place, 16);
    ss_check(place.log.count == 2);
    flip(&place, place.heads[14] + 20);
    for (int synced = 0; synced < 2; synced++) {
        walk(&place, synced == 1);
        ss_check(met(&place, 30, 0, 1, 0) && place.log.next_batch == 17);
        ss_check(place.place == place.heads[14] && place.bytes == 1024);
        ss_check(place.log.files[0]->end == 512 + 15 * 1024);
    }
    flip(&place, place.heads[14] + 20);
    flip(&place, place.heads[14] + 100);
    walk(&place, false);
    ss_check(met(&place, 32, 1, 0, 0));
    place_end(&place);
}

SS_TEST(log_walk, damaged_first_block_costs_no_batch)
{
    for (unsigned damaged = 1; damaged <= 3; damaged++) {
        struct place place;
        place_open(&place);
        append_all(&place, 40);
        flip(&place, ss__log_position(damaged, 30));
        walk(&place, true);
        ss_check_msg(place.records == 80 && place.damaged == 0 && place.ordinals == 80,
                     "%u: %u records", damaged, place.records);
        ss_check(place.gaps >= 1 && place.torn == 0 && place.log.next_batch == 41);
        place_end(&place);
    }
}

SS_TEST(log_walk, missing_file_is_found_from_the_needed_one_on)
{
    struct place place;
    struct fixture f;
    place_open(&place);
    append_all(&place, 40);
    (void)snprintf(f.shard_dir, sizeof f.shard_dir, "%s", place.root);
    ss_check(walk_known(&place, &(struct ss_log_known){ true, 1, 0, 0 }) == 0);
    ss_check(walk_known(&place, &(struct ss_log_known){ true, 3, 0, 0 }) == 0);
    ss_check(walk_known(&place, &(struct ss_log_known){ true, 4, 0, 0 }) == SS_E_CORRUPT);
    fixture_delete_log(&f, 2);
    ss_check(walk_known(&place, &(struct ss_log_known){ true, 1, 0, 0 }) == SS_E_CORRUPT);
    ss_check(walk_known(&place, &(struct ss_log_known){ true, 2, 0, 0 }) == SS_E_CORRUPT);
    ss_check(walk_known(&place, &(struct ss_log_known){ true, 3, 0, 0 }) == 0);
    ss_check(met(&place, 50, 0, 0, 0) && place.log.next_batch == 41);
    place_end(&place);
}

SS_TEST(log_walk, batches_of_an_earlier_life_of_the_file_do_not_count)
{
    struct place place;
    place_open(&place);
    append_all(&place, 15);
    uint64_t taken = place.log.next_batch;
    ss_check(ss__log_roll(&place.log, 0) == 0);
    for (size_t i = 0; i < place.log.count; i++) {
        place.log.files[i]->live = 0;
    }
    (void)ss__log_trim(&place.log, ss__log_needed(&place.log));
    ss_check(place.log.spares_count == 1);
    ss_check(ss__log_roll(&place.log, 0) == 0 && place.log.spares_count == 0);
    ss_check(ss__log_current(&place.log)->map[600] != 0);    /* the old bytes */
    for (int synced = 0; synced < 2; synced++) {
        walk(&place, synced == 1);
        ss_check(met(&place, 0, 0, 0, 0) && place.log.next_batch == taken);
    }
    append_all(&place, 2);
    for (int synced = 0; synced < 2; synced++) {
        walk(&place, synced == 1);
        ss_check(met(&place, 4, 0, 0, 0) && place.log.next_batch == taken + 2);
    }
    flip(&place, place.heads[taken] + 100);    /* the newest; what follows is old */
    walk(&place, true);
    ss_check(met(&place, 2, 0, 0, 1) && place.log.next_batch == taken + 1);
    place_end(&place);
}

SS_TEST(log_walk, file_cut_off_is_read_as_far_as_it_goes)
{
    struct place place;
    struct fixture f;
    place_open(&place);
    append_all(&place, 3);
    (void)snprintf(f.shard_dir, sizeof f.shard_dir, "%s", place.root);
    fixture_truncate_log(&f, 1, (place.heads[2] & UINT32_MAX) + 300);
    walk(&place, true);
    ss_check(place.records == 4 && place.ordinals == 4 && place.gaps >= 1);
    fixture_truncate_log(&f, 1, 0);
    walk(&place, true);
    ss_check(met(&place, 0, 0, 1, 0));
    place_end(&place);
}

SS_TEST(log_walk, answer_of_a_visitor_stops_it)
{
    struct place place;
    place_open(&place);
    append_all(&place, 3);
    place.answer = SS_E_NOMEM;
    ss_check(walk_known(&place, &(struct ss_log_known){ .synced = true }) == SS_E_NOMEM);
    ss_check(place.records == 1);
    flip(&place, place.heads[0] + 20);
    ss_check(walk_known(&place, &(struct ss_log_known){ .synced = true }) == SS_E_NOMEM);
    ss_check(place.records == 0 && place.gaps == 1);
    place_end(&place);
}

SS_TEST(log_walk, end_mark_ends_a_file_whatever_stands_behind_it)
{
    struct place place;
    place_open(&place);
    append_all(&place, 5);
    struct ss_log_file *file = ss__log_current(&place.log);
    uint8_t mark[SS_LOG_BLOCK_BYTES] = { 0 };
    struct ss_log_batch_head head = { 1, 4, 0, SS_LOG_BATCH_HEAD_BYTES };
    ss__log_batch_encode(mark, place.log.seed, &head);
    file->end = place.heads[3] & UINT32_MAX;
    ss_check(ss__log_file_mark(file, mark) == 0);
    for (int synced = 0; synced < 2; synced++) {
        walk(&place, synced == 1);
        ss_check(met(&place, 6, 0, 0, 0) && place.log.next_batch == 4);
        ss_check(ss__log_current(&place.log)->end == (place.heads[3] & UINT32_MAX));
    }
    flip(&place, place.heads[2] + 20);    /* damage before it is still found */
    walk(&place, true);
    ss_check(met(&place, 4, 0, 1, 0) && place.bytes == 1024);
    place_end(&place);
}
