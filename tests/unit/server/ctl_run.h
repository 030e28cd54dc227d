/* ctl_run.h - runs ssctl in this process and keeps what it prints. */
#ifndef SS_TESTS_CTL_RUN_H
#define SS_TESTS_CTL_RUN_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/ssctl.h"
#include "ss_test.h"

struct ctl_run {
    char *out;
    char *err;
    int status;
};

/* @args end with NULL. */
static inline void ctl_run(struct ctl_run *run, const char *const *args)
{
    char *argv[16] = { (char *)(uintptr_t)"ssctl" };
    size_t out_len;
    size_t err_len;
    for (size_t i = 0; args[i] != NULL; i++) {
        ss_check(i + 2 < sizeof argv / sizeof argv[0]);
        argv[i + 1] = (char *)(uintptr_t)args[i];
    }
    FILE *out = open_memstream(&run->out, &out_len);
    FILE *err = open_memstream(&run->err, &err_len);
    ss_check(out != NULL && err != NULL);
    run->status = ss__ctl_main(argv, out, err);
    ss_check(fclose(out) == 0 && fclose(err) == 0);
}

static inline void ctl_run_deinit(struct ctl_run *run)
{
    free(run->out);
    free(run->err);
}

#define CTL_ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

#endif
