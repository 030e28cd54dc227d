/* Opens data directories as a start of the daemon does and says what is in them, for
 * powerloss/judge.py. Reads one path a line, answers each with lines that end with ".":
 *
 *     before|after SHARD PLACE TEXT    a finding of the store check, before and after all this
 *     error WHERE TEXT                 it cannot be opened, or read
 *     shard INDEX damaged=N incarnation=N clean=0|1
 *     session SHARD ORDINAL QUARANTINED ID
 *     events CRC ...                   of that session, from the first on, of the payloads
 *     timeline NAME ORDINAL
 *     entity NAME KIND ID LAST CRC     of that session and as of these ordinals
 *     command SESSION KEY ORDINAL ERROR
 *     note                             an error record
 *     again same|other                 after a second start, without an orderly end before */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sessionstream/error.h>

#include "core/bytes.h"
#include "core/contract.h"
#include "core/fault.h"
#include "core/log.h"
#include "store/check.h"
#include "store/command.h"
#include "store/directory.h"
#include "store/listing.h"
#include "store/store_state.h"

#define SHARDS 3u    /* of a directory that is not made yet; as in powerloss/workload.py */
#define MAP_BYTES (UINT64_C(64) << 20)
#define LOG_WINDOW_BYTES (UINT64_C(1) << 20)

static enum ss_durability durability;
static struct ss_bytes out;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ss__bytes_append(&out, line, len < (int)sizeof line ? (size_t)len : sizeof line - 1);
}

static uint32_t crc32_of(struct ss_str bytes)
{
    static uint32_t table[256];
    if (table[1] == 0) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; bit++) {
                value = (value & 1) != 0 ? value >> 1 ^ 0xedb88320u : value >> 1;
            }
            table[i] = value;
        }
    }
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < bytes.len; i++) {
        crc = table[(crc ^ (uint8_t)bytes.data[i]) & 0xff] ^ crc >> 8;
    }
    return ~crc;
}

/* ---- one session ---- */

static void say_entities(struct ss_store *store, const struct ss_image *image)
{
    for (uint32_t i = 0; i < image->timelines_count; i++) {
        struct ss_str name = ss_str(NULL);
        struct ss_str full_name;
        (void)ss__store_type_name(store, image->timelines[i].projection, &name, &full_name);
        say("timeline %.*s %llu\n", (int)name.len, name.data,
            (unsigned long long)image->timelines[i].ordinal);
    }
    for (size_t i = 0; i < image->entities_count; i++) {
        const struct ss_entity_row *row = &image->entities[i];
        struct ss_str name = ss_str(NULL);
        struct ss_str full_name;
        (void)ss__store_type_name(store, row->projection, &name, &full_name);
        say("entity %.*s %.*s %.*s %llu %08x\n", (int)name.len, name.data, (int)row->kind.len,
            row->kind.data, (int)row->id.len, row->id.data,
            (unsigned long long)row->last_ordinal, crc32_of(row->payload));
    }
}

static int read_image(struct ss_store *store, struct ss_image_request *request,
                      struct ss_image *ret_image)
{
    int err = ss__store_read_image(store, request, ret_image);
    ss__store_image_request_free(request);
    return err;
}

static int say_events(struct ss_store *store, const struct ss_store_session *session)
{
    struct ss_image_request *request;
    struct ss_image image;
    uint64_t ordinal = ss__store_row(session)->ordinal;
    int err = ordinal == 0 ? 0 : ss__store_range_request(store, session, 1, ordinal, &request);
    err = err != 0 || ordinal == 0 ? err : read_image(store, request, &image);
    if (err != 0 || ordinal == 0) {
        return err;
    }
    say("events");
    for (size_t i = 0; i < image.records_count; i++) {
        bool gap = image.records[i].ordinal != i + 1;
        say(gap ? " gap" : " %08x", crc32_of(image.records[i].payload));
    }
    say("\n");
    ss__image_deinit(&image);
    return 0;
}

static int say_session(struct ss_store *store, struct ss_str id)
{
    struct ss_store_session *session;
    struct ss_image_request *request;
    struct ss_image image;
    int err = ss__store_get_session(store, id, &session);
    if (err != 0) {
        return err;
    }
    const struct ss_session_row *row = ss__store_row(session);
    say("session %u %llu %d %.*s\n", store->options.shard_index,
        (unsigned long long)row->ordinal, row->quarantined, (int)id.len, id.data);
    err = say_events(store, session);
    ss__store_use_timelines(store, session);
    err = err != 0 ? err : ss__store_image_request(store, session, true, &request);
    err = err != 0 ? err : read_image(store, request, &image);
    if (err == 0) {
        say_entities(store, &image);
        ss__image_deinit(&image);
    }
    ss__store_put_session(store, session);
    return err;
}

