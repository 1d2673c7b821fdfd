// What the core does not know about contents that came from outside, and the server relies on: texts are
// UTF-8 without NUL, moments are ones that the server has, JSON payloads are jsonb.
#pragma once

#include <string>

#include "kvs/version/commit.h"
#include "kvs/version/object_walk.h"

namespace kvs::pg {

class ServerContentCheck : public ContentCheck {
  public:
    const char* CheckText(std::string_view text) override;
    const char* CheckTime(Timestamp time) override;
    const char* CheckPayload(ValueType type, std::string_view payload) override;

    // Of the texts and the moment in a commit.
    const char* CheckCommit(const Commit& commit);
};

}  // namespace kvs::pg
