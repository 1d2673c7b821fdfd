// The part of kvs.check that looks at chunks: the trees below all roots, whether data and metadata agree,
// blobs, and what nothing refers to.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "kvs/codec/item.h"
#include "kvs/tree/diff.h"
#include "pg/check/change_claims.h"
#include "pg/check/check_store.h"
#include "pg/check/tree_audit.h"
#include "pg/chunk/chunk_store.h"
#include "pg/chunk/pack_check.h"
#include "pg/chunk/stored_chunks.h"
#include "pg/table/change_log.h"
#include "pg/wall/address_sort.h"

namespace kvs::pg {

class ObjectCheck {
  public:
    // `claims` takes what trees of metadata say of the log.
    ObjectCheck(Snapshot snapshot, ChangeClaims* claims, const FindingSink& sink);

    // Checks the trees of a state, and that each key that has a value has living metadata and the other way
    // round. `where` names the state in findings. `base` is a state that was checked, whatever came out, and
    // of which this one is a neighbour, so that little differs; null if none is known. Answers whether all is
    // in order.
    bool CheckState(const TreePair& roots, const std::string& where, const TreePair* base);

    // A single tree: of data, or of another kind whose items are not looked at.
    bool CheckDataTree(const Hash& root, const std::string& where, const TreePair* base);
    bool CheckOtherTree(const Hash& root, const std::string& where);

    // Whether a tree that was checked is whole. Then it can be read by way of chunks().
    bool IsWhole(const Hash& root) const { return !bad_.contains(root); }
    ChunkStore& chunks() { return chunks_; }

    // Whether the trees of a state that was checked are whole, and have the same keys.
    bool IsSound(const TreePair& roots) const {
        return IsWhole(roots.data_root) && IsWhole(roots.meta_root) &&
               !disagreeing_.contains({roots.data_root, roots.meta_root});
    }

    // For reading a metadata tree that was found whole; false if it is not that.
    bool FindMetadata(const Hash& meta_root, std::string_view key, MetadataHeader* header);

    // Calls `visit` with each change of metadata between two trees that were found whole.
    void ForEachMetadataChange(const TreePair& from, const TreePair& to,
                               const std::function<void(const TreeChange& change)>& visit);

    // What lies behind damage is not known to be reached, and so nothing can be told to be an orphan: set by
    // damaged trees, and by whoever meets a commit that is missing.
    void NoteUnreached() { all_reached_ = false; }
    bool all_reached() const { return all_reached_; }

    // After everything else: checks the blobs that were met, and reports the chunks that were not.
    void Finish();

  private:
    std::string VisitData(const Hash& address, const Node& node, uint64_t* fingerprint);
    std::string VisitMetadata(const Hash& address, const Node& node, uint64_t* fingerprint);
    bool CheckTree(TreeAudit* audit, const char* kind, const Hash& root, const std::string& where,
                   const Hash* audited);
    bool IsInOrder(const TreePair& roots) const;
    void NoteInOrder(const TreePair& roots);
    bool FingerprintsAgree(const TreePair& roots);
    bool CheckAgreement(const TreePair& base, const TreePair& roots, const std::string& where);
    void CheckBlob(const Hash& address, const StoredChunk& chunk);
    void CheckUnreferenced(const Hash& address, const StoredChunk& chunk);
    void CheckUnreferencedMember(const Hash& address, int64 pack);
    void ReportPack(const PackFault& fault, bool is_met);
    void Report(const char* type, const Hash& address, const std::string& problem,
                const std::string& keys = {});
    void ReportNode(const char* type, const Hash& address, const std::string& problem,
                    const std::string& keys);

    const FindingSink& sink_;
    ChangeClaims* claims_;
    Snapshot snapshot_;
    StoredChunks stored_;
    ChunkStore chunks_;  // for trees that were found whole
    AddressSort met_;
    TreeAudit data_;
    TreeAudit metadata_;
    TreeAudit other_;
    std::string where_;  // which tree is being checked
    bool all_reached_ = true;
    std::optional<TreePair> last_in_order_;  // the one that was checked last
    // Metadata roots to data roots of states that are in order, and as many that were before them.
    std::unordered_map<Hash, Hash, HashOfHash> in_order_;
    std::unordered_map<Hash, Hash, HashOfHash> in_order_before_;
    std::unordered_set<Hash, HashOfHash> bad_;      // roots of trees that are not whole
    std::set<std::pair<Hash, Hash>> disagreeing_;   // whole trees of data and metadata with other keys
    std::unordered_set<Hash, HashOfHash> missing_;  // chunks that were reported
};

}  // namespace kvs::pg
