/* damage.h - more damage than store_fixture.h does, for the tests of recovery. */
#ifndef SS_TESTS_DAMAGE_H
#define SS_TESTS_DAMAGE_H

#include "core/hash.h"
#include "store/bytes_order.h"
#include "store_fixture.h"

/* Writes another session number or ordinal to the @index-th record. @sealed: its checksum fits. */
static inline void fixture_forge(struct fixture *f, unsigned index, uint64_t sid, uint64_t ordinal,
                                 bool sealed)
{
    uint8_t bytes[512];
    struct ss_log log;
    struct ss_log_record record;
    const struct ss_log_known known = { .synced = true };
    uint64_t position = fixture_position(f, index);
    ss_check(ss__log_open(&log, f->shard_dir, 0, f->options.directory_id, 0, true, NULL) == 0);
    const struct ss_log_visitor visitor = { fixture_on_record, fixture_on_gap, fixture_on_torn };
    static struct fixture_log found;
    found = (struct fixture_log){ 0 };
    ss_check(ss__log_walk(&log, &known, &visitor, &found) == 0);
    ss_check(ss__log_read(&log, position, &record) == 0 && record.kind == SS_LOG_EVENT);
    ss_check(record.len <= sizeof bytes);
    memcpy(bytes, ss__log_bytes_from(&log, position).data, record.len);
    ss__put_le64(bytes + 16, sid);
    ss__put_le64(bytes + 24, ordinal);
    if (sealed) {
        ss__put_le64(bytes + record.len - 8,
                     ss__checksum_seeded(log.seed, bytes, record.len - 8));
    }
    ss__log_close(&log);
    fixture_write_log(f, position, bytes, record.len);
}

/* The store is refused with a sentence that has @part in it. */
static inline void fixture_open_fails(struct fixture *f, int code, const char *part)
{
    struct ss_failure failure = { 0 };
    struct ss_store *store;
    struct ss_store_report report;
    int err = ss__store_open(&f->options, &store, &report, &failure);
    ss_check_msg(err == code, "%s", ss_error_name(err));
    ss_check_msg(strstr(failure.text, part) != NULL, "%s", failure.text);
}

#endif
