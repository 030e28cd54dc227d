#include "store/log_walk.h"

#include <sessionstream/error.h>

struct walk {
    struct ss_log *log;
    const struct ss_log_visitor *visitor;
    void *ctx;
    const struct ss_log_known *known;
};

struct batch {
    uint64_t offset;
    uint64_t next;        /* where the one behind it begins */
    struct ss_log_batch_head head;
};

static struct ss_str bytes_at(const struct ss_log_file *file, uint64_t offset, uint64_t limit)
{
    return ss_str_of(file->map + offset, limit - offset);
}

/* True if a batch of this life of the file begins at @offset and ends before @limit. */
static bool batch_at(const struct walk *walk, const struct ss_log_file *file, uint64_t offset,
                     uint64_t limit, struct batch *ret_batch)
{
    struct batch batch = { .offset = offset };
    if (ss__log_batch_decode(bytes_at(file, offset, limit), walk->log->seed, &batch.head) != 0 ||
        batch.head.serial != file->head.serial) {
        return false;
    }
    batch.next = offset + ss__log_round(batch.head.bytes);
    batch.next = batch.next < limit ? batch.next : limit;
    *ret_batch = batch;
    return true;
}

/* The first batch from @offset on, which comes after batch @number. */
static bool find_batch(const struct walk *walk, const struct ss_log_file *file, uint64_t offset,
                       uint64_t limit, uint64_t number, struct batch *ret_batch)
{
    for (; offset + SS_LOG_BATCH_HEAD_BYTES <= limit; offset += SS_LOG_BLOCK_BYTES) {
        if (batch_at(walk, file, offset, limit, ret_batch) && ret_batch->head.number >= number) {
            return true;
        }
    }
    return false;
}

static bool is_sound(const struct walk *walk, const struct ss_log_file *file,
                     const struct batch *batch)
{
    uint64_t at = batch->offset + SS_LOG_BATCH_HEAD_BYTES;
    uint64_t limit = batch->offset + batch->head.bytes;
    for (uint32_t i = 0; i < batch->head.records; i++) {
        struct ss_log_record record;
        if (ss__log_record_decode(bytes_at(file, at, limit), walk->log->seed, &record) != 0 ||
            record.batch != batch->head.number) {
            return false;
        }
        at += record.len;
    }
    return true;
}

static int visit_batch(const struct walk *walk, struct ss_log_file *file,
                       const struct batch *batch)
{
    uint64_t at = batch->offset + SS_LOG_BATCH_HEAD_BYTES;
    uint64_t limit = batch->offset + batch->head.bytes;
    for (uint32_t i = 0; i < batch->head.records; i++) {
        struct ss_log_record record;
        bool damaged =
            ss__log_record_decode(bytes_at(file, at, limit), walk->log->seed, &record) != 0 ||
            record.batch != batch->head.number;
        file->records++;
        int err = walk->visitor->record(walk->ctx, file,
                                        ss__log_position(file->head.serial, at), &record, damaged);
        if (err != 0) {
            return err;
        }
        if (record.len == 0) {    /* where the others begin cannot be told */
            return walk->visitor->gap(walk->ctx, file, ss__log_position(file->head.serial, at),
                                      limit - at, "the rest of a batch cannot be read");
        }
        at += record.len;
    }
    return 0;
}

static int report_gap(const struct walk *walk, struct ss_log_file *file, uint64_t from,
                      uint64_t to, const char *what)
{
    return walk->visitor->gap(walk->ctx, file, ss__log_position(file->head.serial, from), to - from,
                              what);
}

/* True if no batch begins at @offset but a record of the expected one follows: its head was not
 * written, or is damaged. */
static bool has_remains(const struct walk *walk, const struct ss_log_file *file, uint64_t offset,
                        uint64_t limit)
{
    struct ss_log_record record;
    uint64_t at = offset + SS_LOG_BATCH_HEAD_BYTES;
    return at < limit &&
           ss__log_record_decode(bytes_at(file, at, limit), walk->log->seed, &record) == 0 &&
           record.batch == walk->log->next_batch;
}

/* What is known of the end of a file. */
struct extent {
    uint64_t limit;
    bool linked;    /* the file behind it says where it ends */
    bool newest;
};

