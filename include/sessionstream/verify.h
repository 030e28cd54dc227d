/* verify.h - what is looked at before a store is used. */
#ifndef SS_VERIFY_H
#define SS_VERIFY_H

enum ss_verify {
    SS_VERIFY_NONE,         /* default: each value by its checksum when it is read */
    SS_VERIFY_STRUCTURE,    /* every page of every data file: a damaged store is refused */
    SS_VERIFY_RECORDS,      /* every value and log record, too: what is damaged is logged */
};

#endif
