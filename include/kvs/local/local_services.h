// The stateless services of the in-memory store, in which a payload of type kJson is the text of a document.
#pragma once

#include <string>
#include <string_view>

#include "kvs/hash.h"
#include "kvs/local/clock.h"
#include "kvs/local/hashing_service.h"
#include "kvs/local/key_service.h"
#include "kvs/local/metadata_service.h"
#include "kvs/local/patch_service.h"

namespace kvs {

// `text` as the store keeps it: compact, members sorted, numbers as they were written. Throws
// Error(kInvalidArgument) when it is no document, Error(kLimitExceeded) above kMaxValueSize or kMaxNesting.
std::string NormalizedDocument(std::string_view text);

class SystemClock final : public Clock {
  public:
    Timestamp Now() override;
};

// By the key codec.
class LocalKeyService final : public KeyService {
  public:
    std::string Serialize(const StoreKey& key) const override;
    StoreKey Parse(std::string_view serialized_key) const override;
    std::string NamespacePath(std::string_view serialized_key) const override;
};

// By OpenSSL, over CanonicalText.
class LocalHashingService final : public HashingService {
  public:
    Hash CalculateDataHash(const Value& value) const override;
};

// By DecideWrite.
class LocalMetadataService final : public MetadataService {
  public:
    WriteDecision Decide(std::string_view key, const Previous& previous,
                         const WriteRequest& request) const override;
};

// By MergePatch.
class LocalPatchService final : public PatchService {
  public:
    Value Apply(const Value* current, std::string_view delta) const override;
};

}  // namespace kvs
