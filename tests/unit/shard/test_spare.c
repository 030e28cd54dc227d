/* The next file of the log is there before it is needed. */
#include <dirent.h>
#include <errno.h>
#include <sched.h>

#include "notes_app.h"

#include "shard/shard_state.h"

#define TEXT_BYTES 2000

static void open_small(struct fixture *f, struct ss_pool **ret_pool)
{
    ss_check(ss__pool_new(1, ret_pool) == 0);
    fixture_init(f);
    ss__shard_close(f->shard);
    ss__shard_free(f->shard);
    ss_check(nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);    /* begin anew */
    f->pool = *ret_pool;
    f->log_file_bytes = 1u << 20;
    fixture_open(f);
}

/* Over half of a file. */
static void fill_half(struct fixture *f)
{
    static char text[TEXT_BYTES + 1];
    memset(text, 'x', TEXT_BYTES);
    for (int i = 0; i < 250; i++) {
        post_put(f, "s", "a", text);
        step_all(f);
        ss_check(f->done_err == 0);
        post_put(f, "s", "a", "delete");
        step_all(f);
    }
    while (f->shard->jobs > 0) {
        step_all(f);
        (void)sched_yield();
    }
}

static unsigned spares(const struct fixture *f)
{
    unsigned count = 0;
    DIR *dir = opendir(f->dir);
    ss_check(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        count += strncmp(entry->d_name, "spare-", 6) == 0;
    }
    (void)closedir(dir);
    return count;
}

SS_TEST(spare, is_made_by_the_pool_when_half_of_the_log_file_is_used)
{
    struct fixture f;
    struct ss_pool *pool;
    open_small(&f, &pool);
    ss_check(spares(&f) == 0);
    fill_half(&f);
    ss_check(spares(&f) == 1);
    fill_half(&f);    /* and used */
    ss_check(f.done_err == 0);
    fixture_deinit(&f);
    ss__pool_free(pool);
}

SS_TEST(spare, that_cannot_be_made_keeps_nobody_from_publishing)
{
    struct fixture f;
    struct ss_pool *pool;
    open_small(&f, &pool);
    ss__fault_arm("log.fill", 1, 1000, EIO);
    fill_half(&f);
    ss_check(spares(&f) == 0);
    fill_half(&f);
    fill_half(&f);
    ss_check(f.done_err == 0 && atomic_load(&f.stats->commit_errors) == 0);
    ss__fault_reset();
    fixture_deinit(&f);
    ss__pool_free(pool);
}
