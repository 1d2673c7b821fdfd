#include "pg/stream/event_reader.h"

#include <algorithm>
#include <utility>

#include "kvs/tree/tree.h"
#include "pg/chunk/tree_item.h"
#include "pg/stream/position.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

EventReader::EventReader(int64 after, EventFilter filter, Snapshot snapshot)
    : pos_(after),
      filter_(std::move(filter)),
      snapshot_(snapshot),
      chunks_(snapshot),
      log_(snapshot),
      log_before_(snapshot) {
    CheckPosition(after);
    row_context_ = Guarded(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "kvs event", ALLOCSET_DEFAULT_SIZES); });
}

void EventReader::set_snapshot(Snapshot snapshot) {
    snapshot_ = snapshot;
    chunks_.set_snapshot(snapshot);
    log_.set_snapshot(snapshot);
    log_before_.set_snapshot(snapshot);
}

void EventReader::Close() {
    Guarded([&] {
        log_.Close();
        log_before_.Close();
    });
}

bool EventReader::Next(int64 last) {
    while (pos_ < last) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        if (range_) {
            if (NextOfRange()) {
                return true;
            }
        } else if (items_) {
            if (NextItem()) {
                return true;
            }
        } else if (!OpenTick()) {
            return false;
        }
    }
    return false;
}

void EventReader::SkipTo(int64 pos) {
    if (pos <= pos_) {
        return;
    }
    if (items_ && !range_ && pos <= tick_.last_pos) {
        skip_ += static_cast<uint64_t>(pos - pos_);
    } else {
        items_.reset();
        range_.reset();
    }
    pos_ = pos;
}

// Of the tick that has the event behind pos_, or of the first one behind that.
bool EventReader::OpenTick() {
    std::optional<Tick> tick = FindTick(snapshot_, pos_ + 1);
    if (!tick) {
        return false;
    }
    tick_ = std::move(*tick);
    items_.emplace(tick_.items);
    skip_ = static_cast<uint64_t>(std::max<int64>(0, pos_ + 1 - tick_.first_pos));
    pos_ = std::max(pos_, tick_.first_pos - 1);
    return true;
}

// Takes the next item of the tick; true if it is a wanted event.
bool EventReader::NextItem() {
    if (!items_->Next(&tick_item_).OrThrow()) {
        if (pos_ != tick_.last_pos) {
            throw Damaged("tick at position " + std::to_string(tick_.last_pos) +
                          " does not have the events that it counts");
        }
        items_.reset();
        return false;
    }
    if (skip_ >= tick_item_.count) {
        skip_ -= tick_item_.count;
        return false;
    }
    Guarded([&] { MemoryContextReset(row_context_); });
    ReadRow(static_cast<int64>(tick_item_.number));
    if (row_.IsRange() != tick_item_.is_range) {
        throw Damaged("change " + std::to_string(row_.seq) + " is not what its tick says");
    }
    if (filter_.branch && row_.branch_id != *filter_.branch) {
        pos_ += static_cast<int64>(tick_item_.count - skip_);
        skip_ = 0;
        return false;
    }
    if (row_.IsRange()) {
        OpenRange();
        return false;
    }
    pos_++;
    if (filter_.counts != nullptr) {
        (*filter_.counts)[row_.branch_id]++;
    }
    if (!Take(Contents(DatumGetPointer(row_.key)), Contents(DatumGetPointer(row_.meta)))) {
        return false;
    }
    if (row_.item != 0) {
        encoded_item_ = Contents(DatumGetPointer(row_.item));
        item_ = DecodeDataItem(encoded_item_).OrThrow();
    }
    return true;
}

// Makes these the key and the metadata of the current event, of which nothing else is known yet; false if it
// is not wanted.
bool EventReader::Take(std::string_view key, std::string_view meta) {
    item_.reset();
    old_item_.reset();
    if (filter_.pattern && !filter_.pattern->Matches(key)) {
        return false;
    }
    if (filter_.expiring && !DecodeMetadataHeader(meta).OrThrow().expires()) {
        return false;
    }
    key_ = key;
    metadata_ = DecodeMetadata(meta).OrThrow();
    return true;
}

void EventReader::OpenRange() {
    const uint64_t waypoint = skip_ / kWaypointDistance;
    KeyRange keys;
    if (waypoint > 0) {
        keys.start = tick_item_.waypoints[waypoint - 1];
        skip_ -= waypoint * kWaypointDistance;
        tick_item_.count -= waypoint * kWaypointDistance;
    }
    range_.emplace(chunks_, row_.from.meta_root, row_.to.meta_root, keys);
    for (; skip_ > 0; skip_--, tick_item_.count--) {
        range_->Next();
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
    }
}

bool EventReader::NextOfRange() {
    const std::optional<TreeChange> change = range_->Next();
    if (!change) {
        if (tick_item_.count != 0) {
            throw Damaged("range record " + std::to_string(row_.seq) +
                          " does not have the events that its tick counts");
        }
        range_.reset();
        return false;
    }
    tick_item_.count--;
    pos_++;
    if (!Take(change->key, change->to ? *change->to : *change->from)) {
        return false;
    }
    if (std::optional<std::string> data = DataOf(row_.to)) {
        encoded_item_ = std::move(*data);
        item_ = DecodeDataItem(encoded_item_).OrThrow();
    }
    return true;
}

// What the key holds in a tree.
std::optional<std::string> EventReader::DataOf(const TreePair& roots) {
    const std::optional<FoundValue> found = Tree(chunks_, roots.data_root).Get(key_);
    return found ? std::optional<std::string>(found->value) : std::nullopt;
}

std::string_view EventReader::LoadPayload() {
    return PayloadOf(*item_, &chunks_, &blob_);
}

std::string_view EventReader::LoadOldPayload() {
    return PayloadOf(*old_item_, &chunks_, &old_blob_);
}

// The change before it on the same key tells; where that is a range record, the trees that it led to. A
// change without one before it in this log is the key's first, or what it held came from elsewhere.
OldValue EventReader::LoadOld() {
    std::optional<std::string> old;
    if (row_.IsRange()) {
        old = DataOf(row_.from);
    } else if (row_.prev_seq == 0) {
        return metadata_.version == 1 ? OldValue::kNone : OldValue::kUnavailable;
    } else {
        ChangeRow before;
        const MemoryScope scope(row_context_);
        if (!Guarded([&] { return log_before_.Read(row_.prev_seq, &before); })) {
            return OldValue::kUnavailable;
        }
        if (before.IsRange()) {
            old = DataOf(before.to);
        } else if (before.item != 0) {
            old = Contents(DatumGetPointer(before.item));
        }
    }
    if (!old) {
        return OldValue::kNone;
    }
    encoded_old_ = std::move(*old);
    old_item_ = DecodeDataItem(encoded_old_).OrThrow();
    return OldValue::kThere;
}

void EventReader::ReadRow(int64 seq) {
    const MemoryScope scope(row_context_);
    row_ = {};
    if (!Guarded([&] { return log_.Read(seq, &row_); })) {
        ThrowMissing(seq);
    }
}

// Who asks may go on elsewhere.
void EventReader::ThrowMissing(int64 seq) {
    Close();
    if (Guarded([&] { return seq < LowestKeptChange(); })) {
        throw PositionGone(pos_, tick_.last_pos);
    }
    throw Damaged("change " + std::to_string(seq) + " of the tick at position " +
                  std::to_string(tick_.last_pos) + " is not there");
}

}  // namespace kvs::pg
