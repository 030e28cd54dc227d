/* registry.h - what an application is: names, their protobuf types, handlers and projections.
 *
 * Commands, events, UI events and entity kinds are four separate name spaces. Names are 1 to
 * SS_NAME_BYTES_MAX bytes of UTF-8 without NUL. Every type comes from a FileDescriptorSet; a
 * generated protobuf-c descriptor may be attached so that code can use its structs. A name is
 * accepted only if its type is loaded; google.protobuf.Struct at the top level is refused.
 *
 * Life:    new -> load, attach, register ... -> ss_engine_new freezes it -> free after the engine.
 * Threads: one thread until frozen; read-only afterwards.
 * Errors:  SS_E_FROZEN    an engine uses the registry already.
 *          SS_E_INVAL     a name is empty, too long or not UTF-8, or a pointer is NULL.
 *          SS_E_EXISTS    the name (or projection, hook, path) is registered already.
 *          SS_E_UNKNOWN_TYPE  the type is in no loaded descriptor set.
 *          SS_E_LIMIT    too many projections.
 *          SS_E_NOMEM
 * After an error ss_registry_error gives the sentence. */
#ifndef SS_REGISTRY_H
#define SS_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include <sessionstream/handler.h>
#include <sessionstream/projection.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ss_registry;

/* NULL when out of memory. */
SS_API struct ss_registry *ss_registry_new(void);
SS_API void ss_registry_free(struct ss_registry *registry);

/* What went wrong last, for a person; "" at first. Valid until the next call. */
SS_API const char *ss_registry_error(const struct ss_registry *registry);

/* Says why the application cannot register; returns @err. For its own checks in ss_app.init. */
SS_API int ss_registry_fail(struct ss_registry *registry, int err, const char *format, ...)
    SS_PRINTF(3, 4);

/* Adds the types of a serialized FileDescriptorSet (protoc --include_imports). SS_E_SCHEMA. */
SS_API int ss_registry_load_descriptors(struct ss_registry *registry,
                                        const uint8_t *file_descriptor_set, size_t len);

/* Uses a generated descriptor for the type of its name, after comparing the two field by field.
 * Handlers and projections then receive messages of the generated struct. SS_E_SCHEMA. */
SS_API int ss_registry_attach(struct ss_registry *registry,
                              const ProtobufCMessageDescriptor *generated);

/* A command: its payload type and the handler that runs on the session's shard. */
SS_API int ss_register_command(struct ss_registry *registry, const char *name, const char *type,
                               ss_command_fn *handler, void *ctx);

/* A canonical event. */
SS_API int ss_register_event(struct ss_registry *registry, const char *name, const char *type);

/* A live frame for followers. */
SS_API int ss_register_ui_event(struct ss_registry *registry, const char *name, const char *type);

/* A durable entity kind. It belongs to the timeline projection named @projection, which may be
 * registered later and alone puts and sees it. The name is borrowed, as of all projections. */
SS_API int ss_register_entity(struct ss_registry *registry, const char *kind, const char *type,
                              const char *projection);

/* Turns each event into live frames; sees entities of every kind. At most SS_PROJECTIONS_MAX: they
 * run in the order of their registration, and so do their frames follow. SS_E_LIMIT. */
SS_API int ss_register_ui_projection(struct ss_registry *registry, const char *name,
                                     ss_ui_fn *project, void *ctx);

/* Turns each event into changes of entities of its own kinds, which are all it sees. At most
 * SS_PROJECTIONS_MAX, each with a cursor and failures of its own. Its name says which entities on
 * disk are its. Raise @version when the code would make other entities from the same events, or
 * when a kind comes or goes: those of this projection are made again. SS_E_LIMIT. */
SS_API int ss_register_timeline_projection(struct ss_registry *registry, const char *name,
                                           uint32_t version, ss_timeline_fn *project, void *ctx);

/* Hooks around a session's life in memory. */
SS_API int ss_register_session_hooks(struct ss_registry *registry,
                                     const struct ss_session_hooks *hooks, void *ctx);

/* A static page of the gateway: GET @path answers @data. The bytes and strings are borrowed and
 * must outlive the registry. Paths under /v1/ and the health and metrics paths are taken. */
SS_API int ss_register_asset(struct ss_registry *registry, const char *path,
                             const char *content_type, const uint8_t *data, size_t len);

#ifdef __cplusplus
}
#endif
#endif
