#include "pg/chunk/pack_edit.h"

#include <algorithm>

#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

bool IsAmong(const std::vector<int64>& members, size_t i) {
    return std::binary_search(members.begin(), members.end(), static_cast<int64>(i));
}

}  // namespace

std::string PackWithout(int64 id, std::string_view body, const std::vector<int64>& members,
                        PackEncoder* encoder) {
    const Result<Pack> pack = encoder->Decode(body);
    if (!pack.ok()) {
        throw DamagedNotCollected("pack " + std::to_string(id) + ": " + pack.error().what());
    }
    Pack rest;
    for (size_t i = 0; i < pack.value().count(); i++) {
        if (!IsAmong(members, i)) {
            rest.Add(pack.value().Member(i));
        }
    }
    return encoder->Encode(rest);
}

struct varlena* ReadPackBody(int64 id, Snapshot snapshot, int* count) {
    PackTable packs = OpenPacks(AccessShareLock);
    struct varlena* body = nullptr;
    if (FindPack(&packs, id, snapshot)) {
        PackRow row = ReadPackRow(&packs, true);
        body = row.body;
        row.body = nullptr;
        if (count != nullptr) {
            *count = row.count;
        }
        FreePackRow(&row);
    }
    ClosePacks(&packs);
    return body;
}

void ReplacePackAddresses(PackTable* packs, int64 id, const std::vector<int64>& addresses,
                          Snapshot snapshot) {
    Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        if (!FindPack(packs, id, snapshot)) {
            return;
        }
        PackRow row = ReadPackRow(packs, true);
        ExecClearTuple(packs->table.slot);
        DeletePack(packs, row.version.tid, snapshot);
        if (!addresses.empty()) {
            InsertPack(packs, {id, row.has_next, row.next, addresses.data(),
                               static_cast<int>(addresses.size()), Contents(row.body)});
        }
        FreePackRow(&row);
        CommandCounterIncrement();
    });
}

int64 RemovePackMembers(PackTable* packs, int64 id, const std::vector<int64>& members, Snapshot snapshot,
                        PackEncoder* encoder) {
    PackRow row = {};
    const bool found = Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        const bool is_there = FindPack(packs, id, snapshot);
        if (is_there) {
            row = ReadPackRow(packs, true);
            ExecClearTuple(packs->table.slot);
        }
        return is_there;
    });
    if (!found) {
        return 0;
    }
    auto freed = static_cast<int64>(Contents(row.body).size());
    std::string body;
    std::vector<int64> addresses;
    if (members.size() < static_cast<size_t>(row.count)) {
        body = PackWithout(id, Contents(row.body), members, encoder);
        freed -= static_cast<int64>(body.size());
        for (int i = 0; i < row.count; i++) {
            if (!IsAmong(members, static_cast<size_t>(i))) {
                addresses.push_back(row.addresses[i]);
            }
        }
    }
    const bool has_last = !IsAmong(members, static_cast<size_t>(row.count - 1));
    Guarded([&] {
        DeletePack(packs, row.version.tid, snapshot);
        if (!addresses.empty()) {
            InsertPack(packs, {id, row.has_next && has_last, row.next, addresses.data(),
                               static_cast<int>(addresses.size()), body});
        }
        FreePackRow(&row);
        CommandCounterIncrement();
    });
    return freed;
}

}  // namespace kvs::pg
