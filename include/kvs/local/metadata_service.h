// The rules of metadata, as a service of the orchestrator.
#pragma once

#include <string_view>

#include "kvs/entry/write_decision.h"

namespace kvs {

// Stateless, safe to call from any thread.
class MetadataService {
  public:
    virtual ~MetadataService() = default;

    // As DecideWrite: what becomes of the key, and its metadata but for `change`.
    virtual WriteDecision Decide(std::string_view key, const Previous& previous,
                                 const WriteRequest& request) const = 0;
};

}  // namespace kvs
