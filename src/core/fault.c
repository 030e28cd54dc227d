#include "core/fault.h"

#ifdef SS_FAULTS

#include <pthread.h>
#include <string.h>

#include "core/contract.h"

#define POINTS_MAX 16

struct point {
    const char *name;
    unsigned after;
    unsigned times;
    int code;
};

bool (*ss__fault_memory)(void);

static struct point points[POINTS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct point *find(const char *name)
{
    for (int i = 0; i < POINTS_MAX; i++) {
        if (points[i].name != NULL && strcmp(points[i].name, name) == 0) {
            return &points[i];
        }
    }
    return NULL;
}

int ss__fault_hit(const char *name)
{
    int code = 0;
    pthread_mutex_lock(&lock);
    struct point *point = find(name);
    if (point != NULL && point->times > 0) {
        if (point->after > 1) {
            point->after--;
        } else {
            point->times--;
            code = point->code;
        }
    }
    pthread_mutex_unlock(&lock);
    return code;
}

void ss__fault_arm(const char *name, unsigned after, unsigned times, int code)
{
    pthread_mutex_lock(&lock);
    struct point *point = find(name);
    for (int i = 0; point == NULL && i < POINTS_MAX; i++) {
        if (points[i].name == NULL) {
            point = &points[i];
        }
    }
    SS_REQUIRE(point != NULL);
    *point = (struct point){ name, after, times, code };
    pthread_mutex_unlock(&lock);
}

void ss__fault_reset(void)
{
    pthread_mutex_lock(&lock);
    memset(points, 0, sizeof points);
    pthread_mutex_unlock(&lock);
}

#else
typedef int ss__fault_translation_unit;    /* ISO C wants one declaration */
#endif
