#include "store/manifest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sessionstream/error.h>

#include "ss_test.h"
#include "store/directory.h"

static void make(struct ss_manifest *manifest, uint32_t shards)
{
    *manifest = (struct ss_manifest){ .format = SS_STORE_FORMAT, .directory_id = 0xFEDC,
                                      .shards = shards, .begun_us = 5, .ended_us = UINT64_MAX };
    memset(manifest->routing_key.bytes, 0xA7, sizeof manifest->routing_key.bytes);
    for (uint32_t i = 0; i < shards; i++) {
        struct ss_manifest_file file = { .used = 10 + i, .bytes = 20, .checksum = i };
        (void)snprintf(file.path, sizeof file.path, "shard-%04u/data.mdb", i);
        ss_check(ss__manifest_add(manifest, &file) == 0);
        (void)snprintf(file.path, sizeof file.path, "shard-%04u/log-0000abcd", i);
        ss_check(ss__manifest_add(manifest, &file) == 0);
    }
}

static int decode(struct ss_str text, struct ss_manifest *ret_manifest)
{
    struct ss_failure failure = { 0 };
    int err = ss__manifest_decode(text, ret_manifest, &failure);
    ss_check(err == 0 || (failure.code == err && failure.text[0] != '\0'));
    return err;
}

SS_TEST(manifest, says_what_it_was_told)
{
    struct ss_manifest manifest;
    struct ss_manifest again;
    struct ss_bytes text;
    ss__bytes_init(&text, 0);
    make(&manifest, 3);
    ss__manifest_encode(&text, &manifest);
    ss_check(decode(ss__bytes_view(&text), &again) == 0);
    ss_check(again.shards == 3 && again.files_count == 6 && again.directory_id == 0xFEDC);
    ss_check(again.begun_us == 5 && again.ended_us == UINT64_MAX);
    ss_check(memcmp(&again.routing_key, &manifest.routing_key, sizeof again.routing_key) == 0);
    ss_check(memcmp(again.files, manifest.files, 6 * sizeof *again.files) == 0);
    ss__manifest_deinit(&manifest);
    ss__manifest_deinit(&again);
    ss__bytes_deinit(&text);
}

/* Such a one has a checksum that is right. */
SS_TEST(manifest, no_file_is_there_twice)
{
    for (unsigned from = 0; from < 4; from++) {
        struct ss_manifest manifest;
        struct ss_manifest again;
        struct ss_bytes text;
        ss__bytes_init(&text, 0);
        make(&manifest, 2);
        unsigned to = (from + 2) % 4;    /* of the other shard */
        manifest.files[to] = manifest.files[from];
        ss__manifest_encode(&text, &manifest);
        ss_check_msg(decode(ss__bytes_view(&text), &again) == SS_E_CORRUPT, "%u", from);
        ss__manifest_deinit(&manifest);
        ss__bytes_deinit(&text);
    }
}

SS_TEST(manifest, every_flipped_bit_and_every_cut_is_found)
{
    struct ss_manifest manifest;
    struct ss_manifest again;
    struct ss_bytes text;
    ss__bytes_init(&text, 0);
    make(&manifest, 2);
    ss__manifest_encode(&text, &manifest);
    for (size_t at = 0; at < text.len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            text.data[at] ^= (uint8_t)(1u << bit);
            int err = decode(ss__bytes_view(&text), &again);
            ss_check_msg(err == SS_E_CORRUPT || err == SS_E_VERSION, "byte %zu", at);
            text.data[at] ^= (uint8_t)(1u << bit);
        }
        ss_check(decode(ss_str_of(text.data, at), &again) != 0);
    }
    ss__manifest_deinit(&manifest);
    ss__bytes_deinit(&text);
}

