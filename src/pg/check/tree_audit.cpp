#include "pg/check/tree_audit.h"

#include <tuple>
#include <utility>

#include "kvs/tree/chunk.h"
#include "kvs/tree/splitter.h"
#include "kvs/util/quote.h"

namespace kvs::pg {

namespace {

constexpr const char* kMissing = "missing_object";
constexpr const char* kCorrupt = "corrupt_object";
constexpr const char* kWrongCount = "wrong_count";

}  // namespace

// The fingerprint of a node from those of its children. Where it has most of them in common with audited
// nodes, it is theirs with what differs taken out and added; so the others need not be known.
class TreeAudit::FingerprintSum {
  public:
    FingerprintSum(TreeAudit* audit, const std::vector<AuditedNode>& audited) : audit_(audit) {
        for (const AuditedNode& node : audited) {
            const Subtree* known = audit->memory_.Find(node.place.address);
            if (known == nullptr || !known->fingerprint) {
                audited_.reset();
                return;
            }
            audited_ = audited_.value_or(0) + *known->fingerprint;
        }
    }

    void Own(const Subtree& child) {
        own_ = own_ && child.fingerprint ? std::optional(*own_ + *child.fingerprint) : std::nullopt;
    }
    void Shared(const Hash& child) { shared_.push_back(child); }
    void AuditedOnly(const Hash& child) { audited_only_.push_back(child); }

    std::optional<uint64_t> Of(const Node& node) const {
        std::optional<uint64_t> sum = own_;
        const bool from_audited = audited_ && audited_only_.size() < shared_.size();
        if (sum && from_audited) {
            *sum += *audited_;
        }
        for (const Hash& child : from_audited ? audited_only_ : shared_) {
            const std::optional<uint64_t> fingerprint =
                sum ? audit_->ChildFingerprint(child, audited_ && node.level() == 1) : std::nullopt;
            if (!fingerprint) {
                return std::nullopt;
            }
            *sum += from_audited ? 0 - *fingerprint : *fingerprint;
        }
        return sum;
    }

  private:
    TreeAudit* audit_;
    std::optional<uint64_t> audited_;  // of all audited nodes, if there are any and all are known
    std::optional<uint64_t> own_ = 0;  // of the children that were checked
    std::vector<Hash> shared_;
    std::vector<Hash> audited_only_;
};

// The children of a node that is checked, beside audited nodes.
class TreeAudit::ChildrenCheck {
  public:
    ChildrenCheck(TreeAudit* audit, const Node& node, bool at_edge, const std::vector<AuditedPlace>& places)
        : audit_(audit),
          node_(node),
          at_edge_(at_edge),
          places_(places),
          audited_nodes_(audit->ReadAudited(places, node.level())),
          // A tree of fewer levels is met further down.
          is_lower_(!audited_nodes_.empty() && audited_nodes_.front().node->level() < node.level()),
          audited_(is_lower_ ? none_ : audited_nodes_),
          sum_(audit, is_lower_ ? none_ : audited_nodes_) {}

    // Child `i`, whose keys are behind key_before, if that is not the first child, up to `last_key`.
    void Check(size_t i, const std::string& last_key, const std::string& key_before, Subtree* parent) {
        const auto outer = std::make_pair(audit_->key_before_, audit_->last_key_);
        audit_->key_before_ = i > 0 ? &key_before : outer.first;
        audit_->last_key_ = &last_key;
        std::vector<AuditedPlace> beside;
        while (!audited_.at_end() && audited_.last_key() < last_key) {
            PassAudited(&beside);
        }
        const Hash child = node_.ChildHash(i);
        const bool same_end = !audited_.at_end() && audited_.last_key() == last_key;
        if (same_end && IsShared(i)) {
            sum_.Shared(child);
            audited_.Advance();
            if (i == 0 && audit_->key_before_ != nullptr) {
                parent->first_is = Subtree::FirstKey::kFloor;
                parent->first_key = *audit_->key_before_;
            }
        } else {
            if (same_end) {
                PassAudited(&beside);
            } else if (!audited_.at_end() && node_.level() > 1) {
                beside.push_back(audited_.place());
            }
            CheckOwn(i, last_key, key_before, is_lower_ ? places_ : beside, parent);
        }
        std::tie(audit_->key_before_, audit_->last_key_) = outer;
    }

    // After the last child.
    std::optional<uint64_t> Fingerprint() {
        while (!audited_.at_end()) {
            PassAudited(nullptr);
        }
        return sum_.Of(node_);
    }

