/* policy.h - what follows when a projection fails: see docs/projections.md. */
#ifndef SS_POLICY_H
#define SS_POLICY_H

enum ss_projection_policy {
    SS_POLICY_FAIL,       /* default: the publisher gets the error, nothing of the event is shown */
    SS_POLICY_ADVANCE,    /* go on without what failed; the publisher gets no error */
    SS_POLICY_HALT,       /* timeline only: it stops at the event until a retry; events go on */
};

#endif
