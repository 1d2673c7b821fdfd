#include "pg/check/state_problem.h"

#include "kvs/codec/item.h"

namespace kvs::pg {

std::string StateProblem(std::string_view meta, std::optional<std::string_view> item, int64 version,
                         int64 seq) {
    const Result<Metadata> metadata = DecodeMetadata(meta);
    if (!metadata.ok()) {
        return metadata.error().what();
    }
    if (item) {
        const Result<DataItem> decoded = DecodeDataItem(*item);
        if (!decoded.ok()) {
            return decoded.error().what();
        }
        if (decoded.value().blob) {
            return "it refers to a blob, where only a tree may";
        }
        if (decoded.value().expires_at.has_value() != metadata.value().expires) {
            return "its metadata is wrong about whether it expires";
        }
    }
    if (metadata.value().deleted == item.has_value()) {
        return item ? "it has a value but its metadata says that it was deleted"
                    : "it has no value but its metadata says that it lives";
    }
    if (metadata.value().version != static_cast<uint64_t>(version)) {
        return "its metadata says version " + std::to_string(metadata.value().version);
    }
    if (metadata.value().change.seq != static_cast<uint64_t>(seq)) {
        return "its metadata says change " + std::to_string(metadata.value().change.seq);
    }
    return {};
}

}  // namespace kvs::pg