/* No batch that was expected begins at *@offset. 1: the file ends here. */
static int step_over(const struct walk *walk, struct ss_log_file *file,
                     const struct extent *extent, uint64_t *offset)
{
    uint64_t *expected = &walk->log->next_batch;
    struct batch later;
    bool found = find_batch(walk, file, *offset, extent->limit, *expected, &later);
    if (extent->newest && !walk->known->synced) {
        return 1;
    }
    if (!found && !extent->linked) {
        if (extent->newest && has_remains(walk, file, *offset, extent->limit)) {
            walk->visitor->torn(walk->ctx, file, ss__log_position(file->head.serial, *offset),
                                extent->limit - *offset);
        }
        return 1;
    }
    uint64_t to = found ? later.offset : extent->limit;
    int err = report_gap(walk, file, *offset, to, "batches cannot be read");
    *offset = to;
    *expected = found ? later.head.number : *expected;
    return err;
}

/* Takes the batch at *@offset, or what stands in its place, and moves on. 1: the file ends here. */
static int step(const struct walk *walk, struct ss_log_file *file, const struct extent *extent,
                uint64_t *offset)
{
    uint64_t *expected = &walk->log->next_batch;
    struct batch batch;
    struct batch later;
    bool found = batch_at(walk, file, *offset, extent->limit, &batch);
    if (found && batch.head.records == 0) {
        return 1;
    }
    if (!found || batch.head.number != *expected) {
        return step_over(walk, file, extent, offset);
    }
    if (extent->newest && *expected >= walk->known->next_batch && !is_sound(walk, file, &batch) &&
        (!walk->known->synced ||
         !find_batch(walk, file, batch.next, extent->limit, *expected + 1, &later))) {
        walk->visitor->torn(walk->ctx, file, ss__log_position(file->head.serial, *offset),
                            batch.head.bytes);
        return 1;
    }
    int err = visit_batch(walk, file, &batch);
    *expected = batch.head.number + 1;
    *offset = batch.next;
    return err;
}

static int walk_file(const struct walk *walk, size_t index)
{
    struct ss_log *log = walk->log;
    struct ss_log_file *file = log->files[index];
    const struct ss_log_file *next = index + 1 < log->count ? log->files[index + 1] : NULL;
    struct extent extent = { .limit = file->head.bytes, .newest = next == NULL };
    extent.linked = next != NULL && !next->damaged &&
                    next->head.previous_serial == file->head.serial &&
                    next->head.previous_end <= file->head.bytes;
    if (extent.linked) {
        extent.limit = next->head.previous_end;
    }
    uint64_t offset = SS_LOG_BLOCK_BYTES;
    int err = 0;
    if (file->damaged) {
        err = report_gap(walk, file, 0, file->head.bytes,
                         "the first block is damaged or the file was cut off");
    } else if (index == 0 || file->head.first_batch > log->next_batch) {
        log->next_batch = file->head.first_batch;
    }
    ss__log_file_read_begin(file);
    while (err == 0 && offset < extent.limit && file->map != NULL) {
        err = step(walk, file, &extent, &offset);
    }
    ss__log_file_read_end(file);
    file->end = extent.linked ? extent.limit : offset;
    return err == 1 ? 0 : err;
}

static bool file_missing(const struct ss_log *log, uint64_t needed)
{
    uint64_t expected = needed;
    for (size_t i = 0; i < log->count && needed != 0; i++) {
        uint64_t serial = log->files[i]->head.serial;
        if (serial >= needed) {
            if (serial != expected) {
                return true;
            }
            expected++;
        }
    }
    return needed != 0 && expected == needed;
}

int ss__log_walk(struct ss_log *log, const struct ss_log_known *known,
                 const struct ss_log_visitor *visitor, void *ctx)
{
    struct walk walk = { log, visitor, ctx, known };
    if (file_missing(log, known->needed_serial)) {
        return SS_E_CORRUPT;
    }
    int err = 0;
    for (size_t i = 0; i < log->count && err == 0; i++) {
        err = log->files[i]->head.serial < known->oldest_serial ? 0 : walk_file(&walk, i);
    }
    return err;
}

int ss__log_secure(struct ss_log *log)
{
    struct walk walk = { .log = log };
    struct ss_log_file *file = ss__log_current(log);
    struct batch batch;
    uint64_t end = SS_LOG_BLOCK_BYTES;
    if (file == NULL || file->map == NULL) {
        return 0;
    }
    ss__log_file_read_begin(file);
    while (find_batch(&walk, file, end, file->head.bytes, 0, &batch)) {
        end = batch.next;
    }
    ss__log_file_read_end(file);
    int err = ss__log_file_rewrite(file, end);
    log->unsynced = true;
    return err != 0 ? err : ss__log_sync(log);
}
