/* A log of one or two files as a crash or a damaged disk may leave it. The first byte says what is
 * known of it, each further byte puts one thing behind what is there: a batch, one with a bit
 * turned round, one of an earlier life of the file, an end mark, a gap in the numbers, rubbish.
 *
 * A record is never shown as sound that was not written so; places ascend and lie in their file;
 * the walk is the same each time. Where only bits were turned round and batches were synced, every
 * sound batch before the last sound one is shown, and what is missing is reported; without syncs
 * what is shown is what was written up to the first flaw. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdlib.h>

#include <sessionstream/error.h>

#include "core/hash.h"
#include "store/bytes_order.h"
#include "store/log_walk.h"

#define SEED 99u
#define FILE_BLOCKS 24u
#define FILE_BYTES (FILE_BLOCKS * SS_LOG_BLOCK_BYTES)
#define BATCHES_MAX (2 * FILE_BLOCKS)
#define BATCH_BYTES_MAX (4 * SS_LOG_BLOCK_BYTES)

enum { OF_BITS_ONLY = 1, OF_SYNCED = 2, OF_TWO_FILES = 4, OF_UNLINKED = 8 };

struct batch {
    uint64_t position;
    uint64_t number;
    uint64_t bytes;
    uint32_t records;
    bool sound;
    uint32_t seen;      /* of its records, undamaged */
};

struct image {
    struct ss_log log;
    struct ss_log_file files[2];
    struct ss_log_file *order[2];
    uint8_t *bytes[2];
    uint64_t end;                   /* of the file being filled */
    uint64_t next_batch;
    struct batch batches[BATCHES_MAX];
    unsigned count;
    unsigned flags;
};

struct shown {
    struct image *image;
    uint64_t last;          /* position */
    uint64_t hash;          /* of all that was shown */
    unsigned sound;
    unsigned damaged;
    unsigned gaps;
    unsigned torn;
};

/* ---- what is written ---- */

static struct ss_log_file *current(struct image *image)
{
    return image->order[image->log.count - 1];
}

/* The walk tells the kernel to forget the pages of a map, which these are not. */
#define UNALIGNED 16

static void begin_file(struct image *image, unsigned index)
{
    struct ss_log_file *file = &image->files[index];
    const struct ss_log_file *before = index > 0 ? &image->files[0] : NULL;
    uint8_t *memory = calloc(1, FILE_BYTES + UNALIGNED);
    ss_check(memory != NULL);
    image->bytes[index] = memory + UNALIGNED;
    *file = (struct ss_log_file){ .fd = -1, .map = image->bytes[index] };
    file->head = (struct ss_log_head){ .directory_id = 7, .serial = 5 + index,
                                       .bytes = FILE_BYTES, .first_batch = image->next_batch };
    if (before != NULL && (image->flags & OF_UNLINKED) == 0) {
        file->head.previous_serial = before->head.serial;
        file->head.previous_end = image->end;
    }
    ss__log_head_encode(image->bytes[index], &file->head);
    ss_check(ss__log_head_decode(ss_str_of(file->map, SS_LOG_BLOCK_BYTES), &file->head) == 0);
    image->order[index] = file;
    image->log.count = index + 1;
    image->end = SS_LOG_BLOCK_BYTES;
}

/* A batch of @records records whose size the argument picks. Returns its bytes. */
static uint64_t write_batch(uint8_t *out, uint64_t serial, uint64_t number, uint32_t records,
                            unsigned argument)
{
    static const uint8_t payload[500] = { 0 };
    uint64_t len = SS_LOG_BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < records; i++) {
        struct ss_record event = { .ordinal = number * 4 + i, .time_us = number, .type_id = 1,
                                   .payload = ss_str_of(payload, argument % sizeof payload) };
        if (argument % 3 == 1) {
            ss__log_session_encode(out + len, SEED, number, 3, number * 4 + i, ss_str("session"));
            len += ss__log_session_bytes(ss_str("session"));
        } else if (argument % 3 == 2) {
            ss__log_delete_encode(out + len, SEED, number, 3, number * 4 + i);
            len += SS_LOG_DELETE_BYTES;
        } else {
            ss__log_event_encode(out + len, SEED, number, 3, &event);
            len += ss__log_event_bytes(&event);
        }
    }
    const struct ss_log_batch_head head = { serial, number, records, len };
    ss__log_batch_encode(out, SEED, &head);
    return len;
}

