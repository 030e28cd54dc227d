#include "store/verify.h"

#include <errno.h>

#include "damage.h"
#include "unit/core/child_stderr.h"

static void fill(struct fixture *f)
{
    fixture_open(f);
    fixture_publish(f, "a", 70, 50, 70);
    fixture_publish(f, "b", 3, 50, 3);
    fixture_flush_all(f);
    fixture_close(f);
}

static void damage_structure(struct fixture *f)
{
    char path[400];
    uint8_t byte = 0;
    (void)snprintf(path, sizeof path, "%s/data.mdb", f->shard_dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ss_check(fd >= 0);
    for (off_t at = 2 * 4096 + 7; pread(fd, &byte, 1, at) == 1; at += 4096) {
        byte ^= 0x40;    /* the number of every page */
        ss_check(pwrite(fd, &byte, 1, at) == 1);
    }
    ss_check(close(fd) == 0);
}

SS_TEST(verify, sound_store_opens)
{
    struct fixture f;
    fill(&f);
    f.options.verify = SS_VERIFY_STRUCTURE;
    fixture_reopen(&f);
    fixture_verify(&f, "a", 70, 50);
    fixture_close(&f);
    f.options.verify = SS_VERIFY_RECORDS;
    fixture_reopen(&f);
    fixture_verify(&f, "b", 3, 50);
    fixture_end(&f);
}

SS_TEST(verify, damaged_structure_is_refused_with_place_and_remedy)
{
    struct fixture f;
    struct ss_failure failure = { 0 };
    struct ss_store *store;
    fill(&f);
    damage_structure(&f);
    for (int verify = SS_VERIFY_NONE; verify <= SS_VERIFY_RECORDS; verify++) {
        f.options.verify = (enum ss_verify)verify;
        failure.code = 0;
        ss_check(ss__store_open(&f.options, &store, &f.report, &failure) == SS_E_CORRUPT);
        ss_check_msg(strstr(failure.text, "shard 0000 is damaged (data.mdb page ") != NULL, "%s",
                     failure.text);
        ss_check_msg(strstr(failure.text, "ssctl store restored") != NULL, "%s", failure.text);
    }
    fixture_end(&f);
}

SS_TEST(verify, disk_that_gives_an_error_is_no_damage)
{
    struct fixture f;
    struct ss_failure failure = { 0 };
    struct ss_store *store;
    fill(&f);
    f.options.verify = SS_VERIFY_STRUCTURE;
    for (unsigned after = 1; after <= 3; after++) {    /* a meta page, the other one, a tree */
        failure.code = 0;
        ss__fault_arm("pages.read", after, 1, EIO);
        ss_check(ss__store_open(&f.options, &store, &f.report, &failure) == SS_E_STOREIO);
        ss_check_msg(strstr(failure.text, "the disk gives an error") != NULL, "%s", failure.text);
    }
    ss__fault_reset();
    fixture_reopen(&f);
    fixture_verify(&f, "a", 70, 50);
    fixture_end(&f);
}

SS_TEST(verify, damage_of_values_is_logged_and_serves)
{
    struct fixture f;
    fill(&f);
    fixture_flip(&f, SS_DB_SEGMENT, 0, 10);
    f.options.verify = SS_VERIFY_RECORDS;
    fixture_reopen(&f);
    fixture_verify(&f, "b", 3, 50);
    fixture_end(&f);
}

static void open_and_close(void *ctx)
{
    struct fixture *f = ctx;
    fixture_reopen(f);
    fixture_close(f);
}

SS_TEST(verify, how_far_it_is_is_logged_on_the_way)
{
    static char payload[1u << 20];
    struct fixture f;
    struct child_stderr child;
    fixture_open(&f);
    fixture_publish(&f, "a", 1, 50, 1);
    for (unsigned i = 0; i < 20; i++) {    /* progress comes with every 4,096th page */
        char id[8];
        (void)snprintf(id, sizeof id, "%u", i);
        struct ss_entity_row row = { .kind = ss_str("note"), .id = ss_str(id),
                                     .created_ordinal = 1, .last_ordinal = 1,
                                     .type_id = f.entity_type,
                                     .payload = ss_str_of(payload, sizeof payload) };
        fixture_checkpoint(&f, "a", &row, 1, 1);
    }
    fixture_close(&f);
    f.options.verify = SS_VERIFY_STRUCTURE;
    ss__fault_arm("verify.step", 1, 9, 1);
    child_stderr_run(open_and_close, &f, &child);
    ss__fault_reset();
    const char *line = strstr(child.text, "verifying the store");
    ss_check_msg(line != NULL && strstr(line, "done=") != NULL && strstr(line, "total=") != NULL,
                 "%s", child.text);
    ss__fault_arm("verify.step", 1, 9, 1);
    fixture_reopen(&f);    /* and it serves */
    ss__fault_reset();
    fixture_verify(&f, "a", 1, 50);
    fixture_end(&f);
}
