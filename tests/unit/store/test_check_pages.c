#include "store_fixture.h"

#include "store/page.h"
#include "store/pages.h"

/* Sessions s00 to s39 with a few segments each, all in LMDB. */
static void fill(struct fixture *f)
{
    fixture_open(f);
    for (int i = 0; i < 40; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "s%02d", i);
        fixture_publish(f, id, 70, 100, 70);
    }
    fixture_flush_all(f);
    fixture_close(f);
}

static uint8_t *load(struct fixture *f, size_t *ret_len)
{
    char path[400];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/data.mdb", f->shard_dir);
    FILE *file = fopen(path, "rb");
    ss_check(file != NULL && fstat(fileno(file), &info) == 0);
    uint8_t *bytes = malloc((size_t)info.st_size);
    ss_check(bytes != NULL && fread(bytes, 1, (size_t)info.st_size, file) == (size_t)info.st_size);
    (void)fclose(file);
    *ret_len = (size_t)info.st_size;
    return bytes;
}

static void save(struct fixture *f, uint8_t *bytes, size_t len)
{
    char path[400];
    (void)snprintf(path, sizeof path, "%s/data.mdb", f->shard_dir);
    FILE *file = fopen(path, "wb");
    ss_check(file != NULL && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
    free(bytes);
}

/* Breaks every page in the tree of @key's kind that has @key on it, by its own number. */
static unsigned break_pages(struct fixture *f, struct ss_str key)
{
    size_t len;
    uint8_t *bytes = load(f, &len);
    unsigned broken = 0;
    for (size_t at = 2 * 4096; at + 4096 <= len; at += 4096) {
        if (bytes[at + 10] == 2 && memmem(bytes + at, 4096, key.data, key.len) != NULL) {
            bytes[at + 7] ^= 0x40;
            broken++;
        }
    }
    save(f, bytes, len);
    return broken;
}

SS_TEST(check_pages, finding_names_page_database_and_sessions)
{
    struct fixture f;
    uint8_t key[16];
    fill(&f);
    ss__segment_key(key, 7, 1);    /* s06 */
    ss_check(break_pages(&f, ss_str_of(key, sizeof key)) > 0);
    struct ss_check_summary summary = fixture_check(&f);
    ss_check(summary.findings > 0 && summary.pages > 10);
    ss_check_msg(strstr(f.finding, "data.mdb page ") != NULL, "%s", f.finding);
    ss_check_msg(strstr(f.finding, "(database segment); concerns session") != NULL, "%s",
                 f.finding);
    ss_check_msg(strstr(f.finding, "s06") != NULL, "%s", f.finding);
    ss_check(summary.sessions == 0);    /* nothing was asked of LMDB */
    fixture_end(&f);
}

SS_TEST(check_pages, page_with_nothing_but_one_session_names_it_alone)
{
    struct fixture f;
    uint8_t key[16];
    fixture_open(&f);
    fixture_publish(&f, "a", 10, 10, 10);
    fixture_publish(&f, "b", 64 * 400, 10, 640);    /* leaves of its own */
    fixture_publish(&f, "c", 10, 10, 10);
    fixture_flush_all(&f);
    fixture_close(&f);
    ss__segment_key(key, 2, 64 * 200 + 1);
    ss_check(break_pages(&f, ss_str_of(key, sizeof key)) > 0);
    ss_check(fixture_check(&f).findings > 0);
    ss_check_msg(strstr(f.finding, "(database segment); concerns session 2: b\n") != NULL, "%s",
                 f.finding);
    fixture_end(&f);
}

SS_TEST(check_pages, damage_of_the_catalog_names_sessions_by_their_rows)
{
    struct fixture f;
    uint8_t key[SS_CATALOG_KEY_BYTES_MAX];
    fill(&f);
    size_t len = ss__catalog_key(key, ss_str("s06"));
    ss_check(break_pages(&f, ss_str_of(key, len)) > 0);
    (void)fixture_check(&f);
    ss_check_msg(strstr(f.finding, "(database catalog); concerns ") != NULL, "%s", f.finding);
    ss_check_msg(strstr(f.finding, "s06") != NULL, "%s", f.finding);
    fixture_end(&f);
}

SS_TEST(check_pages, damage_of_the_store_itself_concerns_no_session_alone)
{
    struct fixture f;
    size_t len;
    fill(&f);
    uint8_t *bytes = load(&f, &len);
    bytes[144] ^= 0x10;
    save(&f, bytes, len);
    struct ss_check_summary summary = fixture_check(&f);
    ss_check(summary.findings == 1);
    ss_check_msg(strstr(f.finding, "data.mdb page 0: the meta pages are of") != NULL &&
                     strstr(f.finding, "(the store itself)") != NULL, "%s", f.finding);
    fixture_end(&f);
}