/* One batch behind the others; false if there is no room. */
static bool append(struct image *image, uint64_t serial, uint32_t records, unsigned argument,
                   int flipped)
{
    uint8_t bytes[BATCH_BYTES_MAX] = { 0 };
    uint64_t len = write_batch(bytes, serial, image->next_batch, records, argument);
    uint64_t whole = ss__log_round(len);
    if (image->end + whole > FILE_BYTES || image->count == BATCHES_MAX) {
        return false;
    }
    if (flipped >= 0) {
        bytes[(uint64_t)flipped % len] ^= (uint8_t)(1u << argument % 8);
    }
    memcpy(image->bytes[image->log.count - 1] + image->end, bytes, whole);
    const struct ss_log_file *file = current(image);
    if (serial == file->head.serial && records > 0) {
        image->batches[image->count++] = (struct batch){
            .position = ss__log_position(serial, image->end), .number = image->next_batch, .bytes = whole,
            .records = records, .sound = flipped < 0 };
        image->next_batch++;
    }
    image->end += whole;
    return true;
}

static void put(struct image *image, uint8_t op, uint8_t argument, struct ss_str rest)
{
    uint64_t serial = current(image)->head.serial;
    uint32_t records = 1 + argument % 3u;
    bool bits_only = (image->flags & OF_BITS_ONLY) != 0;
    switch (bits_only ? op % 2u : op % 8u) {
    case 0:
        (void)append(image, serial, records, argument, -1);    /* no room: nothing happens */
        break;
    case 1:
        (void)append(image, serial, records, argument, op / 8 * 16 + argument);
        break;
    case 2:
        (void)append(image, serial - 1, records, argument, -1);
        break;
    case 3:
        (void)append(image, serial, 0, argument, -1);
        break;
    case 4:
        image->next_batch += argument;
        break;
    case 5:
        image->next_batch -= image->next_batch > argument ? argument : 0;
        break;
    case 6:
        image->end += image->end + SS_LOG_BLOCK_BYTES <= FILE_BYTES ? SS_LOG_BLOCK_BYTES : 0;
        break;
    default:
        if (image->end + SS_LOG_BLOCK_BYTES <= FILE_BYTES) {
            size_t len = rest.len < SS_LOG_BLOCK_BYTES ? rest.len : SS_LOG_BLOCK_BYTES;
            memcpy(image->bytes[image->log.count - 1] + image->end, rest.data, len);
            image->end += SS_LOG_BLOCK_BYTES;
        }
        break;
    }
}

static void build(struct image *image, const uint8_t *data, size_t len)
{
    *image = (struct image){ .next_batch = 1, .flags = data[0] };
    image->log = (struct ss_log){ .dir_fd = -1, .directory_id = 7, .seed = SEED,
                                  .files = image->order };
    begin_file(image, 0);
    size_t half = (image->flags & OF_TWO_FILES) != 0 ? 1 + len / 2 : len;
    for (size_t i = 1; i + 1 < len; i += 2) {
        if (i >= half && image->log.count == 1) {
            begin_file(image, 1);
        }
        put(image, data[i], data[i + 1], ss_str_of(data + i, len - i));
    }
}

static void forget(struct image *image)
{
    for (unsigned i = 0; i < image->log.count; i++) {
        free(image->bytes[i] - UNALIGNED);
    }
}

/* ---- what is shown ---- */

static void mix(struct shown *shown, uint64_t value)
{
    shown->hash = (shown->hash ^ value) * 0x9E3779B97F4A7C15u;
    shown->hash ^= shown->hash >> 29;
}

/* A record that cannot be read at all is shown, and the gap that begins with it; where numbers are
 * missing, a gap of no bytes, and what is torn behind it. */
static void check_place(struct shown *shown, const struct ss_log_file *file, uint64_t position,
                        uint64_t bytes, bool may_repeat)
{
    uint64_t offset = position & UINT32_MAX;
    ss_check(position >> 32 == file->head.serial);
    ss_check(offset <= FILE_BYTES && bytes <= FILE_BYTES - offset);
    ss_check(position > shown->last || (may_repeat && position == shown->last));
    shown->last = position;
    mix(shown, position);
}