  private:
    void PassAudited(std::vector<AuditedPlace>* beside) {
        if (beside != nullptr && node_.level() > 1) {
            beside->push_back(audited_.place());
        }
        sum_.AuditedOnly(audited_.address());
        audited_.Advance();
    }

    // Whether child `i` is the audited one, which ends with the same key, and fits here as it did there.
    bool IsShared(size_t i) {
        const bool child_at_edge = at_edge_ && i + 1 == node_.count();
        if (!audited_.whole() || audited_.address() != node_.ChildHash(i) ||
            audited_.entries() != node_.ChildEntries(i) || (audited_.at_edge() && !child_at_edge)) {
            return false;
        }
        const std::string* key_before = audit_->key_before_;
        return key_before == nullptr || (!audited_.at_start() && *key_before <= audited_.key_before()) ||
               audit_->StartsAfter(audited_.address(), *key_before);
    }

    void CheckOwn(size_t i, const std::string& last_key, const std::string& key_before,
                  const std::vector<AuditedPlace>& places, Subtree* parent) {
        const Hash address = node_.ChildHash(i);
        const Subtree child = audit_->CheckSubtree(address, at_edge_ && i + 1 == node_.count(), places);
        if (!child.whole || !audit_->FitsParent(address, child, node_, i, last_key, key_before)) {
            parent->whole = false;
        }
        sum_.Own(child);
        if (i == 0) {
            parent->first_is = child.first_is;
            parent->first_key = child.first_key;
        }
    }

