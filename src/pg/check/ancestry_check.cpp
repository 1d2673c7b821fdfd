#include "pg/check/ancestry_check.h"

#include <unordered_map>
#include <utility>

#include "kvs/version/ancestry.h"
#include "kvs/version/commit.h"
#include "pg/table/owner_query.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

void ForEachWrongAncestry(const std::function<bool(const Hash&)>& is_damaged,
                          const std::function<void(const Hash&, const std::string& right)>& visit) {
    std::unordered_map<Hash, Ancestry, HashOfHash> derived;
    derived[kInitialCommit] = {};
    // Parents before their children.
    OwnerQuery row(
        "SELECT hash, parents[1], cardinality(parents), ancestry FROM _kvs.commit ORDER BY generation, hash");
    while (row.Next()) {
        Guarded([] { CHECK_FOR_INTERRUPTS(); });
        const std::optional<Hash> hash = row.Address(1);
        if (!hash || is_damaged(*hash)) {
            continue;
        }
        Ancestry right;
        if (row.Int4(3) > 0) {
            const std::optional<Hash> parent = row.Address(2);
            const auto of_parent = parent ? derived.find(*parent) : derived.end();
            if (of_parent == derived.end()) {
                continue;
            }
            right = AncestryOfChild(*parent, of_parent->second);
        }
        const std::string encoded = EncodeAncestry(*hash, right);
        if (row.Bytes(4) != encoded) {
            visit(*hash, encoded);
        }
        derived.emplace(*hash, std::move(right));
    }
    row.Finish();
}

}  // namespace kvs::pg
