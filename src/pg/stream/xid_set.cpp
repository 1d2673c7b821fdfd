#include "pg/stream/xid_set.h"

#include <algorithm>
#include <charconv>

#include "kvs/error.h"

namespace kvs::pg {

namespace {

// With the epoch; `next` is a transaction to come, at most 2^31 away.
uint64_t Widen(TransactionId xid, uint64_t next) {
    const auto behind = static_cast<int32>(static_cast<uint32_t>(next) - xid);
    return next - static_cast<uint64_t>(behind);
}

// Takes a number and the separator behind it off the text.
uint64_t TakeNumber(std::string_view* text, char separator) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    text->remove_prefix(static_cast<size_t>(end - text->data()));
    if (error != std::errc() || (!text->empty() && text->front() != separator)) {
        throw Error(ErrorCode::kCorruption, "snapshot of a tick is damaged");
    }
    if (!text->empty()) {
        text->remove_prefix(1);
    }
    return number;
}

}  // namespace

XidSet XidSet::Of(Snapshot snapshot) {
    const uint64_t next = U64FromFullTransactionId(ReadNextFullTransactionId());
    XidSet set;
    set.xmin_ = Widen(snapshot->xmin, next);
    set.xmax_ = Widen(snapshot->xmax, next);
    for (uint32 i = 0; i < snapshot->xcnt; i++) {
        set.xip_.push_back(Widen(snapshot->xip[i], next));
    }
    std::sort(set.xip_.begin(), set.xip_.end());
    return set;
}

XidSet XidSet::Parse(std::string_view text) {
    XidSet set;
    set.xmin_ = TakeNumber(&text, ':');
    set.xmax_ = TakeNumber(&text, ':');
    while (!text.empty()) {
        set.xip_.push_back(TakeNumber(&text, ','));
    }
    return set;
}

std::string XidSet::ToText() const {
    std::string text = std::to_string(xmin_) + ":" + std::to_string(xmax_) + ":";
    for (size_t i = 0; i < xip_.size(); i++) {
        text += (i > 0 ? "," : "") + std::to_string(xip_[i]);
    }
    return text;
}

bool XidSet::Has(uint64_t xid) const {
    return xid < xmin_ || (xid < xmax_ && !std::binary_search(xip_.begin(), xip_.end(), xid));
}

uint64_t XidSet::FirstEnded(const XidSet& later) const {
    for (const uint64_t xid : xip_) {
        if (later.Has(xid)) {
            return xid;
        }
    }
    // Some of these may not be there at all.
    return xmax_ < later.xmax_ ? xmax_ : UINT64_MAX;
}

}  // namespace kvs::pg
