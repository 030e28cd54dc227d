/* replay: runs a fuzz target without libFuzzer, so that every build does.
 *
 * Arguments: folders of seeds. Each seed runs as it is and in mutations, the same ones each time,
 * always as an exact copy, so that the sanitizer sees a byte read too many. When a target aborts,
 * the input lies in the file "fuzz-crash" of the working directory. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

#define SEEDS_MAX 256
#define INPUT_BYTES_MAX 4096u
#ifndef SS_FUZZ_MUTATIONS
#define SS_FUZZ_MUTATIONS 1000    /* of each seed */
#endif

struct seed {
    uint8_t *data;
    size_t len;
};

static struct seed seeds[SEEDS_MAX];
static size_t seed_count;
static uint8_t input[INPUT_BYTES_MAX];
static size_t input_len;
static uint64_t state;

static uint32_t pick(size_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return below == 0 ? 0 : (uint32_t)((state >> 20) % below);
}

static void load_seed(const char *folder, const char *name)
{
    char path[4096];
    uint8_t data[INPUT_BYTES_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = len > 0 && len < (int)sizeof path ? fopen(path, "rb") : NULL;
    if (file == NULL || seed_count == SEEDS_MAX) {
        fprintf(stderr, "replay: cannot take %s/%s\n", folder, name);
        exit(2);
    }
    struct seed *seed = &seeds[seed_count++];
    seed->len = fread(data, 1, sizeof data, file);
    seed->data = malloc(seed->len + 1);
    if (seed->data == NULL || fclose(file) != 0) {
        exit(2);
    }
    memcpy(seed->data, data, seed->len);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* By name, so that the mutations do not depend on the file system. */
static void load_folder(const char *folder)
{
    char *names[SEEDS_MAX];
    size_t count = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        fprintf(stderr, "replay: %s: no such folder\n", folder);
        exit(2);
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.' && count < SEEDS_MAX) {
            names[count] = strdup(entry->d_name);
            count += names[count] != NULL;
        }
    }
    (void)closedir(dir);    /* it was only read */
    qsort(names, count, sizeof names[0], compare_names);
    for (size_t i = 0; i < count; i++) {
        load_seed(folder, names[i]);
        free(names[i]);
    }
}

static void keep_input(int signal_number)
{
    FILE *file = fopen("fuzz-crash", "wb");
    if (file != NULL) {
        (void)fwrite(input, 1, input_len, file);    /* best effort while the process dies */
        (void)fclose(file);
    }
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

/* Asked by the sanitizers as they start: their errors shall raise SIGABRT too. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return "abort_on_error=1";
}

const char *__ubsan_default_options(void)
{
    return "abort_on_error=1";
}

static void run_input(void)
{
    uint8_t *exact = malloc(input_len > 0 ? input_len : 1);
    if (exact == NULL) {
        exit(2);
    }
    memcpy(exact, input, input_len);
    (void)LLVMFuzzerTestOneInput(exact, input_len);    /* always 0 */
    free(exact);
}

/* Replaces @drop bytes at @at by @count bytes of @from, as far as there is room. */
static void splice(size_t at, size_t drop, const uint8_t *from, size_t count)
{
    uint8_t copy[INPUT_BYTES_MAX];
    count = count > INPUT_BYTES_MAX - (input_len - drop) ? INPUT_BYTES_MAX - (input_len - drop)
                                                        : count;
    memcpy(copy, from, count);
    memmove(input + at + count, input + at + drop, input_len - at - drop);
    memcpy(input + at, copy, count);
    input_len = input_len - drop + count;
}

static void mutate(void)
{
    static const uint8_t odd[] = { 0x00, 0x01, 0x7F, 0x80, 0xFF, 0xFE, '"', '\\', '\r', '\n' };
    const struct seed *other = &seeds[pick(seed_count)];
    size_t at = pick(input_len);
    size_t run = 1 + pick(input_len - at < 16 ? input_len - at : 16);
    size_t from = pick(other->len);
    run = run > input_len - at ? input_len - at : run;
    switch (pick(8)) {
    case 0:
        if (input_len > 0) {
            input[at] ^= (uint8_t)(1u << pick(8));
        }
        break;
    case 1:
        if (input_len > 0) {
            input[at] = odd[pick(sizeof odd)];
        }
        break;
    case 2:
        if (input_len > 0) {
            input[at] = (uint8_t)(input[at] + pick(5) - 2u);
        }
        break;
    case 3:
        splice(at, run, odd, 0);
        break;
    case 4:
        splice(at, 0, input + at, run);
        break;
    case 5:
        splice(at, pick(2) == 0 ? 0 : run, other->data + from, pick(other->len - from + 1));
        break;
    case 6:
        splice(at, 0, odd + pick(sizeof odd), 1);
        break;
    default:
        input_len = at;
        break;
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        load_folder(argv[i]);
    }
    if (seed_count == 0) {
        fputs("usage: fuzz_TARGET FOLDER...\n", stderr);
        return 2;
    }
    (void)signal(SIGABRT, keep_input);
    (void)signal(SIGSEGV, keep_input);
    size_t runs = 0;
    for (size_t i = 0; i < seed_count; i++) {
        state = 88172645463325252u + i;
        for (int round = 0; round <= SS_FUZZ_MUTATIONS; round++, runs++) {
            memcpy(input, seeds[i].data, seeds[i].len);
            input_len = seeds[i].len;
            for (uint32_t n = round == 0 ? 0 : 1 + pick(4); n > 0; n--) {
                mutate();
            }
            run_input();
        }
    }
    for (size_t i = 0; i < seed_count; i++) {
        free(seeds[i].data);
    }
    printf("%zu seeds, %zu inputs\n", seed_count, runs);
    return 0;
}
