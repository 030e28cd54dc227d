/* backup_fixture.h - backups of the fixture's store, restored beside it. */
#ifndef SS_TESTS_BACKUP_FIXTURE_H
#define SS_TESTS_BACKUP_FIXTURE_H

#include "store_fixture.h"

#include "store/backup.h"
#include "store/cut.h"
#include "store/restore.h"

struct backup_fixture {
    struct fixture f;
    char parent[256];      /* of backups */
    char target[256];      /* of restored directories; not there at first */
};

static inline void backup_init(struct backup_fixture *b)
{
    fixture_open(&b->f);
    fixture_make_root(b->parent, sizeof b->parent);
    ss_check(strlen(b->parent) < sizeof b->target - 16);
    strcpy(b->target, b->parent);
    strcat(b->target, "/restored");
}

static inline void backup_deinit(struct backup_fixture *b)
{
    fixture_end(&b->f);
    (void)nftw(b->parent, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Copies a cut that has been made. */
static inline int backup_copy(struct backup_fixture *b, const char *name, const struct ss_cut *cut,
                              const struct ss_copier *copier, struct ss_failure *failure)
{
    static struct ss_backup backup;
    struct ss_copier plain = { 0 };
    int err = ss__backup_begin(&backup, b->parent, name, b->f.directory,
                               copier != NULL ? copier : &plain, failure);
    if (err == 0) {
        err = ss__backup_shard(&backup, 0, cut, failure);
        err = err != 0 ? err : ss__backup_finish(&backup, failure);
        ss__backup_end(&backup);
    }
    return err;
}

static inline int backup_now(struct backup_fixture *b, const char *name,
                             const struct ss_copier *copier, struct ss_failure *failure)
{
    struct ss_cut *cut;
    ss_check(ss__store_cut(b->f.store, &cut) == 0);
    int err = backup_copy(b, name, cut, copier, failure);
    ss__store_uncut(b->f.store);
    return err;
}

static inline void backup_on_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    (void)shard;
    (void)place;
    (void)text;
    (void)ctx;
}

static inline int backup_restore(struct backup_fixture *b, const char *name, bool force,
                                 struct ss_check_summary *ret_summary, struct ss_failure *failure)
{
    static char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", b->parent, name);
    struct ss_restore_options options = { .backup = path, .dir = b->target,
                                          .with_findings = force, .report = backup_on_finding };
    return ss__restore(&options, ret_summary, failure);
}

/* The fixture goes on with what was restored, and no longer knows the original. */
static inline void backup_switch(struct backup_fixture *b)
{
    if (b->f.store != NULL) {
        fixture_close(&b->f);
    }
    (void)nftw(b->f.root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    strcpy(b->f.root, b->target);
    fixture_reopen(&b->f);
}

static inline bool backup_exists(const struct backup_fixture *b, const char *name)
{
    char path[600];
    struct stat info;
    (void)snprintf(path, sizeof path, "%s/%s", b->parent, name);
    return lstat(path, &info) == 0;
}

#endif
