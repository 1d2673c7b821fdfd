#include "kvs/event/delivery_board.h"

#include <algorithm>
#include <utility>

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
        // What is aside does not come from the stream again.
        const Lease& other = holder->second.lease;
        if (!is_new &&
            std::pair(other.is_aside, other.deliveries) < std::pair(lease.is_aside, lease.deliveries)) {
            holder->second = {lease, is_own, is_busy};
        }
    }
}

void DeliveryBoard::AddUnsettled(int64_t floor, const MemberState& state) {
    unsettled_floor_ = std::max(unsettled_floor_, floor);
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
    noted_floor_ = floor_;
    done_.RemoveUpTo(floor_);
    floor_ = std::max(floor_, done_.EndOfRun(floor_ + 1));
    taken_ = done_;
    taken_.Add(unsettled_);
    std::erase_if(holders_, [&](const auto& entry) {
        return !entry.second.lease.is_aside && (entry.first <= floor_ || done_.Has(entry.first));
    });
    // Keys of which the asking member has to be given an earlier event again: what it has of them comes
    // again behind that.
    std::set<uint32_t> own_again;
    for (const auto& [pos, holder] : holders_) {
        const Lease& lease = holder.lease;
        taken_.Add(pos);
        const bool is_live = lease.IsLive(now_);
        if (IsUnsettled(lease) || holder.is_busy) {
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

// What lies below an unsettled floor may be done without being named.
bool DeliveryBoard::IsUnsettled(const Lease& lease) const {
    return unsettled_.Has(lease.pos) || (!lease.is_aside && lease.pos <= unsettled_floor_);
}

bool DeliveryBoard::IsFreeAside(int64_t pos) const {
    const auto holder = holders_.find(pos);
    const bool is_held =
        holder != holders_.end() && holder->second.lease.is_aside &&
        std::none_of(due_.begin(), due_.end(), [&](const Lease& lease) { return lease.pos == pos; });
    return !is_held && !unsettled_.Has(pos);
}

const Lease* DeliveryBoard::Find(int64_t pos) const {
    const auto holder = holders_.find(pos);
    return holder != holders_.end() ? &holder->second.lease : nullptr;
}

bool DeliveryBoard::IsOwn(int64_t pos) const {
    const auto found = holders_.find(pos);
    if (found == holders_.end() || !found->second.is_own || IsUnsettled(found->second.lease)) {
        return false;
    }
    const uint32_t key_hash = found->second.lease.key_hash;
    return !IsBlocked(key_hash) && std::none_of(holders_.begin(), holders_.find(pos), [&](const auto& entry) {
        return entry.second.lease.key_hash == key_hash;
    });
}

}  // namespace kvs
