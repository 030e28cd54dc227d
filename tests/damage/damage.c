/* damage - bits flipped, sectors lost, files cut off, pages in the wrong place: what is said about
 * it, and what is served.
 *
 * Every trial is a copy of one store, damaged by a number drawn from the seed, in a process of its
 * own. The copy is checked, opened after --verify=structure and opened as it is. Damage has to be
 * found, refused or answered with an error by the sessions it concerns, or to change nothing. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "store.h"

#define TRIAL_SECONDS 60u
#define STEPS 3

enum kind { FLIP, FLIP_HEAD, SECTOR, TRUNCATE, DUPLICATE, LOG_FLIP, LOG_CUT, IDENTITY, KINDS };

static const char *const kind_names[KINDS] = { "flip", "flip-head", "sector", "truncate",
                                               "duplicate", "log-flip", "log-cut", "identity" };
static const unsigned kind_weights[KINDS] = { 30, 35, 6, 5, 8, 9, 2, 5 };

static const char *const step_names[STEPS] = { "check", "verify", "serve" };

/* What one process answers. */
struct answer {
    int verdict;    /* enum verdict, or DIED */
    char text[TEXT_BYTES];
};

#define DIED 100
#define DIED_IN_STORE 101    /* by a signal, while LMDB may have read damaged pages */

struct campaign {
    uint64_t seed;
    unsigned long trials;
    unsigned long first;
    struct fixture reference;
    struct contents contents;
    unsigned long counts[STEPS][DIED_IN_STORE + 1];
    unsigned long failures;
    bool verbose;
};

static uint64_t draw(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;    /* splitmix64 */
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* ---- copies and their damage ---- */

static uint8_t *load(const char *path, size_t *ret_len)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    ss_check_msg(file != NULL && fstat(fileno(file), &info) == 0, "%s", path);
    uint8_t *bytes = malloc((size_t)info.st_size + 1);
    ss_check(bytes != NULL && fread(bytes, 1, (size_t)info.st_size, file) == (size_t)info.st_size);
    (void)fclose(file);
    *ret_len = (size_t)info.st_size;
    return bytes;
}

static void save(const char *path, const uint8_t *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    ss_check_msg(file != NULL && fwrite(bytes, 1, len, file) == len && fclose(file) == 0, "%s",
                 path);
}

static void copy_store(const struct campaign *campaign, const char *root)
{
    char from[512];
    char to[512];
    char shard[400];
    (void)snprintf(shard, sizeof shard, "%s/shard-0000", root);
    ss_check(mkdir(shard, 0750) == 0);
    DIR *dir = opendir(campaign->reference.shard_dir);
    ss_check(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lock.mdb") == 0) {
            continue;
        }
        size_t len;
        (void)snprintf(from, sizeof from, "%s/%.100s", campaign->reference.shard_dir,
                       entry->d_name);
        (void)snprintf(to, sizeof to, "%s/%.90s", shard, entry->d_name);
        uint8_t *bytes = load(from, &len);
        save(to, bytes, len);
        free(bytes);
    }
    (void)closedir(dir);
    size_t len;
    (void)snprintf(from, sizeof from, "%s/sessionstream", campaign->reference.root);
    (void)snprintf(to, sizeof to, "%s/sessionstream", root);
    uint8_t *bytes = load(from, &len);
    save(to, bytes, len);
    free(bytes);
}

/* The @index-th file of the log, in the order of the directory. */
static bool log_path(const char *root, uint64_t drawn, char out[512])
{
    char names[64][32];
    unsigned count = 0;
    char shard[400];
    (void)snprintf(shard, sizeof shard, "%s/shard-0000", root);
    DIR *dir = opendir(shard);
    ss_check(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && count < 64;) {
        if (strncmp(entry->d_name, "log-", 4) == 0) {
            (void)snprintf(names[count++], sizeof names[0], "%.31s", entry->d_name);
        }
    }
    (void)closedir(dir);
    if (count > 0) {
        (void)snprintf(out, 512, "%s/%s", shard, names[drawn % count]);
    }
    return count > 0;
}

static enum kind draw_kind(uint64_t *state)
{
    uint64_t point = draw(state) % 100;
    for (int kind = 0; kind < KINDS; kind++) {
        if (point < kind_weights[kind]) {
            return (enum kind)kind;
        }
        point -= kind_weights[kind];
    }
    return FLIP;
}

