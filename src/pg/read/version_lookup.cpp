#include "pg/read/version_lookup.h"

#include <string>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/read/key_history.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

[[noreturn]] void ThrowRemoved(std::string_view key, uint64_t version) {
    throw Error(ErrorCode::kWrongState,
                "version " + std::to_string(version) + " of key " + Quoted(key) + " is no longer available",
                "kvs.history() shows the versions that are kept; commits keep theirs.",
                "Changes are kept in the log as long as kvs.change_retention says.");
}

}  // namespace

Datum DocumentOfVersion(std::string_view key, uint64_t version, std::optional<std::string_view> branch) {
    KeyHistory history(key, branch);
    while (history.Next()) {
        if (history.metadata().version > version) {
            continue;
        }
        if (history.metadata().version < version && history.follows_gap()) {
            ThrowRemoved(key, version);
        }
        if (history.metadata().version < version || history.item() == nullptr) {
            return 0;
        }
        if (history.item()->type != ValueType::kJson) {
            throw Error(
                ErrorCode::kWrongType,
                "version " + std::to_string(version) + " of key " + Quoted(key) + " holds bytes, not JSON",
                "kvs.history() shows the bytes of each version.");
        }
        const std::string_view payload = history.LoadPayload();
        return Guarded([&] { return MakeVarlena(payload); });
    }
    if (history.follows_gap()) {
        ThrowRemoved(key, version);
    }
    return 0;
}

}  // namespace kvs::pg
