#include "pg/chunk/pack_check.h"

#include <utility>

#include "kvs/tree/chunk.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/server_hasher.h"

namespace kvs::pg {

namespace {

// The problem is empty for a member that is whole. Faults come before a chunk of the same address.
enum SortColumn { kAddressColumn = 1, kPackColumn, kMemberColumn, kIsWholeColumn, kProblemColumn };

}  // namespace

std::vector<int64> UnpackedPack::FaultyMembers() const {
    std::vector<int64> faulty;
    for (size_t i = 0; i < prefixes.size(); i++) {
        if (i >= addresses.size() || PackPrefix(addresses[i]) != prefixes[i]) {
            faulty.push_back(static_cast<int64>(i));
        }
    }
    return faulty;
}

void ForEachUnpacked(Snapshot snapshot, const std::function<void(const UnpackedPack& pack)>& visit) {
    PackEncoder encoder;
    ServerHasher hasher;
    PackTable packs;
    TableScanDesc scan;
    Guarded([&] {
        packs = OpenPacks(AccessShareLock);
        scan = table_beginscan(packs.table.heap, snapshot, 0, nullptr);
    });
    for (;;) {
        PackRow row = {};
        const bool found = Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            const bool more = table_scan_getnextslot(scan, ForwardScanDirection, packs.table.slot);
            if (more) {
                row = ReadPackRow(&packs, true);
            }
            return more;
        });
        if (!found) {
            break;
        }
        UnpackedPack unpacked;
        unpacked.version = row.version;
        unpacked.prefixes.assign(row.addresses, row.addresses + row.count);
        const Result<Pack> pack = encoder.Decode(Contents(row.body));
        if (!pack.ok()) {
            unpacked.problem = pack.error().what();
        } else {
            for (size_t i = 0; i < pack.value().count(); i++) {
                unpacked.addresses.push_back(ChunkAddress(hasher, pack.value().Member(i)));
            }
        }
        Guarded([&] { FreePackRow(&row); });
        visit(unpacked);
    }
    Guarded([&] {
        table_endscan(scan);
        ClosePacks(&packs);
    });
}

PackCheck::PackCheck(Snapshot snapshot)
    : rows_({{"address", BYTEAOID},
             {"pack", INT8OID},
             {"member", INT8OID},
             {"is_whole", INT8OID},
             {"problem", BYTEAOID}},
            {kAddressColumn, kIsWholeColumn, kPackColumn, kMemberColumn}, maintenance_work_mem / 3) {
    ForEachUnpacked(snapshot, [&](const UnpackedPack& pack) {
        const int64 id = pack.version.id;
        if (pack.prefixes.empty()) {
            Add({}, id, -1, "it has no members");
        }
        if (!pack.problem.empty()) {
            // Told of each member, because it depends on them whether the pack is garbage.
            for (size_t i = 0; i < pack.prefixes.size(); i++) {
                Add(FirstAddress(pack.prefixes[i]), id, static_cast<int64>(i), pack.problem);
            }
            return;
        }
        if (pack.addresses.size() != pack.prefixes.size()) {
            Add(pack.prefixes.empty() ? Hash() : FirstAddress(pack.prefixes[0]), id, -1,
                "it has " + std::to_string(pack.addresses.size()) + " members, and addresses of " +
                    std::to_string(pack.prefixes.size()));
        }
        for (const int64 member : pack.FaultyMembers()) {
            Add(FirstAddress(pack.prefixes[member]), id, member, "it does not hash to its address");
        }
        for (size_t i = 0; i < pack.addresses.size(); i++) {
            if (i < pack.prefixes.size() && PackPrefix(pack.addresses[i]) == pack.prefixes[i]) {
                Add(pack.addresses[i], id, static_cast<int64>(i), {});
            }
        }
    });
    rows_.Sort();
}

void PackCheck::Add(const Hash& address, int64 pack, int64 member, std::string_view problem) {
    rows_.Add([&](Datum* values) {
        values[kAddressColumn - 1] = HashDatum(address);
        values[kPackColumn - 1] = Int64GetDatum(pack);
        values[kMemberColumn - 1] = Int64GetDatum(member);
        values[kIsWholeColumn - 1] = Int64GetDatum(problem.empty() ? 1 : 0);
        values[kProblemColumn - 1] = MakeVarlena(problem);
    });
}

bool PackCheck::Next() {
    fault_.reset();
    if (!rows_.Next()) {
        return false;
    }
    const std::string_view problem = rows_.Bytes(kProblemColumn);
    if (!problem.empty()) {
        fault_ = PackFault{rows_.Int8(kPackColumn), rows_.Int8(kMemberColumn), std::string(problem)};
    }
    return true;
}

}  // namespace kvs::pg
