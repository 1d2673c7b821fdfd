// Events of durable subscriptions that were set aside, _kvs.subscription_event, so that the subscription goes
// on behind them: parked ones, and others of their keys that come behind, or of keys that somebody has had
// for long. They are handed out from here, key by key in the order of their positions, unless a parked one
// of the key comes before them. Few events come this way: plain SQL. Errors of all: PgError.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/subscription/subscription_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

struct EventKey {
    int32 branch = 0;
    std::string key;
};

// A key is one on each branch.
uint32 HashOf(int32 branch, std::string_view key);

struct AsideEvent {
    int64 pos;
    uint32 key_hash;
    int32 deliveries;
    int32 spared;  // of these, do not count
    EventKey key;
};

// Whether there are any, also of transactions that run.
bool HasAside(const Subscription& subscription);

// Whether events of this key have to come here behind those that are here.
bool HoldsKey(const Subscription& subscription, int32 branch, std::string_view key);

// Those that may be handed out, the first `limit` of them.
std::vector<AsideEvent> ReadyAside(const Subscription& subscription, int64 limit);

// Sets an event aside to wait for its turn.
void SetAside(const Subscription& subscription, int64 pos, const EventKey& key, uint32 deliveries);

// Parks an event, which may be here already.
void Park(const Subscription& subscription, int64 pos, const EventKey& key, int32 deliveries,
          std::string_view reason);

void CountDelivery(const Subscription& subscription, int64 pos);

// Removes one that is done; false if it is not there.
bool RemoveAside(const Subscription& subscription, int64 pos);

// Puts those that are parked, of one key or of all, back to wait for their turns. Returns how many.
int64 ReplayParked(const Subscription& subscription, const std::optional<std::string_view>& key);

// The position of the first one that is parked, of one key or of all; nullopt: there is none.
std::optional<int64> FirstParked(const Subscription& subscription,
                                 const std::optional<std::string_view>& key);

}  // namespace kvs::pg