/* Bits anywhere, or in the first bytes of pages, where the structure is. */
static void flip(uint8_t *bytes, size_t len, bool heads, uint64_t *state)
{
    uint64_t bits = draw(state) % 4 == 0 ? 1 + draw(state) % 8 : 1;
    for (uint64_t i = 0; i < bits && len > 0; i++) {
        size_t at = draw(state) % len;
        if (heads) {
            at = at / 4096 * 4096 + draw(state) % 160;
            at = at < len ? at : len - 1;
        }
        bytes[at] ^= (uint8_t)(1u << draw(state) % 8);
    }
}

static enum kind plant(const char *root, uint64_t *state)
{
    char path[512];
    size_t len;
    enum kind kind = draw_kind(state);
    (void)snprintf(path, sizeof path, "%s/%s", root,
                   kind == IDENTITY ? "sessionstream" : "shard-0000/data.mdb");
    if ((kind == LOG_FLIP || kind == LOG_CUT) && !log_path(root, draw(state), path)) {
        kind = FLIP;
    }
    uint8_t *bytes = load(path, &len);
    size_t pages = len / 4096;
    switch (kind) {
    case SECTOR:
        memset(bytes + draw(state) % (len / 512) * 512, 0, 512);
        break;
    case TRUNCATE:
    case LOG_CUT:
        len = draw(state) % len;
        break;
    case DUPLICATE:
        memmove(bytes + draw(state) % pages * 4096, bytes + draw(state) % pages * 4096, 4096);
        break;
    case LOG_FLIP:    /* a new file is mostly empty */
        flip(bytes, draw(state) % 2 == 0 ? len : len < 30000 ? len : 30000, false, state);
        break;
    default:
        flip(bytes, len, kind == FLIP_HEAD, state);
        break;
    }
    save(path, bytes, len);
    free(bytes);
    return kind;
}

/* ---- one step of a trial, in a process of its own ---- */

static void count_finding(uint32_t shard, const char *place, const char *text, void *ctx)
{
    struct answer *answer = ctx;
    (void)shard;
    if (answer->text[0] == '\0') {
        (void)snprintf(answer->text, sizeof answer->text, "%s: %s", place, text);
    }
}

static void act(const struct campaign *campaign, const char *root, int step, struct answer *answer)
{
    static struct fixture f;
    struct ss_check_summary summary;
    struct ss_failure failure = { 0 };
    f = campaign->reference;
    (void)snprintf(f.root, sizeof f.root, "%s", root);
    if (step == 0) {
        int err = ss__store_check(root, count_finding, answer, &summary, &failure);
        if (err != 0 || summary.findings > 0) {
            answer->verdict = FOUND;
            return;
        }
        f.options.verify = SS_VERIFY_NONE;
        answer->verdict = damage_compare(&f, &campaign->contents, answer->text);
        /* The check said it is clean, so nothing may be lacking. */
        answer->verdict = answer->verdict == EQUAL ? EQUAL : WRONG;
        return;
    }
    f.options.verify = step == 1 ? SS_VERIFY_STRUCTURE : SS_VERIFY_NONE;
    answer->verdict = damage_compare(&f, &campaign->contents, answer->text);
    if (step == 1 && (answer->verdict == EQUAL || answer->verdict == PARTLY)) {
        enum verdict verdict = damage_go_on(&f, &campaign->contents, answer->text);
        answer->verdict = (int)verdict > answer->verdict ? (int)verdict : answer->verdict;
    }
}

/* How a process ended that answered nothing. */
static void judge_end(int status, const char *errors, struct answer *answer)
{
    size_t len;
    uint8_t *bytes = load(errors, &len);
    bytes[len] = '\0';
    const char *asan = strstr((const char *)bytes, "ERROR: AddressSanitizer: ");
    const char *line = asan != NULL ? asan : strstr((const char *)bytes, "store is damaged");
    bool in_store = WIFSIGNALED(status) ? WTERMSIG(status) != SIGALRM
                                        : asan != NULL && (strncmp(asan + 25, "SEGV", 4) == 0 ||
                                                           strncmp(asan + 25, "BUS", 3) == 0);
    answer->verdict = in_store ? DIED_IN_STORE : DIED;
    (void)snprintf(answer->text, sizeof answer->text, "status 0x%x %.*s", status,
                   line != NULL ? (int)strcspn(line, "\n") : 200,
                   line != NULL ? line : len > 200 ? (char *)bytes + len - 200 : (char *)bytes);
    free(bytes);
}

