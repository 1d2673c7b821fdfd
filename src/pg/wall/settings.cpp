#include "pg/wall/settings.h"

#include <algorithm>
#include <string_view>

#include "kvs/codec/item.h"

namespace kvs::pg {

Settings settings;

namespace {

// kB
constexpr int kMinNodeCache = 1024;
constexpr int kMaxNodeCache = INT_MAX / 2;
constexpr int kMinDefaultNodeCache = 64 * 1024;

const struct config_enum_entry kDurabilities[] = {
    {"strict", kDurabilityStrict, false},
    {"async", kDurabilityAsync, false},
    {"batched", kDurabilityBatched, false},
    {nullptr, 0, false},
};

const struct config_enum_entry kOnParks[] = {
    {"hold_key", kOnParkHoldKey, false},
    {"skip", kOnParkSkip, false},
    {nullptr, 0, false},
};

// What -1 stands for: where all backends share the cache, a quarter of what they share for pages.
bool CheckNodeCacheSize(int* value, void**, GucSource) {
    static const bool is_shared = process_shared_preload_libraries_in_progress;
    if (*value == -1) {
        const int64 quarter = is_shared ? int64{NBuffers} / 4 * (BLCKSZ / 1024) : 0;
        *value = static_cast<int>(std::clamp<int64>(quarter, kMinDefaultNodeCache, kMaxNodeCache));
    }
    *value = std::max(*value, kMinNodeCache);
    return true;
}

bool CheckAuthor(char** value, void**, GucSource) {
    const size_t size = strlen(*value);
    if (size > kMaxModifiedBySize) {
        GUC_check_errdetail("An author may have up to %zu bytes; this one has %zu.", kMaxModifiedBySize,
                            size);
        return false;
    }
    return true;
}

// The server verifies what a client sends, but not what a configuration file says.
bool CheckOrigin(char** value, void**, GucSource) {
    const std::string_view origin = *value;
    if (!pg_verify_mbstr(PG_UTF8, origin.data(), static_cast<int>(origin.size()), true)) {
        GUC_check_errdetail("An origin must be valid UTF-8.");
        return false;
    }
    if (const char* fault = OriginFault(origin)) {
        GUC_check_errdetail("%s", fault);
        return false;
    }
    return true;
}

bool CheckTraceparent(char** value, void**, GucSource) {
    TraceContext trace;
    const char* fault = **value == '\0' ? nullptr : ParseTraceparent(*value, &trace);
    if (fault != nullptr) {
        GUC_check_errdetail("%s", fault);
    }
    return fault == nullptr;
}

}  // namespace

std::optional<std::string> SessionOrigin() {
    return settings.origin[0] == '\0' ? std::nullopt : std::optional<std::string>(settings.origin);
}

std::optional<TraceContext> SessionTrace() {
    TraceContext trace;
    if (settings.traceparent[0] == '\0' || ParseTraceparent(settings.traceparent, &trace) != nullptr) {
        return std::nullopt;
    }
    return trace;
}

void DefineSettings() {
    settings.is_preloaded = process_shared_preload_libraries_in_progress;
    DefineCustomStringVariable("kvs.branch", "Branch that this session works on.", nullptr, &settings.branch,
                               "main", PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("kvs.as_of", "Ref whose state this session reads; empty reads the live state.",
                               "While it is set, every write is refused.", &settings.as_of, "", PGC_USERSET,
                               0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("kvs.author",
                               "Author recorded with commits and changes; empty means the session user.",
                               nullptr, &settings.author, "", PGC_USERSET, 0, CheckAuthor, nullptr, nullptr);
    DefineCustomStringVariable("kvs.origin", "Origin recorded with changes; empty means none.",
                               "What makes them calls itself so, to tell its own changes from others'.",
                               &settings.origin, "", PGC_USERSET, 0, CheckOrigin, nullptr, nullptr);
    DefineCustomStringVariable("kvs.traceparent", "Trace recorded with changes; empty means none.",
                               "A traceparent as the W3C's Trace Context defines it.", &settings.traceparent,
                               "", PGC_USERSET, 0, CheckTraceparent, nullptr, nullptr);
    DefineCustomEnumVariable(
        "kvs.durability", "When a transaction that wrote to the store is acknowledged.",
        "strict: its WAL is on disk. async: at once. batched: at once, and a worker flushes the "
        "WAL at least every kvs.batch_interval.",
        &settings.durability, kDurabilityStrict, kDurabilities, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "kvs.batch_interval", "Longest time between WAL flushes with kvs.durability = batched.", nullptr,
        &settings.batch_interval, 50, 1, 10000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "kvs.node_cache_size", "Memory for decoded tree nodes.",
        "Shared by all backends when the library is preloaded, per backend otherwise. -1 is a quarter of "
        "shared_buffers where it is shared, but 64 MB at the least. Less than 1 MB counts as 1 MB.",
        &settings.node_cache_size, -1, -1, kMaxNodeCache,
        process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_USERSET, GUC_UNIT_KB,
        CheckNodeCacheSize, nullptr, nullptr);
    DefineCustomIntVariable(
        "kvs.compression_level",
        "zstd level of newly written chunks; 0 stores them raw, negative ones are fast.",
        "Imports, and chunks that there is a dictionary for, are compressed with level 1 at "
        "the least.",
        &settings.compression_level, -1, -7, 19, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "kvs.flush_rows",
        "Uncommitted keys written by one session after which it flushes the branch by itself.",
        "The maintenance worker flushes a branch that has as many of whatever sessions. 0 leaves flushing to "
        "commit and kvs.flush().",
        &settings.flush_rows, 50000, 0, INT_MAX, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "kvs.flush_age", "Time without a change from which the maintenance worker flushes a branch.",
        "However few the keys are. One that is written all the time is flushed when its first uncommitted "
        "key is 12 times as old. -1 leaves it to kvs.flush_rows.",
        &settings.flush_age, 300, -1, INT_MAX, PGC_SUSET, GUC_UNIT_S, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "kvs.bulk_log_threshold", "Changed keys above which a bulk operation is logged as one range record.",
        nullptr, &settings.bulk_log_threshold, 1000, 0, INT_MAX, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "kvs.hook_max_changes", "Changes of a commit above which a pre_commit hook is not handed them.",
        "The hook is told that they are truncated, and reads them by kvs.diff().", &settings.hook_max_changes,
        10000, 0, 1000000, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("kvs.branch_lock_timeout",
                            "Longest time that an operation that rewrites a branch waits for its writers.",
                            "A transfer waits no longer for locks of the other store. 0 waits without limit.",
                            &settings.branch_lock_timeout, 5000, 0, INT_MAX, PGC_USERSET, GUC_UNIT_MS,
                            nullptr, nullptr, nullptr);
    DefineCustomIntVariable("kvs.gc_lock_timeout",
                            "Longest time that a collection waits for flushes, commits and moves of refs.",
                            "They wait for it meanwhile. 0 waits without limit.", &settings.gc_lock_timeout,
                            5000, 0, INT_MAX, PGC_USERSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("kvs.reflog_retention",
                            "How long a move in the reflog keeps the commits that it names from collection.",
                            "-1 keeps them for ever, 0 not at all.", &settings.reflog_retention, 90 * 86400,
                            -1, INT_MAX, PGC_SUSET, GUC_UNIT_S, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "kvs.change_retention", "How long changes stay in the change log before a collection removes them.",
        "-1 keeps them for ever. They go in parts, each when all of it is that old.",
        &settings.change_retention, -1, -1, INT_MAX, PGC_SUSET, GUC_UNIT_S, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "kvs.subscription_retention",
        "How long changes stay in the change log for durable subscriptions that have not come to them.",
        "-1 keeps them until they have. A subscription that is told that its events are gone (KV002) is to "
        "be moved by kvs.seek.",
        &settings.subscription_retention, -1, -1, INT_MAX, PGC_SUSET, GUC_UNIT_S, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable("kvs.autogc", "Whether background workers collect garbage.",
                             "Works only when the library is preloaded.", &settings.autogc, true, PGC_SIGHUP,
                             0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("kvs.autogc_naptime", "Time between two looks at whether a database needs it.",
                            nullptr, &settings.autogc_naptime, 60, 1, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S,
                            nullptr, nullptr, nullptr);
    DefineCustomIntVariable("kvs.autogc_threshold",
                            "New chunks from which a background worker collects garbage.",
                            "To them comes kvs.autogc_growth.", &settings.autogc_threshold, 10000, 0, INT_MAX,
                            PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "kvs.autogc_growth",
        "New chunks from which a background worker collects garbage, as a percentage of those in the store.",
        "To them comes kvs.autogc_threshold.", &settings.autogc_growth, 50, 0, 10000, PGC_SIGHUP, 0, nullptr,
        nullptr, nullptr);
    DefineCustomBoolVariable("kvs.autorepack", "Whether background workers pack what only history needs.",
                             "Works only when the library is preloaded.", &settings.autorepack, true,
                             PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("kvs.autorepack_threshold",
                            "New chunks from which a background worker packs what only history needs.",
                            "It looks every kvs.autogc_naptime. A tenth is enough where nobody has committed "
                            "for that time.",
                            &settings.autorepack_threshold, 10000, 0, INT_MAX, PGC_SIGHUP, 0, nullptr,
                            nullptr, nullptr);
    DefineCustomBoolVariable("kvs.autotrain", "Whether background workers train dictionaries where they pay.",
                             "Works only when the library is preloaded.", &settings.autotrain, true,
                             PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable(
        "kvs.sequencer", "Whether each database with the extension gets a sequencer by itself.",
        "It orders changes for subscribers. Works only when the library is preloaded; see "
        "kvs.start_workers().",
        &settings.sequencer, true, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomEnumVariable(
        "kvs.binding_on_park", "What a binding does with later changes of a key at which it has failed.",
        "hold_key leaves the key until kvs.resume_binding or kvs.replay_parked; skip tries them.",
        &settings.binding_on_park, kOnParkHoldKey, kOnParks, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable(
        "kvs.maintenance", "Whether a maintenance worker runs beside the sequencer of a database.",
        "It deletes entries that expire, flushes branches, and commits those that are to be from time to "
        "time. A database may have a "
        "setting of its own, which "
        "its workers have when they start.",
        &settings.maintenance, true, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("kvs.tick_interval", "Time between two steps of the sequencer, at the least.",
                            "Changes that are committed meanwhile are ordered together.",
                            &settings.tick_interval, 2, 0, 10000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr,
                            nullptr);
    DefineCustomBoolVariable("kvs.track_operations", "Whether operations are counted and timed.",
                             "For kvs.stat_operations. Works only when the library is preloaded.",
                             &settings.track_operations, false, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable(
        "kvs.log_min_duration", "Duration from which operations are kept in kvs.operation_log.",
        "-1 keeps none for its duration, 0 all. Works only when the library is preloaded.",
        &settings.log_min_duration, -1, -1, INT_MAX, PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomRealVariable("kvs.log_sample_rate",
                             "Share of the operations that are kept in kvs.operation_log, however short.",
                             "0 keeps none, 1 all. Works only when the library is preloaded.",
                             &settings.log_sample_rate, 0, 0, 1, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("kvs.operation_log_size", "Operations that kvs.operation_log has room for.",
                            "In shared memory, of all databases. The oldest make room for new ones.",
                            &settings.operation_log_size, 1000, 100, 1000000,
                            process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP, 0,
                            nullptr, nullptr, nullptr);
    MarkGUCPrefixReserved("kvs");
}

}  // namespace kvs::pg
