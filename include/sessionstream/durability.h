/* durability.h - when an acknowledged event is on disk. */
#ifndef SS_DURABILITY_H
#define SS_DURABILITY_H

enum ss_durability {
    SS_DURABILITY_FSYNC,       /* default: every ack and frame after the fsync that covers it */
    SS_DURABILITY_INTERVAL,    /* acks at once, full sync every N ms: a crash loses at most that */
    SS_DURABILITY_NONE,        /* left to the kernel: survives a killed process, not a power loss */
};

#endif
