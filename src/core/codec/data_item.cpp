// The data item: type, expiry and payload of a value.
#include "kvs/codec/item.h"
#include "kvs/codec/varint.h"

namespace kvs {

namespace {

constexpr uint8_t kTypeMask = 0x0f;
constexpr uint8_t kHasExpiry = 0x10;
constexpr uint8_t kIsBlob = 0x20;

Error Corrupt(const char* what) {
    return {ErrorCode::kCorruption, std::string("data item is damaged: ") + what};
}

bool IsKnownType(uint8_t type) {
    return type == static_cast<uint8_t>(ValueType::kJson) || type == static_cast<uint8_t>(ValueType::kBytes);
}

}  // namespace

size_t DataItemSize(const DataItem& item) {
    size_t payload_size = item.PayloadSize();
    if (payload_size > kMaxValueSize) {
        throw Error(ErrorCode::kLimitExceeded,
                    "value of " + std::to_string(payload_size) + " bytes is too large",
                    "A value may have up to " + std::to_string(kMaxValueSize) + " bytes.");
    }
    size_t header_size = 1 + (item.expires_at ? sizeof(Timestamp) : 0);
    return header_size + (item.blob ? Hash::kSize + sizeof(uint32_t) : payload_size);
}

char* WriteDataItem(const DataItem& item, char* out) {
    auto flags = static_cast<uint8_t>(item.type);
    flags |= item.expires_at ? kHasExpiry : 0;
    flags |= item.blob ? kIsBlob : 0;
    out = WriteFixed(out, flags);
    if (item.expires_at) {
        out = WriteFixed(out, *item.expires_at);
    }
    if (item.blob) {
        return WriteFixed(WriteBytes(out, item.blob->address.AsBytes()), item.blob->size);
    }
    return WriteBytes(out, item.payload);
}

std::string EncodeDataItem(const DataItem& item) {
    std::string encoded(DataItemSize(item), '\0');
    WriteDataItem(item, encoded.data());
    return encoded;
}

Result<DataItem> DecodeDataItem(std::string_view encoded) {
    ByteReader reader(encoded);
    uint8_t flags;
    if (!reader.ReadFixed(&flags)) {
        return Corrupt("it is empty");
    }
    if ((flags & ~(kTypeMask | kHasExpiry | kIsBlob)) != 0 || !IsKnownType(flags & kTypeMask)) {
        return Corrupt("its flags are unknown");
    }
    DataItem item;
    item.type = static_cast<ValueType>(flags & kTypeMask);
    if ((flags & kHasExpiry) != 0) {
        Timestamp expires_at;
        if (!reader.ReadFixed(&expires_at)) {
            return Corrupt("it ends too early");
        }
        item.expires_at = expires_at;
    }
    if ((flags & kIsBlob) != 0) {
        std::string_view address;
        BlobRef blob;
        if (!reader.ReadBytes(Hash::kSize, &address) || !reader.ReadFixed(&blob.size) || !reader.AtEnd()) {
            return Corrupt("its blob reference has a wrong size");
        }
        // A payload that fits a leaf stands in the leaf, or equal values could have different bytes.
        if (blob.size <= kMaxInlineValueSize || blob.size > kMaxValueSize) {
            return Corrupt("its blob has an impossible size");
        }
        blob.address = Hash::FromBytes(address);
        item.blob = blob;
        return item;
    }
    if (reader.remaining() > kMaxValueSize) {
        return Corrupt("its payload is too large");
    }
    item.payload = reader.rest();
    return item;
}

}  // namespace kvs
