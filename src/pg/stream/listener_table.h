// The subscriptions of sessions, _kvs.listener: which channel wants to hear of which keys.
//
// A session has one channel, whose name is 128 random bits, since LISTEN asks for no privilege. While it
// lives it holds a lock that belongs to the channel, so that what ended sessions have left is found. The
// table is unlogged, and empty after a crash, which ends all sessions too.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "pg/wall/server.h"

namespace kvs::pg {

constexpr int32 kAllBranches = 0;

// --- the session ---

// Adds a subscription, unless it is there, and makes the session listen from the end of the transaction on.
// Returns its channel.
const char* AddListener(std::string_view pattern, int32 branch_id);

// Takes back those with this pattern, or all; and LISTEN with the last of them. Returns how many.
uint64 RemoveListeners(std::optional<std::string_view> pattern);

// --- the sequencer ---

struct Listener {
    std::string channel;
    std::string pattern;
    int32 branch_id;
    Oid role;
    bool is_lagged;
};

// Calls `visit` for each, those of a channel one behind the other. Under the active snapshot.
void ForEachListener(const std::function<void(const Listener&)>& visit);

// Whether subscriptions have come or gone since this was asked last, or may have.
bool HaveListenersChanged();

void MarkLagged(std::string_view channel, bool is_lagged);

// Removes what ended sessions have left.
void RemoveDeadListeners();

}  // namespace kvs::pg
