/* sessionstream.h - the whole public API. */
#ifndef SS_SESSIONSTREAM_H
#define SS_SESSIONSTREAM_H

#include <sessionstream/app.h>
#include <sessionstream/backup.h>
#include <sessionstream/durability.h>
#include <sessionstream/engine.h>
#include <sessionstream/error.h>
#include <sessionstream/error_records.h>
#include <sessionstream/export.h>
#include <sessionstream/handler.h>
#include <sessionstream/history.h>
#include <sessionstream/limits.h>
#include <sessionstream/metadata.h>
#include <sessionstream/observer.h>
#include <sessionstream/projection.h>
#include <sessionstream/registry.h>
#include <sessionstream/sessions.h>
#include <sessionstream/snapshot.h>
#include <sessionstream/types.h>
#include <sessionstream/verify.h>
#include <sessionstream/work.h>

#endif
