/* Who belongs to which worker. */
#include <stdlib.h>

#include "load/worker.h"

/* With many sessions all of one stay together, so that no thread waits for another. */
uint32_t ss__load_worker_of(const struct ss_load_options *options, uint32_t session,
                            uint32_t follower)
{
    uint32_t home = options->publishers > 0 ? session % options->publishers : session;
    uint32_t offset = options->sessions >= options->threads ? 0 : follower;
    return (home + offset) % options->threads;
}

static int add_publishers(struct ss_load_worker *worker)
{
    struct ss_load_run *run = worker->run;
    const struct ss_load_options *options = run->options;
    uint32_t total = options->publishers;
    worker->publishers = calloc(total / options->threads + 1, sizeof *worker->publishers);
    if (worker->publishers == NULL) {
        return SS_E_NOMEM;
    }
    int err = 0;
    for (uint32_t i = worker->index; i < total && err == 0; i += options->threads) {
        struct ss_load_publisher *publisher = &worker->publishers[worker->publisher_count++];
        uint32_t window = options->window == 0
                              ? 0
                              : options->window / total + (i < options->window % total);
        err = ss__load_publisher_init(publisher, worker, i, options->rate / total, window);
        for (uint32_t s = i; s < options->sessions; s += total) {
            run->sessions[s].publisher = publisher;
        }
    }
    return err;
}

static int init_follower(struct ss_load_worker *worker, struct ss_load_follower *follower,
                         uint32_t session, uint32_t target)
{
    const struct ss_load_options *options = worker->run->options;
    ss__load_follower_init(follower, worker, &worker->run->sessions[session], target);
    if (options->fold) {
        follower->fold = calloc(options->entities, sizeof *follower->fold);
        if (follower->fold == NULL) {
            return SS_E_NOMEM;
        }
    }
    return 0;
}

static int by_due(const void *a, const void *b)
{
    const struct ss_load_follower *left = *(struct ss_load_follower *const *)a;
    const struct ss_load_follower *right = *(struct ss_load_follower *const *)b;
    return (left->due_ns > right->due_ns) - (left->due_ns < right->due_ns);
}

/* At random moments of the ramp. */
static int plan_joins(struct ss_load_worker *worker)
{
    uint64_t now_ns = ss__load_now_ns();
    struct ss_load_follower **order = calloc(worker->follower_count + 1, sizeof *order);
    if (order == NULL) {
        return SS_E_NOMEM;
    }
    unsigned seed = worker->index + 1;
    for (uint32_t i = 0; i < worker->follower_count; i++) {
        double part = (double)rand_r(&seed) / RAND_MAX;
        order[i] = &worker->followers[i];
        order[i]->due_ns = now_ns + (uint64_t)(part * worker->run->options->ramp * 1e9);
    }
    qsort(order, worker->follower_count, sizeof *order, by_due);
    for (uint32_t i = 0; i < worker->follower_count; i++) {
        order[i]->next_due = order[i + 1];
        worker->due_last = order[i];
    }
    worker->due_first = order[0];
    free(order);
    return 0;
}

static int add_followers(struct ss_load_worker *worker)
{
    const struct ss_load_options *options = worker->run->options;
    uint32_t count = 0;
    for (uint32_t s = 0; s < options->sessions; s++) {
        for (uint32_t f = 0; f < options->followers; f++) {
            count += ss__load_worker_of(options, s, f) == worker->index;
        }
    }
    worker->followers = calloc(count + 1, sizeof *worker->followers);
    if (worker->followers == NULL) {
        return SS_E_NOMEM;
    }
    int err = 0;
    for (uint32_t s = 0; s < options->sessions; s++) {
        for (uint32_t f = 0; f < options->followers && err == 0; f++) {
            if (ss__load_worker_of(options, s, f) == worker->index) {
                err = init_follower(worker, &worker->followers[worker->follower_count++], s, s + f);
            }
        }
    }
    return err != 0 ? err : plan_joins(worker);
}

static int add_checkers(struct ss_load_worker *worker)
{
    const struct ss_load_options *options = worker->run->options;
    worker->checkers = calloc(options->sessions / options->threads + 1, sizeof *worker->checkers);
    if (worker->checkers == NULL) {
        return SS_E_NOMEM;
    }
    int err = 0;
    for (uint32_t s = worker->index; s < options->sessions && err == 0; s += options->threads) {
        struct ss_load_follower *checker = &worker->checkers[worker->checker_count++];
        err = init_follower(worker, checker, s, s);
        checker->checker = true;
    }
    atomic_store(&worker->counts.unchecked, worker->checker_count);
    return err;
}

struct ss_load_worker *ss__load_worker_new(struct ss_load_run *run, uint32_t index)
{
    struct ss_load_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return NULL;
    }
    worker->run = run;
    worker->index = index;
    worker->random = UINT64_C(0x9e3779b97f4a7c15) * (index + 1);
    worker->all_stay = run->options->churn == 0 && run->options->ramp == 0;
    worker->pace_fd = -1;
    atomic_store(&worker->counts.lagging, 1);    /* until it was counted */
    ss__bytes_init(&worker->out, 0);
    int err = add_publishers(worker);
    err = err != 0 ? err : add_followers(worker);
    if (err == 0 && run->options->fold) {
        err = add_checkers(worker);
    }
    if (err != 0) {
        ss__load_worker_free(worker);
        return NULL;
    }
    return worker;
}

void ss__load_worker_free(struct ss_load_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    for (uint32_t i = 0; i < worker->publisher_count; i++) {
        ss__load_publisher_deinit(&worker->publishers[i]);
    }
    for (uint32_t i = 0; i < worker->follower_count; i++) {
        free(worker->followers[i].fold);
    }
    for (uint32_t i = 0; i < worker->checker_count; i++) {
        free(worker->checkers[i].fold);
    }
    free(worker->publishers);
    free(worker->followers);
    free(worker->checkers);
    ss__bytes_deinit(&worker->out);
    free(worker);
}
