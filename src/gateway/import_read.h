/* import_read.h - events with their ordinals as JSON. Any thread; blocks never. */
#ifndef SS_GATEWAY_IMPORT_READ_H
#define SS_GATEWAY_IMPORT_READ_H

#include "message/import.h"
#include "schema/registry.h"

/* Reads one event or an array of them, {"ordinal", "time", "event", "payload"}: at least one, with
 * consecutive ordinals, of registered events, payloads validated. "raw", the packed bytes of a
 * message of the full name "type" in base64, goes before "payload": it also has what a JSON of
 * other versions of the type leaves out. Errors, with a text that says where: SS_E_JSON,
 * SS_E_PAYLOAD, SS_E_UNKNOWN_EVENT, SS_E_TOOBIG, SS_E_NOMEM, those of ss__import_add. */
int ss__import_read(const struct ss_registry *registry, const struct ss_schema *schema,
                    struct ss_str body, struct ss_import **ret_import,
                    struct ss_failure *failure);

#endif
