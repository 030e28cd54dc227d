/* durability.h - when an acknowledged event is on disk. */
#ifndef SS_DURABILITY_H
#define SS_DURABILITY_H

enum ss_durability {
    SS_DURABILITY_FSYNC,       /* default: every ack and frame after the fsync that covers it */
    SS_DURABILITY_INTERVAL,    /* acks at once, a sync every N ms: a power failure loses at most
                                  that, a killed process nothing */
    SS_DURABILITY_NONE,        /* left to the kernel: the same, but nobody knows how much */
};

#endif
