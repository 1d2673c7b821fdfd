#include "kvs/event/tick.h"

#include <algorithm>

namespace kvs {

namespace {

constexpr uint8_t kFormat = 1;

}  // namespace

TickWriter::TickWriter() : encoded_(1, static_cast<char>(kFormat)) {}

// A difference of numbers below 2^62 has 63 bits with its sign, so there is a bit left for the kind.
void TickWriter::Add(const TickItem& item) {
    const uint64_t difference = ZigZagEncode(static_cast<int64_t>(item.number - last_number_));
    AppendVarint(encoded_, difference << 1 | (item.is_range ? 1 : 0));
    if (item.is_range) {
        AppendVarint(encoded_, item.count);
        for (const std::string& key : item.waypoints) {
            AppendPrefixed(encoded_, key);
        }
    }
    last_number_ = item.number;
    events_ += item.count;
}

Error TickReader::Corrupt(const char* what) const {
    return {ErrorCode::kCorruption, std::string("tick is damaged: ") + what};
}

Result<bool> TickReader::Next(TickItem* item) {
    if (!begun_) {
        uint8_t format;
        if (!reader_.ReadFixed(&format) || format != kFormat) {
            return Corrupt("its format is unknown");
        }
        begun_ = true;
    }
    if (reader_.AtEnd()) {
        return false;
    }
    uint64_t step;
    if (!reader_.ReadVarint(&step)) {
        return Corrupt("a number");
    }
    *item = {};
    item->number = last_number_ + static_cast<uint64_t>(ZigZagDecode(step >> 1));
    item->is_range = (step & 1) != 0;
    if (item->number >= kMaxTickNumber) {
        return Corrupt("a number is too large");
    }
    if (item->is_range) {
        if (!reader_.ReadVarint(&item->count) || WaypointsOf(item->count) > reader_.remaining()) {
            return Corrupt("how many events a range record has");
        }
        for (uint64_t i = 0; i < WaypointsOf(item->count); i++) {
            std::string_view key;
            if (!reader_.ReadPrefixed(&key) || (i > 0 && key <= item->waypoints.back())) {
                return Corrupt("a way-point");
            }
            item->waypoints.emplace_back(key);
        }
    }
    if (item->count > UINT64_MAX - events_) {
        return Corrupt("it has too many events");
    }
    events_ += item->count;
    last_number_ = item->number;
    return true;
}

Result<TickNumbers> NumbersOf(std::string_view encoded) {
    TickReader reader(encoded);
    TickNumbers numbers;
    for (TickItem item;;) {
        Result<bool> next = reader.Next(&item);
        if (!next.ok()) {
            return next.error();
        }
        if (!next.value()) {
            return numbers;
        }
        numbers.lowest = std::min(numbers.lowest, item.number);
        numbers.highest = std::max(numbers.highest, item.number);
    }
}

Result<TickPlace> FindInTick(std::string_view encoded, uint64_t n) {
    TickReader reader(encoded);
    TickPlace place;
    for (uint64_t before = 0;; before += place.item.count) {
        Result<bool> next = reader.Next(&place.item);
        if (!next.ok()) {
            return next.error();
        }
        if (!next.value()) {
            return Error(ErrorCode::kCorruption, "tick is damaged: it has " + std::to_string(before) +
                                                     " events, not " + std::to_string(n) + " and more");
        }
        if (n - before < place.item.count) {
            place.event = n - before;
            return place;
        }
    }
}

}  // namespace kvs