/* ---- one shard ---- */

/* Those that the daemon registered, if it came that far. */
static void use_timelines(struct ss_store *store)
{
    struct ss_timeline_code codes[SS_PROJECTIONS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < store->types_count && count < SS_PROJECTIONS_MAX; i++) {
        const struct ss_type_value *type = &store->types[i];
        if (type->space == SS_TYPE_PROJECTION &&
            ss_str_equal(type->full_name, ss_str(SS_PROJECTION_TIMELINE))) {
            codes[count++] = (struct ss_timeline_code){ i + 1, 1 };
        }
    }
    ss__store_set_timelines(store, codes, count);
}

static int say_page(struct ss_store *store, struct ss_list_page *page, struct ss_bytes *after,
                    bool *ret_more)
{
    int err = ss__store_list_begin(store, page);
    err = err != 0 ? err : ss__store_list_read(store, page);
    if (err != 0) {
        return err;
    }
    ss__store_list_settle(store, page);
    uint32_t limit = page->query->limit;
    uint32_t count = page->count < limit ? page->count : limit;
    for (uint32_t i = 0; i < count && err == 0; i++) {
        struct ss_str id = page->items[i].info.id;
        err = say_session(store, id);
        ss__bytes_clear(after);
        ss__bytes_append(after, id.data, id.len);
    }
    *ret_more = page->count > limit;
    return err;
}

static int say_sessions(struct ss_store *store)
{
    struct ss_bytes after;
    bool more = true;
    int err = 0;
    ss__bytes_init(&after, 0);
    while (more && err == 0) {
        struct ss_bytes copy = after;
        struct ss_session_query query = { .prefix = ss_str(""), .limit = SS_LIST_MAX };
        ss__bytes_init(&after, 0);
        query.after = copy.len > 0 ? ss__bytes_view(&copy) : ss_str("");
        struct ss_list_page page = { .query = &query };
        ss__arena_init(&page.arena, 64u << 10);
        err = say_page(store, &page, &after, &more);
        ss__arena_deinit(&page.arena);
        ss__bytes_deinit(&copy);
    }
    ss__bytes_deinit(&after);
    return err;
}

static void say_commands(struct ss_store *store)
{
    for (struct ss_list *link = store->commands.age.next; link != &store->commands.age;
         link = link->next) {
        const struct ss_command_value *value =
            &ss__container_of(link, struct ss_kept_command, age)->value;
        say("command %.*s %.*s %llu %d\n", (int)value->session_id.len, value->session_id.data,
            (int)value->key.len, value->key.data, (unsigned long long)value->ordinal,
            value->err);
    }
}

static void say_notes(struct ss_store *store)
{
    struct ss_error_record record;
    for (uint64_t i = ss__store_errors_first(store); i < ss__store_errors_next(store); i++) {
        if (ss__store_error_at(store, i, &record)) {
            say("note\n");
        } else {
            say("error shard %u: error record %llu is damaged\n", store->options.shard_index,
                (unsigned long long)i);
        }
    }
}

static int open_shard(const struct ss_directory *directory, uint32_t index,
                      struct ss_store **ret_store, struct ss_store_report *ret_report,
                      struct ss_failure *failure)
{
    char path[4096];
    struct ss_store_options options;
    ss__store_options_init(&options);
    int err = ss__directory_shard_path(directory, index, path, sizeof path);
    options.dir = path;
    options.must_exist = true;
    options.shard_index = index;
    options.shard_count = directory->shard_count;
    options.directory_id = directory->directory_id;
    options.durability = durability;
    options.map_bytes = MAP_BYTES;
    options.log_window_bytes = LOG_WINDOW_BYTES;
    options.min_free_bytes = 0;
    err = err != 0 ? err : ss__store_open(&options, ret_store, ret_report, failure);
    if (err == 0) {
        use_timelines(*ret_store);
    }
    return err;
}

