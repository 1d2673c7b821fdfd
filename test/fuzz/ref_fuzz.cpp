// Any text as a ref: its own text means the same, and what is a valid name is a ref to that name.
#include "kvs/version/ref.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace kvs;
    std::string_view text = AsText(data, size);
    Result<Ref> ref = ParseRef(text);
    if (ref.ok()) {
        Result<Ref> again = ParseRef(ref.value().ToText());
        // Steps are written out, so the text may become too long to be read again.
        Require(again.ok() ? again.value() == ref.value() : ref.value().ToText().size() > kMaxRefSize);
    } else {
        Require(ref.error().code() == ErrorCode::kInvalidArgument);
    }
    if (ValidateRefName(text).ok()) {
        Require(ref.ok() && ref.value().base == Ref::Base::kName && ref.value().name == text &&
                ref.value().steps.empty());
    }
    return 0;
}
