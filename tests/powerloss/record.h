/* record.h - the trace that the recorder writes and powerloss/trace.py reads.
 *
 * A trace is a row of records, native byte order, in the order in which the system was changed: a
 * head, then name_len bytes of names, then data_len bytes of data. Files and directories are named
 * by their inode, which a later file may have again after an unlink. */
#ifndef SS_TESTS_POWERLOSS_RECORD_H
#define SS_TESTS_POWERLOSS_RECORD_H

#include <stdint.h>

enum record_kind {
    RECORD_RUN = 1,       /* a process begins; a: its id */
    RECORD_CREATE = 2,    /* ino; a: of the directory; name */
    RECORD_MKDIR = 3,     /* the same */
    RECORD_RESIZE = 4,    /* ino; a: size */
    RECORD_WRITE = 5,     /* ino; a: offset; b: bytes; data, or none if all of it is zeros */
    RECORD_ROOM = 6,      /* ino; a: offset; b: bytes that the file has from now on */
    RECORD_RENAME = 7,    /* ino; a, b: from and to directory; two names with a NUL between */
    RECORD_UNLINK = 8,    /* ino; a: of the directory; name */
    RECORD_SYNC = 9,      /* a sync begins: ino; a: number of the sync */
    RECORD_SYNCED = 10,   /* it has ended without error: the same */
    RECORD_SOCKET = 11,   /* ino: of the socket; data */
    RECORD_ESCAPE = 12,   /* something that this program cannot follow; name: what */
    RECORD_FAILED = 13,   /* a sync has ended with an error: ino; a: its number */
};

/* Flags of RECORD_WRITE. */
#define RECORD_DURABLE 1u    /* synced when it returned */
#define RECORD_REFUSED 2u    /* that sync failed, and the write returned with an error */

struct record_head {
    uint8_t kind;
    uint8_t flags;
    uint16_t name_len;
    uint32_t data_len;
    uint64_t ino;
    uint64_t a;
    uint64_t b;
    uint64_t time_ns;
};

#endif