static int on_record(void *ctx, struct ss_log_file *file, uint64_t position,
                     const struct ss_log_record *record, bool damaged)
{
    struct shown *shown = ctx;
    check_place(shown, file, position, record->len, false);
    mix(shown, damaged);
    if (damaged) {
        shown->damaged++;
        return 0;
    }
    shown->sound++;
    mix(shown, record->batch);
    for (unsigned i = 0; i < shown->image->count; i++) {
        struct batch *batch = &shown->image->batches[i];
        if (batch->number == record->batch && position > batch->position &&
            position < batch->position + batch->bytes) {
            uint64_t value = record->kind == SS_LOG_EVENT     ? record->event.ordinal
                             : record->kind == SS_LOG_SESSION ? record->created_us
                                                              : record->deleted_us;
            ss_check(value / 4 == batch->number && value % 4 < batch->records);
            ss_check(batch->seen <= value % 4);    /* in order */
            batch->seen++;
            return 0;
        }
    }
    ss_check_msg(false, "a record of batch %llu was never written\n",
                 (unsigned long long)record->batch);
    return SS_E_INTERNAL;
}

static int on_gap(void *ctx, struct ss_log_file *file, uint64_t position, uint64_t bytes,
                  const char *what)
{
    struct shown *shown = ctx;
    check_place(shown, file, position, bytes, true);
    ss_check(what[0] != '\0');
    shown->gaps++;
    return 0;
}

static void on_torn(void *ctx, struct ss_log_file *file, uint64_t position, uint64_t bytes)
{
    struct shown *shown = ctx;
    check_place(shown, file, position, bytes, true);
    ss_check(file == current(shown->image));
    shown->torn++;
    ss_check(shown->torn == 1);
}

static void walk(struct image *image, struct shown *shown)
{
    static const struct ss_log_visitor visitor = { on_record, on_gap, on_torn };
    const struct ss_log_known known = { .synced = (image->flags & OF_SYNCED) != 0 };
    *shown = (struct shown){ .image = image };
    image->log.next_batch = 1;
    for (unsigned i = 0; i < image->count; i++) {
        image->batches[i].seen = 0;
    }
    for (unsigned i = 0; i < 2; i++) {
        image->files[i].records = image->files[i].end = 0;
    }
    ss_check(ss__log_walk(&image->log, &known, &visitor, shown) == 0);
    for (unsigned i = 0; i < image->log.count; i++) {
        ss_check(image->files[i].end <= FILE_BYTES);
        mix(shown, image->files[i].end);
    }
    mix(shown, image->log.next_batch);
}

/* Of a synced log with turned bits: nothing is lost in silence. */
static void check_synced(const struct image *image, const struct shown *shown)
{
    unsigned last = image->count;    /* the last sound batch */
    unsigned flaws = 0;
    while (last > 0 && !image->batches[last - 1].sound) {
        last--;
    }
    for (unsigned i = 0; i < last; i++) {
        const struct batch *batch = &image->batches[i];
        ss_check_msg(!batch->sound || batch->seen == batch->records,
                     "batch %llu is sound and was not shown\n",
                     (unsigned long long)batch->number);
        flaws += !batch->sound;
    }
    ss_check(flaws == 0 || shown->damaged + shown->gaps > 0);
}

/* Of an unsynced one in one file: all up to the first flaw. */
static void check_unsynced(const struct image *image)
{
    bool whole = true;
    for (unsigned i = 0; i < image->count; i++) {
        whole = whole && image->batches[i].sound;
        ss_check(image->batches[i].seen == (whole ? image->batches[i].records : 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct image image;
    struct shown shown;
    struct shown again;
    if (len == 0) {
        return 0;
    }
    build(&image, data, len);
    walk(&image, &again);
    walk(&image, &shown);
    ss_check(shown.hash == again.hash);
    if ((image.flags & OF_BITS_ONLY) != 0 && (image.flags & OF_UNLINKED) == 0) {
        if ((image.flags & OF_SYNCED) != 0) {
            check_synced(&image, &shown);
        } else if (image.log.count == 1) {
            check_unsynced(&image);
        }
    }
    forget(&image);
    return 0;
}
