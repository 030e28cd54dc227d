/* copy.h - copying files of a store in chunks: throttled, cancellable, checked, durable at the end.
 * One thread per copier; every function blocks on the disk. */
#ifndef SS_STORE_COPY_H
#define SS_STORE_COPY_H

#include <stdint.h>

#include "core/failure.h"

/* Read, written and summed at once; part of how a checksum is made, so it never changes. */
#define SS_COPY_CHUNK_BYTES (1u << 20)

struct ss_copier {
    uint64_t rate;              /* bytes a second; 0: as fast as it goes */
    uint64_t min_free_bytes;    /* of the disk copied to: SS_E_STOREFULL before less are free */
    /* After each chunk, and some twenty times a second while it waits for its rate: not 0 ends the
     * copy with that error. NULL: nobody wants to know. */
    int (*step)(uint64_t bytes, void *ctx);
    void *ctx;
    const void *head;           /* stands for the first bytes of the next file, or NULL */
    uint64_t head_bytes;        /* at most a chunk */
    uint64_t begin_ns;          /* private from here on */
    uint64_t copied;
    uint64_t unsynced;
    uint8_t *chunk;
};

/* @rate and the fields before @begin_ns are the caller's. SS_E_NOMEM. */
int ss__copier_init(struct ss_copier *copier);
void ss__copier_deinit(struct ss_copier *copier);

/* Copies the first @bytes of @from_fd to @to_fd, which is @full bytes long then, and syncs it. The
 * checksum is of the copied bytes. @to_fd -1: only sums. Errors: SS_E_IO (@from_fd is shorter, or
 * cannot be read), SS_E_STOREFULL, SS_E_STOREIO (@to_fd), or what step returned. */
int ss__copy(struct ss_copier *copier, int from_fd, int to_fd, uint64_t bytes, uint64_t full,
             uint64_t *ret_checksum, struct ss_failure *failure);

/* The checksum of some more bytes, in chunks: 0 at first. */
uint64_t ss__copy_sum(uint64_t sum, const void *chunk, uint64_t bytes);

/* Removes a directory with all that is in it, at most four levels deep. One that is not there is
 * fine. SS_E_IO. */
int ss__remove_tree(const char *path, struct ss_failure *failure);

#endif