/* Goes on where the recorded run was cut off. */
static int publish_one(struct ss_store *store)
{
    struct ss_type_entry type = { .space = SS_TYPE_EVENT, .name = ss_str("Afterwards"),
                                  .full_name = ss_str("powerloss.Write"), .fingerprint = 1 };
    struct ss_store_session *session;
    struct ss_record record = { .time_us = 1, .payload = ss_str("\x08\x01") };
    int err = ss__store_intern_types(store, &type, 1);
    if (err != 0) {
        return err;
    }
    err = ss__store_get_session(store, ss_str("afterwards"), &session);
    if (err == SS_E_NOTFOUND) {
        err = ss__store_stage_session(store, ss_str("afterwards"), 1, &session);
    }
    if (err != 0) {
        return err;
    }
    record.type_id = type.ret_type_id;
    record.ordinal = ss__store_row(session)->ordinal + 1;
    err = ss__store_stage_event(store, session, &record);
    err = err != 0 ? err : ss__store_commit(store);
    ss__store_put_session(store, session);
    for (int more = 1; err == 0 && more > 0;) {
        more = ss__store_flush(store, UINT32_MAX);
        err = more < 0 ? more : 0;
    }
    return err;
}

static void report_error(const char *where, uint32_t index, int err,
                         const struct ss_failure *failure)
{
    say("error %s %u: %s: %s\n", where, index, ss_error_name(err),
        failure->code != 0 ? failure->text : ss_error_text(err));
}

/* Opens it twice, each time without an orderly end, then once more to go on with it. */
static void verify_shard(const struct ss_directory *directory, uint32_t index)
{
    struct ss_bytes first;
    ss__bytes_init(&first, 0);
    for (int pass = 0; pass < 3; pass++) {
        struct ss_store *store;
        struct ss_store_report report;
        struct ss_failure failure = { 0 };
        int err = open_shard(directory, index, &store, &report, &failure);
        if (err != 0) {
            report_error("open", index, err, &failure);
            break;
        }
        size_t begin = out.len;
        if (pass < 2) {
            err = say_sessions(store);
            say_commands(store);
            say_notes(store);
        } else {
            err = publish_one(store);
        }
        if (err != 0) {
            report_error(pass < 2 ? "read" : "publish", index, err, &failure);
        }
        if (pass == 0) {
            ss__bytes_append(&first, out.data + begin, out.len - begin);
            say("shard %u damaged=%llu incarnation=%llu clean=%d\n", index,
                (unsigned long long)report.damaged_records,
                (unsigned long long)report.incarnation, report.clean);
        } else if (pass == 1) {
            bool same = out.len - begin == first.len &&
                        (first.len == 0 || memcmp(out.data + begin, first.data, first.len) == 0);
            out.len = begin;
            say("again %s\n", same ? "same" : "other");
        }
        if (pass < 2) {
            ss__fault_arm("store.close", 1, 1, SS_E_STOREIO);    /* no clean mark */
        }
        ss__store_close(store);
        ss__fault_reset();
    }
    ss__bytes_deinit(&first);
}

/* ---- one directory ---- */

static void on_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    say("%s %u %s %s\n", (const char *)ctx, shard, place, text);
}

static void check(const char *path, char *when)
{
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    int err = ss__store_check(path, on_finding, when, &summary, &failure);
    if (err != 0) {
        say("%s - - %s: %s\n", when, ss_error_name(err), failure.text);
    }
}

static void verify(const char *path)
{
    struct ss_directory *directory;
    struct ss_failure failure = { 0 };
    char before[] = "before";
    char after[] = "after";
    check(path, before);
    int err = ss__directory_open(path, SHARDS, false, &directory, &failure);
    if (err != 0) {
        report_error("directory", 0, err, &failure);
        return;
    }
    say("made %d\n", directory->created);
    for (uint32_t i = 0; i < directory->shard_count; i++) {
        verify_shard(directory, i);
    }
    ss__directory_close(directory);
    check(path, after);
}

int main(int argc, char **argv)
{
    char path[4096];
    if (argc != 2) {
        (void)fprintf(stderr, "usage: powerloss_verify fsync|interval|none < PATHS\n");
        return 2;
    }
    durability = strcmp(argv[1], "none") == 0       ? SS_DURABILITY_NONE
                 : strcmp(argv[1], "interval") == 0 ? SS_DURABILITY_INTERVAL
                                                    : SS_DURABILITY_FSYNC;
    ss__bytes_init(&out, 0);
    while (fgets(path, sizeof path, stdin) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        ss__bytes_clear(&out);
        verify(path);
        say(".\n");
        if (out.err != 0 || fwrite(out.data, 1, out.len, stdout) != out.len ||
            fflush(stdout) != 0) {
            return 1;
        }
    }
    ss__bytes_deinit(&out);
    return 0;
}
