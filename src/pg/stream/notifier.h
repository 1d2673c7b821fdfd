// Tells the sessions that have subscribed (listener_table.h) of the events of a step, by NOTIFY.
//
// All of a step's notifications go out with the transaction that gives the events their positions, so that
// none is told twice or not at all. A trie over the levels of all patterns finds who is concerned by a key,
// whatever their number. The privileges of who subscribed are asked in each step.
//
// NOTIFY's queue is shared by the whole cluster, and as long as the slowest listener: it stops whoever
// notifies when it is full. So a single notification stands for many events where a step has very many of
// them, and for all of the step where the queue is filling up. Where it is filled to a quarter nothing is
// sent any more; who missed something is noted, and told as soon as there is room.
//
// Server errors end the transaction of the step; this object is to be made anew then.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/event/pattern_trie.h"
#include "pg/stream/event_reader.h"
#include "pg/stream/event_row.h"
#include "pg/stream/listener_table.h"
#include "pg/stream/recent_values.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class Notifier {
  public:
    // In the transaction that gave the events from `first` to `last` their positions; `snapshot` shows these.
    void Notify(int64 first, int64 last, Snapshot snapshot);

    // How many sessions listen.
    size_t channels() const { return channels_.size(); }

  private:
    struct Channel {
        std::string name;
        Oid role;
        bool is_lagged = false;
    };

    struct Subscription {
        size_t channel;
        int32 branch_id;
        std::string pattern;
    };

    // What one event means for a channel.
    struct Match {
        size_t channel;
        std::string_view pattern;
    };

    void LoadListeners();
    bool MayHear(const Channel& channel);
    void NotifyEach(int64 first, int64 last, Snapshot snapshot);
    void NotifyOf(EventReader* reader, Snapshot snapshot);
    void Poke(int64 first, int64 last);
    void TellLagged(int64 last);
    void NoteLagged();

    bool loaded_ = false;
    std::vector<Channel> channels_;
    std::vector<Subscription> subscriptions_;
    PatternTrie trie_;                // numbers are places in subscriptions_
    std::map<Oid, bool> privileges_;  // of this step
    BranchNames branches_;            // of this step
    size_t sent_ = 0;                 // in this step
    RecentValues recent_;
    std::vector<uint64_t> numbers_;
    std::vector<Match> matches_;
};

}  // namespace kvs::pg
