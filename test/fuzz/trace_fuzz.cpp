// Any text as a traceparent: refused, or what it is taken for is read from its own text, and from its bytes,
// again.
#include "kvs/codec/trace_context.h"
#include "require.h"

namespace kvs {
namespace {

void CheckTraceparent(std::string_view text) {
    TraceContext trace;
    if (ParseTraceparent(text, &trace) != nullptr) {
        return;
    }
    const std::string written = trace.ToTraceparent();
    Require(text.substr(3, 49) == std::string_view(written).substr(3, 49));
    Require(!text.starts_with("00") || text == written);
    TraceContext again;
    Require(ParseTraceparent(written, &again) == nullptr);
    Require(again == trace);
    std::string stored(TraceContext::kSize, '\0');
    Require(trace.Write(stored.data()) == stored.data() + stored.size());
    Require(TraceContext::FromBytes(stored) == trace);
}

}  // namespace
}  // namespace kvs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    kvs::CheckTraceparent(kvs::AsText(data, size));
    return 0;
}
