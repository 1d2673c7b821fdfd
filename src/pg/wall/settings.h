// The session settings of kvs.* (GUCs).
#pragma once

#include <optional>
#include <string>

#include "kvs/codec/trace_context.h"
#include "pg/wall/server.h"

namespace kvs::pg {

enum Durability : int { kDurabilityStrict, kDurabilityAsync, kDurabilityBatched };

enum OnPark : int { kOnParkHoldKey, kOnParkSkip };

struct Settings {
    char* branch;                // the session's branch
    char* as_of;                 // empty: live
    char* author;                // empty: the session user
    char* origin;                // of changes; empty: none
    char* traceparent;           // of changes; empty: none
    int durability;              // enum Durability
    int batch_interval;          // ms between WAL flushes of the worker
    int node_cache_size;         // kB; shared when preloaded, private otherwise
    int compression_level;       // zstd's; 0 stores chunks raw, negative ones are fast
    int flush_rows;              // uncommitted rows of one backend from which it flushes
    int flush_age;               // s after which the maintenance worker flushes fewer; -1: never
    int bulk_log_threshold;      // keys from which a bulk operation is logged as one range record
    int hook_max_changes;        // changes above which a hook reads them itself
    int branch_lock_timeout;     // ms that an operation that rewrites a branch waits for its writers
    int gc_lock_timeout;         // ms that a collection waits for whoever builds trees or moves refs
    int reflog_retention;        // s that a move of a branch keeps its commits; -1: for ever
    int change_retention;        // s that changes stay in the log; -1: for ever
    int subscription_retention;  // s that durable subscriptions keep them there; -1: for ever
    bool autogc;                 // whether workers collect by themselves
    int autogc_naptime;          // s between two looks at a database
    int autogc_threshold;        // new chunks from which a worker collects,
    int autogc_growth;           // and this percentage of those that the last collection left
    bool autorepack;             // whether workers pack what only history needs
    int autorepack_threshold;    // new chunks from which they do
    bool autotrain;              // whether workers train dictionaries
    bool sequencer;              // whether databases get a sequencer by themselves
    bool maintenance;            // whether a sequencer starts a maintenance worker beside it
    int binding_on_park;         // enum OnPark
    int tick_interval;           // ms between two steps of the sequencer at the least
    bool is_preloaded;           // no setting: shared_preload_libraries has the library
    bool track_operations;       // whether operations are counted,
    int log_min_duration;        // ms from which one is logged (-1: none is for that),
    double log_sample_rate;      // and the share of all that is
    int operation_log_size;      // operations that the log has room for

    // Whether anything is to be known of the operations.
    bool observes() const { return track_operations || log_min_duration >= 0 || log_sample_rate > 0; }
};

extern Settings settings;

// kvs.origin, as an option of writes.
std::optional<std::string> SessionOrigin();

// kvs.traceparent.
std::optional<TraceContext> SessionTrace();

// Called once, when the library is loaded.
void DefineSettings();

}  // namespace kvs::pg
