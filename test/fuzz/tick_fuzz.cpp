// Any bytes as a tick: refused as corrupt, or the one encoding of the items that they are.
#include "kvs/event/tick.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace kvs;
    const std::string_view bytes = AsText(data, size);
    TickReader reader(bytes);
    TickWriter writer;
    for (TickItem item;;) {
        const Result<bool> next = reader.Next(&item);
        if (!next.ok()) {
            Require(next.error().code() == ErrorCode::kCorruption);
            return 0;
        }
        if (!next.value()) {
            break;
        }
        writer.Add(item);
    }
    Require(writer.encoded() == bytes);
    if (writer.events() > 0) {
        Require(FindInTick(bytes, writer.events() - 1).ok());
    }
    Require(!FindInTick(bytes, writer.events()).ok());
    return 0;
}
