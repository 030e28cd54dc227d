/* app.h - the simulated application: events that append to notes, and everything a handler may do
 * with them. */
#ifndef SS_SIM_APP_H
#define SS_SIM_APP_H

#include <sessionstream/sessionstream.h>

#include "model.h"
#include "sim.pb-c.h"

#define SIM_STEP "sessionstream.test.sim.Step"
#define SIM_STEPS "sessionstream.test.sim.Steps"

/* Its registry, not frozen; @model is told of each event that is projected. With @split the notes
 * have a timeline projection of their own, of that code version. */
struct ss_registry *app_registry(struct model *model, bool split, uint32_t version);

/* "s3" -> 3 */
uint32_t app_session(struct ss_str id);

#endif
