// Any bytes as a commit: refused as corrupt, or the one encoding of the commit that they are.
#include "kvs/version/commit.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace kvs;
    std::string_view bytes = AsText(data, size);
    Result<Commit> commit = DecodeCommit(bytes);
    if (commit.ok()) {
        Require(EncodeCommit(commit.value()) == bytes);
    } else {
        Require(commit.error().code() == ErrorCode::kCorruption);
    }
    return 0;
}