/* Replaces one text by another and makes the checksum right again. */
static int decode_with(const char *old, const char *new)
{
    struct ss_manifest manifest;
    struct ss_manifest again;
    struct ss_bytes text;
    struct ss_bytes changed;
    char sum[32];
    ss__bytes_init(&text, 0);
    ss__bytes_init(&changed, 0);
    make(&manifest, 2);
    ss__manifest_encode(&text, &manifest);
    ss__bytes_byte(&text, 0);
    const char *at = strstr((const char *)text.data, old);
    const char *end = strstr((const char *)text.data, "sum ");
    ss_check(at != NULL && end != NULL);
    ss__bytes_append(&changed, text.data, (size_t)(at - (const char *)text.data));
    ss__bytes_text(&changed, new);
    ss__bytes_append(&changed, at + strlen(old), (size_t)(end - at) - strlen(old));
    (void)snprintf(sum, sizeof sum, "sum %016llx\n",
                   (unsigned long long)ss__checksum(changed.data, changed.len));
    ss__bytes_text(&changed, sum);
    int err = decode(ss__bytes_view(&changed), &again);
    if (err == 0) {
        ss__manifest_deinit(&again);
    }
    ss__manifest_deinit(&manifest);
    ss__bytes_deinit(&text);
    ss__bytes_deinit(&changed);
    return err;
}

SS_TEST(manifest, no_path_leads_elsewhere_and_every_shard_is_there)
{
    char format[32];
    ss_check(decode_with("begun 5", "begun 6") == 0);
    ss_check(decode_with("shard-0001/data.mdb", "../../etc/data") == SS_E_CORRUPT);
    ss_check(decode_with("shard-0001/data.mdb", "shard-0002/data.mdb") == SS_E_CORRUPT);
    ss_check(decode_with("shard-0001/data.mdb", "shard-0001/../data.mdb") == SS_E_CORRUPT);
    ss_check(decode_with("shard-0001/data.mdb", "shard-1/data.mdb") == SS_E_CORRUPT);
    ss_check(decode_with("shard-0001/data.mdb", "shard-0001/log-00000001") == SS_E_CORRUPT);
    ss_check(decode_with("log-0000abcd 10", "log-0000abcd 21") == SS_E_CORRUPT);
    ss_check(decode_with("shards 2", "shards 0") == SS_E_CORRUPT);
    ss_check(decode_with("shards 2", "shards 257") == SS_E_CORRUPT);
    ss_check(decode_with("ended", "endet") == SS_E_CORRUPT);
    (void)snprintf(format, sizeof format, "format %u", SS_STORE_FORMAT);
    ss_check(decode_with(format, "format 1") == SS_E_VERSION);
    ss_check(decode_with(format, "format 4294967295") == SS_E_VERSION);
    ss_check(decode_with("backup 1", "backup 2") == SS_E_VERSION);
}

SS_TEST(manifest, file_that_is_too_large_or_in_no_reach_is_refused_with_a_sentence)
{
    char dir[] = "/tmp/ss-manifest-XXXXXX";
    char path[64];
    static char deep[5000];
    struct ss_manifest manifest;
    struct ss_failure failure = { 0 };
    ss_check(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof path, "%s/" SS_MANIFEST_NAME, dir);
    ss_check(ss__manifest_read(dir, &manifest, &failure) == SS_E_NOTFOUND);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ss_check(fd >= 0 && ftruncate(fd, (off_t)SS_MANIFEST_BYTES_MAX + 1) == 0 && close(fd) == 0);
    failure = (struct ss_failure){ 0 };
    ss_check(ss__manifest_read(dir, &manifest, &failure) == SS_E_CORRUPT);
    ss_check_msg(strstr(failure.text, dir) != NULL, "%s", failure.text);
    ss_check(unlink(path) == 0 && rmdir(dir) == 0);
    memset(deep, 'x', sizeof deep - 1);
    failure = (struct ss_failure){ 0 };
    ss_check(ss__manifest_read(deep, &manifest, &failure) != 0 && failure.text[0] != '\0');
}

SS_TEST(manifest, key_of_other_letters_is_damage)
{
    ss_check(decode_with("a7a7", "a7ag") == SS_E_CORRUPT);
}
