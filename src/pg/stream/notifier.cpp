#include "pg/stream/notifier.h"

#include <algorithm>

#include "kvs/pattern/pattern.h"
#include "pg/stream/notification.h"
#include "pg/table/access_guard.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "commands/async.h"
#include "utils/syscache.h"
}

namespace kvs::pg {

namespace {

// Of a step, beyond which the rest is told as one.
constexpr size_t kMaxNotifications = 10000;

// How full the queue is when a step is told as one, and when it is not told at all.
constexpr double kPokeOnly = 0.05;
constexpr double kNothing = 0.25;

double QueueUsage() {
    return Guarded([] { return DatumGetFloat8(DirectFunctionCall1(pg_notification_queue_usage, Datum{0})); });
}

void Send(const std::string& channel, const std::string& payload) {
    Guarded([&] { Async_Notify(channel.c_str(), payload.c_str()); });
}

}  // namespace

void Notifier::Notify(int64 first, int64 last, Snapshot snapshot) {
    if (HaveListenersChanged() || !loaded_) {
        LoadListeners();
    }
    if (channels_.empty()) {
        return;
    }
    privileges_.clear();
    branches_ = {};
    sent_ = 0;
    const double usage = QueueUsage();
    if (usage > kNothing) {
        NoteLagged();
        return;
    }
    TellLagged(last);
    if (usage > kPokeOnly) {
        Poke(first, last);
    } else {
        NotifyEach(first, last, snapshot);
    }
}

void Notifier::LoadListeners() {
    channels_.clear();
    subscriptions_.clear();
    trie_ = PatternTrie();
    ForEachListener([&](const Listener& listener) {
        if (channels_.empty() || channels_.back().name != listener.channel) {
            channels_.push_back({listener.channel, listener.role, listener.is_lagged});
        }
        trie_.Add(Pattern::Parse(listener.pattern).OrThrow(), subscriptions_.size());
        subscriptions_.push_back({channels_.size() - 1, listener.branch_id, listener.pattern});
    });
    loaded_ = true;
}

bool Notifier::MayHear(const Channel& channel) {
    const auto known = privileges_.find(channel.role);
    if (known != privileges_.end()) {
        return known->second;
    }
    // A role that was dropped has none.
    return privileges_[channel.role] = Guarded([&] {
               return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(channel.role)) && MayRead(channel.role);
           });
}

void Notifier::NotifyEach(int64 first, int64 last, Snapshot snapshot) {
    MemoryContext context = Guarded([] {
        return AllocSetContextCreate(CurrentMemoryContext, "kvs notifications", ALLOCSET_DEFAULT_SIZES);
    });
    EventReader reader(first - 1, {}, snapshot);
    while (sent_ < kMaxNotifications && reader.Next()) {
        const MemoryScope scope(context);
        NotifyOf(&reader, snapshot);
        Guarded([&] { MemoryContextReset(context); });
    }
    reader.Close();
    if (reader.pos() < last && sent_ >= kMaxNotifications) {
        Poke(reader.pos() + 1, last);
    }
    Guarded([&] { MemoryContextDelete(context); });
}

void Notifier::NotifyOf(EventReader* reader, Snapshot snapshot) {
    numbers_.clear();
    matches_.clear();
    trie_.Match(reader->key(), &numbers_);
    for (const uint64_t number : numbers_) {
        const Subscription& subscription = subscriptions_[number];
        if ((subscription.branch_id == kAllBranches || subscription.branch_id == reader->branch_id()) &&
            MayHear(channels_[subscription.channel])) {
            matches_.push_back({subscription.channel, subscription.pattern});
        }
    }
    if (matches_.empty()) {
        return;
    }
    // All patterns of a channel one behind the other, each once.
    std::sort(matches_.begin(), matches_.end(), [](const Match& a, const Match& b) {
        return a.channel != b.channel ? a.channel < b.channel : a.pattern < b.pattern;
    });
    const Notification notification(reader, branches_.Of(reader->branch_id(), snapshot), &recent_);
    std::vector<std::string_view> patterns;
    for (size_t i = 0; i < matches_.size(); i++) {
        const Match& match = matches_[i];
        if (patterns.empty() || patterns.back() != match.pattern) {
            patterns.push_back(match.pattern);
        }
        if (i + 1 == matches_.size() || matches_[i + 1].channel != match.channel) {
            Send(channels_[match.channel].name, notification.For(patterns));
            patterns.clear();
            sent_++;
        }
    }
}

// Whoever may read learns that there was something, not what.
void Notifier::Poke(int64 first, int64 last) {
    const std::string payload = NotificationOf(first, last);
    for (const Channel& channel : channels_) {
        if (MayHear(channel)) {
            Send(channel.name, payload);
        }
    }
}

void Notifier::NoteLagged() {
    for (Channel& channel : channels_) {
        if (!channel.is_lagged) {
            channel.is_lagged = true;
            MarkLagged(channel.name, true);
        }
    }
}

// Their events lie somewhere behind the last that they were told of, which they know.
void Notifier::TellLagged(int64 last) {
    for (Channel& channel : channels_) {
        if (channel.is_lagged) {
            if (MayHear(channel)) {
                Send(channel.name, NotificationOf(0, last));
            }
            channel.is_lagged = false;
            MarkLagged(channel.name, false);
        }
    }
}

}  // namespace kvs::pg