static void run_step(struct campaign *campaign, const char *root, int step, struct answer *answer)
{
    int ends[2];
    char errors[400];
    (void)snprintf(errors, sizeof errors, "%s/errors", root);
    ss_check(pipe(ends) == 0);
    pid_t child = fork();
    ss_check(child >= 0);
    if (child == 0) {
        struct rlimit none = { 0, 0 };
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)alarm(TRIAL_SECONDS);
        (void)signal(SIGABRT, SIG_DFL);
        int fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        (void)dup2(fd, STDERR_FILENO);
        *answer = (struct answer){ 0 };
        act(campaign, root, step, answer);
        _exit(write(ends[1], answer, sizeof *answer) == (ssize_t)sizeof *answer ? 0 : 1);
    }
    (void)close(ends[1]);
    ssize_t got = read(ends[0], answer, sizeof *answer);
    (void)close(ends[0]);
    int status = 0;
    ss_check(waitpid(child, &status, 0) == child);
    if (got != (ssize_t)sizeof *answer || status != 0) {
        judge_end(status, errors, answer);
    }
}

static const char *verdict_name(int verdict)
{
    static const char *const names[] = { "as it was", "found", "partly", "shorter", "WRONG" };
    return verdict == DIED          ? "DIED"
           : verdict == DIED_IN_STORE ? "died"
                                      : names[verdict];
}

/* The first two steps must neither end by a signal nor serve something else, the last only not the
 * second. */
static bool is_failure(int step, int verdict)
{
    return verdict == WRONG || verdict == DIED || (verdict == DIED_IN_STORE && step < 2);
}

static void run_trial(struct campaign *campaign, unsigned long trial)
{
    for (int step = 0; step < STEPS; step++) {
        struct answer answer;
        char root[256];
        uint64_t state = campaign->seed + trial * 1000003u;
        fixture_make_root(root, sizeof root);
        copy_store(campaign, root);
        enum kind kind = plant(root, &state);
        run_step(campaign, root, step, &answer);
        campaign->counts[step][answer.verdict]++;
        bool failure = is_failure(step, answer.verdict);
        campaign->failures += failure;
        if (failure || campaign->verbose || answer.verdict == DIED_IN_STORE) {
            printf("trial %lu %s, %s: %s: %.250s\n", trial, kind_names[kind], step_names[step],
                   verdict_name(answer.verdict), answer.text);
            (void)fflush(stdout);
        }
        (void)nftw(root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

static void print_counts(const struct campaign *campaign)
{
    for (int step = 0; step < STEPS; step++) {
        printf("%s:", step_names[step]);
        for (int verdict = 0; verdict <= DIED_IN_STORE; verdict++) {
            if (campaign->counts[step][verdict] > 0) {
                printf(" %lu %s", campaign->counts[step][verdict], verdict_name(verdict));
            }
        }
        printf("\n");
    }
}

static int usage(FILE *out, int status)
{
    fprintf(out, "Usage: damage [--seed S] [--flips N] [--trial T] [--verbose]\n"
                 "Damages N copies of a store, each in one way drawn from the seed [default: the\n"
                 "time], and looks at what is said about it and what is served. --trial runs that\n"
                 "one alone. Exit status 0: nothing wrong was served.\n");
    return status;
}

static bool parse(int argc, char **argv, struct campaign *campaign)
{
    campaign->seed = (uint64_t)time(NULL);
    campaign->trials = 100;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--verbose") == 0) {
            campaign->verbose = true;
        } else if (strcmp(argv[i], "--seed") == 0 && value[0] != '\0') {
            campaign->seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--flips") == 0 && value[0] != '\0') {
            campaign->trials = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--trial") == 0 && value[0] != '\0') {
            campaign->first = strtoul(argv[++i], NULL, 10);
            campaign->trials = 1;
            campaign->verbose = true;
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct campaign campaign;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        return usage(stdout, 0);
    }
    if (!parse(argc, argv, &campaign)) {
        return usage(stderr, 2);
    }
    printf("seed %llu\n", (unsigned long long)campaign.seed);
    damage_fill(&campaign.reference, &campaign.contents);
    for (unsigned long i = 0; i < campaign.trials; i++) {
        run_trial(&campaign, campaign.first + i);
        if ((i + 1) % 500 == 0) {
            printf("%lu trials, %lu failures\n", i + 1, campaign.failures);
            (void)fflush(stdout);
        }
    }
    print_counts(&campaign);
    printf("%lu trials, %lu failures\n", campaign.trials, campaign.failures);
    (void)nftw(campaign.reference.root, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return campaign.failures == 0 ? 0 : 1;
}
