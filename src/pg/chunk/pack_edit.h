// Packs without some of their members, for collection and repair.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pg/chunk/pack_encoder.h"
#include "pg/chunk/pack_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// The body of the pack `id` as it would be without these members, which ascend and are not all that it has.
// Errors: kCorruption if it cannot be unpacked.
std::string PackWithout(int64 id, std::string_view body, const std::vector<int64>& members,
                        PackEncoder* encoder);

// Takes these members, which ascend, out of a pack that is there; the pack goes with the last one. Returns
// the bytes by which it has become smaller. The lock of LockUpkeep is held. Errors: as above.
int64 RemovePackMembers(PackTable* packs, int64 id, const std::vector<int64>& members, Snapshot snapshot,
                        PackEncoder* encoder);

// Puts other addresses into the row of a pack that is there; none: deletes it. As above.
void ReplacePackAddresses(PackTable* packs, int64 id, const std::vector<int64>& addresses, Snapshot snapshot);

// A copy of the body of a pack, null if there is none; `count`, unless null, takes the number of its
// addresses. Server code.
struct varlena* ReadPackBody(int64 id, Snapshot snapshot, int* count);

}  // namespace kvs::pg