    const std::vector<AuditedNode> none_;
    TreeAudit* audit_;
    const Node& node_;
    const bool at_edge_;
    const std::vector<AuditedPlace>& places_;
    const std::vector<AuditedNode> audited_nodes_;
    const bool is_lower_;
    AuditedChildren audited_;
    FingerprintSum sum_;
};

TreeAudit::TreeAudit(StoredChunks* chunks, size_t memory, NodeVisitor visit, ChunkReport report)
    : chunks_(chunks), memory_(memory), visit_(std::move(visit)), report_(std::move(report)) {}

bool TreeAudit::Check(const Hash& root, const Hash* audited) {
    if (root == kEmptyRoot) {
        return true;
    }
    std::vector<AuditedPlace> places;
    if (audited != nullptr && *audited != kEmptyRoot) {
        places.emplace_back().address = *audited;
    }
    const Subtree tree = CheckSubtree(root, true, places);
    if (tree.whole && tree.entries == 0) {
        Report(kCorrupt, root, "an empty leaf is stored as a root");
    } else if (tree.whole && tree.single) {
        Report(kCorrupt, root, "the root has a single child");
    } else {
        return tree.whole;
    }
    return false;
}

std::optional<uint64_t> TreeAudit::Fingerprint(const Hash& root) {
    if (root == kEmptyRoot) {
        return 0;
    }
    const Subtree* known = memory_.Find(root);
    return known == nullptr ? std::nullopt : known->fingerprint;
}

Subtree TreeAudit::CheckSubtree(const Hash& address, bool at_edge, const std::vector<AuditedPlace>& places) {
    if (const Subtree* known = memory_.Find(address); known != nullptr && (at_edge || !known->at_edge)) {
        return *known;
    }
    Subtree checked = CheckNode(address, at_edge, places);
    if (!checked.whole) {
        checked.fingerprint.reset();
        not_whole_.insert(address);
    }
    memory_.Add(address, checked);
    return checked;
}

Subtree TreeAudit::CheckNode(const Hash& address, bool at_edge, const std::vector<AuditedPlace>& places) {
    Subtree result;
    StoredChunk chunk = chunks_->Read(address);
    if (chunk.state == StoredChunk::State::kMissing) {
        Report(kMissing, address, "the node is missing");
        return result;
    }
    if (chunk.state == StoredChunk::State::kDamaged) {
        Report(kCorrupt, address, chunk.problem);
        return result;
    }
    const Result<NodeRef> parsed = Node::Parse(std::move(chunk.raw));
    if (!parsed.ok()) {
        Report(kCorrupt, address, parsed.error().what());
        return result;
    }
    const Node& node = *parsed.value();
    result.whole = true;
    result.at_edge = at_edge;
    result.single = !node.is_leaf() && node.count() == 1;
    result.level = node.level();
    result.entries = node.entries();
    uint64_t fingerprint = 0;
    if (const std::string problem = visit_(address, node, &fingerprint); !problem.empty()) {
        Report(kCorrupt, address, problem);
        result.whole = false;
    }
    if (node.is_leaf()) {
        result.fingerprint = fingerprint;
        CheckItems(address, node, nullptr, &result);
    } else {
        ChildrenCheck children(this, node, at_edge, places);
        CheckItems(address, node, &children, &result);
        result.fingerprint = children.Fingerprint();
    }
    return result;
}

void TreeAudit::CheckItems(const Hash& address, const Node& node, ChildrenCheck* children, Subtree* result) {
    Splitter splitter(node.level());
    std::string key;
    std::string key_before;
    bool ended = false;
    for (size_t i = 0; i < node.count(); i++) {
        node.Key(i, &key);
        if (ended) {
            Report(kCorrupt, address, "the node goes on behind its boundary");
            result->whole = false;
        }
        ended = splitter.Add(key, node.is_leaf() ? LeafItemSize(key.size(), node.Value(i).size())
                                                 : InternalItemSize(key.size()));
        if (children != nullptr) {
            children->Check(i, key, key_before, result);
        } else if (i == 0) {
            result->first_is = Subtree::FirstKey::kExact;
            result->first_key = key;
        }
        key_before = key;
    }
    result->last_key = key;
    if (!ended && !result->at_edge) {
        Report(kCorrupt, address, "the node ends before its boundary");
        result->whole = false;
    }
}

// The audited nodes at `places`, or those below them, that have this level; of a lower level if there is none
// so high. What cannot be read is left out.
std::vector<AuditedNode> TreeAudit::ReadAudited(std::vector<AuditedPlace> places, int level) {
    std::vector<AuditedNode> nodes;
    do {
        nodes.clear();
        for (AuditedPlace& place : places) {
            if (NodeRef node = chunks_->TryReadNode(place.address)) {
                const bool whole = !not_whole_.contains(place.address);
                nodes.push_back({std::move(place), std::move(node), whole});
            }
        }
        places.clear();
        if (!nodes.empty() && nodes.front().node->level() > level) {
            for (AuditedChildren child(nodes); !child.at_end(); child.Advance()) {
                places.push_back(child.place());
            }
        }
    } while (!places.empty());
    std::erase_if(nodes,
                  [&](const AuditedNode& node) { return node.node->level() != nodes.front().node->level(); });
    return nodes;
}

// Whether all keys of a subtree are greater than `key_before`; true also if damage hides its first key.
bool TreeAudit::StartsAfter(const Hash& address, const std::string& key_before) {
    Hash at = address;
    for (;;) {
        if (const Subtree* known = memory_.Find(at)) {
            if (const std::optional<bool> after = known->StartsAfter(key_before)) {
                return *after;
            }
        }
        const NodeRef node = chunks_->TryReadNode(at);
        if (node == nullptr || node->count() == 0) {
            return true;
        }
        if (node->is_leaf()) {
            return node->CompareKey(0, key_before) > 0;
        }
        at = node->ChildHash(0);
    }
}

// Of a subtree that is whole. `may_read`: it is a leaf.
std::optional<uint64_t> TreeAudit::ChildFingerprint(const Hash& address, bool may_read) {
    if (const Subtree* known = memory_.Find(address); known != nullptr && known->fingerprint) {
        return known->fingerprint;
    }
    const NodeRef leaf = may_read ? chunks_->TryReadNode(address) : nullptr;
    if (leaf == nullptr) {
        return std::nullopt;
    }
    uint64_t fingerprint = 0;
    visit_(address, *leaf, &fingerprint);
    return fingerprint;
}

void TreeAudit::Report(const char* type, const Hash& address, const std::string& problem) {
    std::string keys;
    if (last_key_ != nullptr) {
        keys = "keys ";
        if (key_before_ != nullptr) {
            keys += "after " + Quoted(*key_before_) + " ";
        }
        keys += "up to " + Quoted(*last_key_);
    }
    report_(type, address, problem, keys);
}

// Whether a child is what its parent says of it.
bool TreeAudit::FitsParent(const Hash& address, const Subtree& child, const Node& parent, size_t i,
                           const std::string& last_key, const std::string& key_before) {
    bool fits = true;
    const auto refuse = [&](const char* type, const char* problem) {
        Report(type, address, problem);
        fits = false;
    };
    if (child.level != parent.level() - 1) {
        refuse(kCorrupt, "its level does not fit its parent's");
    }
    if (child.entries != parent.ChildEntries(i)) {
        refuse(kWrongCount, "its number of entries is not the one that its parent holds");
    }
    if (child.last_key != last_key) {
        refuse(kCorrupt, "its last key is not the one that its parent holds");
    }
    const std::optional<bool> known_after = child.StartsAfter(key_before);
    if (i > 0 && !(known_after ? *known_after : StartsAfter(address, key_before))) {
        refuse(kCorrupt, "its keys do not come after those of the node before it");
    }
    return fits;
}

}  // namespace kvs::pg
