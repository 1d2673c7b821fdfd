#include "kvs/event/delivery_board.h"

#include <algorithm>

namespace kvs {

void DeliveryBoard::AddOwn(int64_t floor, const MemberState& state) {
    Add(floor, state, true, false);
}

void DeliveryBoard::AddOther(int64_t floor, const MemberState& state) {
    Add(floor, state, false, false);
}

void DeliveryBoard::AddBusy(int64_t floor, const MemberState& state) {
    Add(floor, state, false, true);
}

void DeliveryBoard::Add(int64_t floor, const MemberState& state, bool is_own, bool is_busy) {
    floor_ = std::max(floor_, floor);
    done_.Add(state.done);
    for (const Lease& lease : state.leases) {
        if (lease.is_moved) {
            continue;
        }
        const auto [holder, is_new] = holders_.try_emplace(lease.pos, Holder{lease, is_own, is_busy});
        if (!is_new && holder->second.lease.deliveries < lease.deliveries) {
            holder->second = {lease, is_own, is_busy};
        }
    }
}

void DeliveryBoard::AddUnsettled(const MemberState& state) {
    unsettled_.Add(state.done);
    for (const Lease& lease : state.leases) {
        unsettled_.Add(lease.pos);
        BlockSince(lease.key_hash, now_);
    }
}

// Blocked by several, it counts as blocked since the latest: only then all of them have been slow.
void DeliveryBoard::BlockSince(uint32_t key_hash, int64_t since) {
    const auto [blocked, is_new] = blocked_.emplace(key_hash, since);
    blocked->second = std::max(blocked->second, since);
}

void DeliveryBoard::Finish() {
    done_.RemoveUpTo(floor_);
    floor_ = std::max(floor_, done_.EndOfRun(floor_ + 1));
    taken_ = done_;
    taken_.Add(unsettled_);
    std::erase_if(holders_, [&](const auto& entry) {
        return done_.Has(entry.first) || (entry.first <= floor_ && !entry.second.lease.is_aside);
    });
    // Keys of which the asking member has to be given an earlier event again: what it has of them comes
    // again behind that.
    std::set<uint32_t> own_again;
    for (const auto& [pos, holder] : holders_) {
        const Lease& lease = holder.lease;
        taken_.Add(pos);
        const bool is_live = lease.IsLive(now_);
        if (unsettled_.Has(pos) || holder.is_busy) {
            BlockSince(lease.key_hash, now_);
        } else if (is_live && (!holder.is_own || lease.is_returned)) {
            BlockSince(lease.key_hash, lease.since);
        } else if (!is_live || own_again.contains(lease.key_hash)) {
            due_.push_back(lease);
            if (holder.is_own) {
                own_again.insert(lease.key_hash);
            }
            continue;
        }
        in_flight_ += is_live && !lease.is_returned ? 1 : 0;
        if (is_live) {
            next_due_ = std::min(next_due_, lease.until);
        }
    }
}

const Lease* DeliveryBoard::Find(int64_t pos) const {
    const auto holder = holders_.find(pos);
    return holder != holders_.end() ? &holder->second.lease : nullptr;
}

bool DeliveryBoard::IsOwn(int64_t pos) const {
    const auto holder = holders_.find(pos);
    return holder != holders_.end() && holder->second.is_own && !unsettled_.Has(pos);
}

}  // namespace kvs
