/* Packed bytes from outside. The first byte picks the type ('0' is the first).
 *
 * What the validator passes, protobuf-c unpacks within the memory that was promised and packs to
 * bytes that pass again; its JSON, where it has one, can be read, and from then on reads and
 * writes the same (a NullValue of another number is null the first time). */
#include "fuzz.h"

#include <stdlib.h>

#include <sessionstream/limits.h>

#include "kinds.h"
#include "schema/descriptor.h"
#include "schema/json.h"
#include "schema/validate.h"

/* Counts what protobuf-c allocates in all. */
static void *count_alloc(void *total, size_t size)
{
    *(size_t *)total += size;
    return malloc(size);
}

static void count_free(void *total, void *pointer)
{
    (void)total;
    free(pointer);
}

static void check_unpacks(const struct ss_type *type, struct ss_str packed)
{
    size_t total = 0;
    ProtobufCAllocator allocator = { count_alloc, count_free, &total };
    ProtobufCMessage *message = protobuf_c_message_unpack(
        ss__type_descriptor(type), &allocator, packed.len, (const uint8_t *)packed.data);
    ss_check(message != NULL);
    ss_check_msg(total <= ss__type_descriptor(type)->sizeof_message +
                              packed.len * SS_UNPACKED_FACTOR_MAX + SS_UNPACKED_SLACK_BYTES,
                 "%zu bytes for %zu\n", total, packed.len);
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    struct ss_failure failure = { 0 };
    ss_check(bytes != NULL && protobuf_c_message_pack(message, bytes) == len);
    ss_check_msg(ss__validate(type, ss_str_of(bytes, len), &failure) == 0 ||
                     strstr(failure.text, "far more memory") != NULL, "%s\n", failure.text);
    free(bytes);
    protobuf_c_message_free_unpacked(message, &allocator);
}

/* Reads @text and writes it to @again. */
static void read_and_write(const struct ss_type *type, const struct ss_bytes *text,
                           struct ss_bytes *again)
{
    struct ss_failure failure = { 0 };
    struct ss_bytes packed;
    ss__bytes_init(&packed, 0);
    ss__bytes_clear(again);
    ss_check_msg(ss__json_decode(schema, type, ss__bytes_view(text), &packed, &failure) == 0,
                 "%s: %.*s\n", failure.text, (int)text->len, (const char *)text->data);
    ss_check(ss__json_encode(schema, type, ss__bytes_view(&packed), again, &failure) == 0);
    ss__bytes_deinit(&packed);
}

static void check_json(const struct ss_type *type, struct ss_str packed)
{
    struct ss_failure failure = { 0 };
    struct ss_bytes text;
    struct ss_bytes again;
    ss__bytes_init(&text, 0);
    ss__bytes_init(&again, 0);
    int err = ss__json_encode(schema, type, packed, &text, &failure);
    ss_check(err == failure.code && (err == 0 || (err == SS_E_PAYLOAD && text.len == 0)));
    if (err == 0) {
        read_and_write(type, &text, &again);
        read_and_write(type, &again, &text);
        ss_check_msg(ss_str_equal(ss__bytes_view(&text), ss__bytes_view(&again)),
                     "%.*s\n%.*s\n", (int)text.len, (const char *)text.data, (int)again.len,
                     (const char *)again.data);
    }
    ss__bytes_deinit(&again);
    ss__bytes_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    load();
    if (len == 0) {
        return 0;
    }
    const struct ss_type *type =
        ss__schema_find(schema, ss_str(types[data[0] % (sizeof types / sizeof types[0])]));
    struct ss_str packed = ss_str_of(data + 1, len - 1);
    struct ss_failure failure = { 0 };
    int err = ss__validate(type, packed, &failure);
    ss_check(err == failure.code && (err == 0 || err == SS_E_PAYLOAD));
    if (err == 0) {
        check_unpacks(type, packed);
        check_json(type, packed);
    }
    return 0;
}
