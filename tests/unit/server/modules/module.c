/* One source, built into several shared objects that differ in what the definitions leave out
 * (tools/cmake/tests_server.cmake). */
#include <sessionstream/app.h>

static const struct ss_app_option options[] = {
    { "size", "4", "how large" },
    { "bare", NULL, NULL },
    { NULL, NULL, NULL },
};

#ifdef MODULE_UNDEFINED
int ss_nobody_has_this(void);
#endif

__attribute__((unused)) static int init(struct ss_registry *registry,
                                        const struct ss_app_settings *settings, void **ret_state)
{
    (void)registry;
    (void)settings;
    *ret_state = NULL;
#ifdef MODULE_UNDEFINED
    return ss_nobody_has_this();
#else
    return 0;
#endif
}

#ifdef MODULE_WITHOUT_SYMBOL
SS_API extern const struct ss_app another_name;
#define ss_app_v1 another_name
#endif

#ifndef MODULE_ABI
#define MODULE_ABI SS_APP_ABI
#endif
#ifndef MODULE_NAME
#define MODULE_NAME "sample"
#endif
#ifndef MODULE_INIT
#define MODULE_INIT init
#endif

const struct ss_app ss_app_v1 = {
    .abi = MODULE_ABI,
    .name = MODULE_NAME,
    .options = options,
    .init = MODULE_INIT,
};
