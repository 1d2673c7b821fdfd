// Any bytes as a data item, as a metadata item and as logged metadata: refused as corrupt, or the one
// encoding of what they say.
#include "kvs/codec/item.h"
#include "require.h"

namespace kvs {
namespace {

void CheckDataItem(std::string_view bytes) {
    Result<DataItem> item = DecodeDataItem(bytes);
    if (item.ok()) {
        Require(EncodeDataItem(item.value()) == bytes);
    } else {
        Require(item.error().code() == ErrorCode::kCorruption);
    }
}

void CheckMetadata(std::string_view bytes) {
    Result<Metadata> metadata = DecodeMetadata(bytes);
    Result<MetadataHeader> header = DecodeMetadataHeader(bytes);
    if (!metadata.ok()) {
        Require(metadata.error().code() == ErrorCode::kCorruption);
        return;
    }
    Require(EncodeMetadata(metadata.value()) == bytes);
    Require(header.ok());
    Require(header.value().version == metadata.value().version);
    Require(header.value().deleted() == metadata.value().deleted);
    Require(header.value().created_at == metadata.value().created_at);
    Require(header.value().updated_at == metadata.value().updated_at);
    Require(header.value().change == metadata.value().change);
    Require(DecodeOrigin(bytes).OrThrow() == metadata.value().origin);
}

void CheckLogged(std::string_view bytes) {
    const uint64_t version = bytes.size();
    const ChangeId change{{1, 2, 3}, uint64_t{1} << 40};
    std::string item(bytes.size() + kMaxLeftOutOfLog, '\0');
    const char* end = WriteMetadataFromLog(bytes, version, change, item.data());
    const std::optional<TraceContext> trace = TraceOfLogged(bytes);
    if (end == nullptr) {
        return;
    }
    item.resize(static_cast<size_t>(end - item.data()));
    std::string logged(item.size() + TraceContext::kSize, '\0');
    end = WriteLoggedMetadata(item, trace, logged.data());
    Require(end != nullptr);
    logged.resize(static_cast<size_t>(end - logged.data()));
    Require(logged == bytes);
}

}  // namespace
}  // namespace kvs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    kvs::CheckDataItem(kvs::AsText(data, size));
    kvs::CheckMetadata(kvs::AsText(data, size));
    kvs::CheckLogged(kvs::AsText(data, size));
    return 0;
}
