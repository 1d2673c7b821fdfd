// What a notification says of an event: the payload of NOTIFY, a JSON object (kvs.subscribe tells its
// members).
//
// What all channels get of an event is made once, and for each channel the patterns that match are added.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pg/stream/event_reader.h"
#include "pg/stream/recent_values.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// NOTIFY takes no more bytes.
constexpr size_t kMaxNotification = BLCKSZ - NAMEDATALEN - 128 - 1;

class Notification {
  public:
    // Of the reader's current event. `branch` is empty if it is gone. `recent` tells what was there before,
    // if that is known, and learns what is now.
    Notification(EventReader* reader, std::string_view branch, RecentValues* recent);

    // For a channel with these patterns. What does not fit is left out: first the documents, then all that
    // the position does not say.
    std::string For(const std::vector<std::string_view>& patterns) const;

  private:
    void AppendOld(EventReader* reader, RecentValues* recent);

    int64 pos_;
    std::string head_;    // the members that are always there, without the closing brace
    std::string values_;  // old and new
};

// Of events that are not told one by one: those from `first` on, up to `last`.
std::string NotificationOf(int64 first, int64 last);

}  // namespace kvs::pg
