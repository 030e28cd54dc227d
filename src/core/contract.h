/* contract.h - checks for programmer errors. They stay on in release; they have no side effects;
 * bytes from the network or the disk never reach one (those get error codes).
 *
 * SS_REQUIRE: the caller broke the contract in the header. SS_INSIST: we did. */
#ifndef SS_CORE_CONTRACT_H
#define SS_CORE_CONTRACT_H

_Noreturn void ss__contract_failed(const char *kind, const char *file, int line, const char *text);

#define SS_REQUIRE(expr) \
    ((expr) ? (void)0 : ss__contract_failed("requirement", __FILE__, __LINE__, #expr))
#define SS_INSIST(expr) \
    ((expr) ? (void)0 : ss__contract_failed("invariant", __FILE__, __LINE__, #expr))

#ifdef SS_DEV_CHECKS
#define SS_DEV_CHECK(expr) SS_INSIST(expr)
#else
#define SS_DEV_CHECK(expr) ((void)sizeof(expr))
#endif

#define ss__container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#endif
