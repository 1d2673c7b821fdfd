// All packs, unpacked and verified: their members in the order of their addresses, and what is wrong.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/chunk/pack_encoder.h"
#include "pg/chunk/pack_table.h"
#include "pg/wall/row_sort.h"
#include "pg/wall/server.h"

namespace kvs::pg {

constexpr size_t kPackPrefixSize = sizeof(int64);

// What is wrong with a pack, or with one of its members.
struct PackFault {
    int64 pack = 0;
    int64 member = -1;  // -1: with the pack
    std::string problem;
};

// A pack with the addresses that its row says and those that its members have.
struct UnpackedPack {
    PackVersion version;
    std::vector<int64> prefixes;  // as the row has them
    std::vector<Hash> addresses;  // of the members; empty if it cannot be unpacked
    std::string problem;          // why it cannot be
    // The members of `prefixes` that are not what they should be.
    std::vector<int64> FaultyMembers() const;
};

// Calls `visit` with each pack, in the order of the table.
void ForEachUnpacked(Snapshot snapshot, const std::function<void(const UnpackedPack& pack)>& visit);

class PackCheck {
  public:
    // Reads everything. What it finds is sorted within a part of maintenance_work_mem, and beyond it on disk.
    explicit PackCheck(Snapshot snapshot);

    // Moves to the next member or fault; false after the last. Views are valid until then.
    bool Next();

    // Of a member that is whole its address; of one that is not, the first one that begins as the row says;
    // of a fault of a pack that says nothing, zeros.
    std::string_view address() const { return rows_.Bytes(1); }
    int64 pack() const { return rows_.Int8(2); }

    // Null for a member that is whole.
    const PackFault* fault() const { return fault_ ? &*fault_ : nullptr; }

    // To be called on the normal way out.
    void Finish() { rows_.Finish(); }

  private:
    void Add(const Hash& address, int64 pack, int64 member, std::string_view problem);

    RowSort rows_;
    std::optional<PackFault> fault_;
};

}  // namespace kvs::pg
