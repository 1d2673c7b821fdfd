#include "kvs/event/member_state.h"

#include <algorithm>

#include "kvs/codec/varint.h"

namespace kvs {

namespace {

constexpr uint8_t kFormat = 1;

constexpr uint64_t kReturned = 1;
constexpr uint64_t kAside = 2;
constexpr uint64_t kMoved = 4;
constexpr uint64_t kAllFlags = kReturned | kAside | kMoved;

uint64_t FlagsOf(const Lease& lease) {
    return (lease.is_returned ? kReturned : 0) | (lease.is_aside ? kAside : 0) |
           (lease.is_moved ? kMoved : 0);
}

bool HaveSameTerms(const Lease& a, const Lease& b) {
    return a.deliveries == b.deliveries && a.since == b.since && a.until == b.until &&
           FlagsOf(a) == FlagsOf(b);
}

auto PlaceOf(std::vector<Lease>* leases, int64_t pos) {
    return std::lower_bound(leases->begin(), leases->end(), pos,
                            [](const Lease& lease, int64_t p) { return lease.pos < p; });
}

// Reads the step from one position to the next; false if there is none or it leaves the range of positions.
bool ReadStep(ByteReader* reader, int64_t* pos, uint64_t divisor, uint64_t* raw) {
    return reader->ReadVarint(raw) && *raw / divisor <= static_cast<uint64_t>(INT64_MAX - *pos) &&
           (*pos += static_cast<int64_t>(*raw / divisor), true);
}

bool ReadRuns(ByteReader* reader, PositionSet* done) {
    uint64_t count;
    if (!reader->ReadVarint(&count)) {
        return false;
    }
    int64_t pos = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t step;
        if (!ReadStep(reader, &pos, 1, &step) || (i > 0 && step < 2)) {
            return false;
        }
        const int64_t first = pos;
        if (!ReadStep(reader, &pos, 1, &step) || pos == INT64_MAX) {
            return false;
        }
        done->Add(first, pos);
    }
    return true;
}

bool ReadTerms(ByteReader* reader, Lease* lease) {
    uint64_t deliveries;
    uint64_t flags;
    uint64_t since;
    uint64_t length;
    if (!reader->ReadVarint(&deliveries) || !reader->ReadVarint(&flags) || !reader->ReadVarint(&since) ||
        !reader->ReadVarint(&length) || deliveries > UINT32_MAX || flags > kAllFlags) {
        return false;
    }
    lease->deliveries = static_cast<uint32_t>(deliveries);
    lease->is_returned = (flags & kReturned) != 0;
    lease->is_aside = (flags & kAside) != 0;
    lease->is_moved = (flags & kMoved) != 0;
    lease->since = ZigZagDecode(since);
    lease->until = static_cast<int64_t>(static_cast<uint64_t>(lease->since) +
                                        static_cast<uint64_t>(ZigZagDecode(length)));
    return true;
}

bool ReadLeases(ByteReader* reader, std::vector<Lease>* leases) {
    Lease lease;
    while (!reader->AtEnd()) {
        uint64_t step;
        const bool is_first = leases->empty();
        if (!ReadStep(reader, &lease.pos, 2, &step) || (!is_first && step < 2) ||
            (is_first && (step & 1) != 0) || !reader->ReadFixed(&lease.key_hash) ||
            ((step & 1) == 0 && !ReadTerms(reader, &lease))) {
            return false;
        }
        leases->push_back(lease);
    }
    return true;
}

}  // namespace

Lease* MemberState::Find(int64_t pos) {
    const auto place = PlaceOf(&leases, pos);
    return place != leases.end() && place->pos == pos ? &*place : nullptr;
}

void MemberState::Put(const Lease& lease) {
    const auto place = PlaceOf(&leases, lease.pos);
    if (place != leases.end() && place->pos == lease.pos) {
        *place = lease;
    } else {
        leases.insert(place, lease);
    }
}

void MemberState::Remove(int64_t pos) {
    const auto place = PlaceOf(&leases, pos);
    if (place != leases.end() && place->pos == pos) {
        leases.erase(place);
    }
}

std::string EncodeMemberState(const MemberState& state) {
    std::string encoded(1, static_cast<char>(kFormat));
    AppendVarint(encoded, state.done.runs().size());
    int64_t pos = 0;
    for (const auto& [first, last] : state.done.runs()) {
        AppendVarint(encoded, static_cast<uint64_t>(first - pos));
        AppendVarint(encoded, static_cast<uint64_t>(last - first));
        pos = last;
    }
    const Lease* before = nullptr;
    for (const Lease& lease : state.leases) {
        const bool is_same = before != nullptr && HaveSameTerms(lease, *before);
        const int64_t step = lease.pos - (before != nullptr ? before->pos : 0);
        AppendVarint(encoded, static_cast<uint64_t>(step) << 1 | (is_same ? 1 : 0));
        AppendFixed(encoded, lease.key_hash);
        if (!is_same) {
            AppendVarint(encoded, lease.deliveries);
            AppendVarint(encoded, FlagsOf(lease));
            AppendVarint(encoded, ZigZagEncode(lease.since));
            AppendVarint(encoded, ZigZagEncode(lease.until - lease.since));
        }
        before = &lease;
    }
    return encoded;
}

Result<MemberState> DecodeMemberState(std::string_view encoded) {
    ByteReader reader(encoded);
    MemberState state;
    uint8_t format;
    if (!reader.ReadFixed(&format) || format != kFormat || !ReadRuns(&reader, &state.done) ||
        !ReadLeases(&reader, &state.leases)) {
        return Error(ErrorCode::kCorruption, "state of a subscription's member is damaged");
    }
    return state;
}

}  // namespace kvs
