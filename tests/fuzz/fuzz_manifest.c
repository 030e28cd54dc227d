/* The manifest of a backup, as a damaged or foreign disk may give it: first as it is, then with a
 * checksum that is right, in the place of its last line if that has one.
 *
 * A refusal has a text. What is taken is consistent: a data file for each shard, no file twice, no
 * path that leads elsewhere, no more bytes in the backup than in the store; and it is written as
 * something that reads as the same. */
#include "fuzz.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <sessionstream/error.h>
#include <sessionstream/limits.h>

#include "store/directory.h"
#include "store/manifest.h"

#define SUM_LINE_BYTES 21u

static void check_files(const struct ss_manifest *manifest)
{
    bool has_data[SS_SHARDS_MAX] = { false };
    ss_check(manifest->shards >= 1 && manifest->shards <= SS_SHARDS_MAX);
    ss_check(manifest->files_count >= manifest->shards);
    for (size_t i = 0; i < manifest->files_count; i++) {
        const struct ss_manifest_file *file = &manifest->files[i];
        unsigned shard;
        char rest[SS_MANIFEST_PATH_BYTES];
        ss_check(memchr(file->path, '\0', sizeof file->path) != NULL);
        ss_check(sscanf(file->path, "shard-%4u/%47s", &shard, rest) == 2);
        ss_check(shard < manifest->shards && strchr(rest, '/') == NULL && rest[0] != '.');
        ss_check(file->used <= file->bytes);
        if (strcmp(rest, "data.mdb") == 0) {
            ss_check(!has_data[shard]);
            has_data[shard] = true;
        }
        for (size_t k = 0; k < i && i < 64; k++) {    /* the first of them, to be quick */
            ss_check(strcmp(manifest->files[k].path, file->path) != 0);
        }
    }
    for (uint32_t i = 0; i < manifest->shards; i++) {
        ss_check(has_data[i]);
    }
}

static void check_again(const struct ss_manifest *manifest)
{
    struct ss_manifest again;
    struct ss_failure failure = { 0 };
    struct ss_bytes text;
    ss__bytes_init(&text, 0);
    ss__manifest_encode(&text, manifest);
    ss_check(text.err == 0);
    ss_check(ss__manifest_decode(ss__bytes_view(&text), &again, &failure) == 0);
    ss_check(again.format == manifest->format && again.shards == manifest->shards &&
             again.directory_id == manifest->directory_id && again.begun_us == manifest->begun_us &&
             again.ended_us == manifest->ended_us && again.files_count == manifest->files_count);
    ss_check(memcmp(&again.routing_key, &manifest->routing_key, sizeof again.routing_key) == 0);
    for (size_t i = 0; i < again.files_count; i++) {
        const struct ss_manifest_file *a = &again.files[i];
        const struct ss_manifest_file *b = &manifest->files[i];
        ss_check(strcmp(a->path, b->path) == 0 && a->used == b->used && a->bytes == b->bytes &&
                 a->checksum == b->checksum);
    }
    ss__manifest_deinit(&again);
    ss__bytes_deinit(&text);
}

/* In memory of exactly its size. */
static void check_text(const uint8_t *data, size_t len)
{
    struct ss_manifest manifest;
    struct ss_failure failure = { 0 };
    uint8_t *copy = malloc(len > 0 ? len : 1);
    ss_check(copy != NULL);
    memcpy(copy, data, len);
    int err = ss__manifest_decode(ss_str_of(copy, len), &manifest, &failure);
    ss_check(err == 0 || err == SS_E_CORRUPT || err == SS_E_VERSION);
    ss_check(err == failure.code && (err == 0 || failure.text[0] != '\0'));
    if (err == 0) {
        ss_check(manifest.format == SS_STORE_FORMAT);
        check_files(&manifest);
        check_again(&manifest);
        ss__manifest_deinit(&manifest);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    check_text(data, len);
    bool has_sum = len >= SUM_LINE_BYTES && memcmp(data + len - SUM_LINE_BYTES, "sum ", 4) == 0;
    size_t body = has_sum ? len - SUM_LINE_BYTES : len;
    uint8_t *sealed = malloc(body + SUM_LINE_BYTES + 1);
    ss_check(sealed != NULL);
    memcpy(sealed, len > 0 ? data : (const uint8_t *)"", body);
    (void)snprintf((char *)sealed + body, SUM_LINE_BYTES + 1, "sum %016" PRIx64 "\n",
                   ss__checksum(sealed, body));    /* it fits */
    check_text(sealed, body + SUM_LINE_BYTES);
    free(sealed);
    return 0;
}
