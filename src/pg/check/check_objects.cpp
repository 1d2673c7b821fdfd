#include "pg/check/check_objects.h"

#include "kvs/tree/chunk.h"
#include "kvs/tree/diff.h"
#include "kvs/tree/tree.h"
#include "kvs/util/quote.h"
#include "pg/check/fingerprint.h"
#include "pg/chunk/pack_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

constexpr size_t kMaxStates = 50000;  // that are remembered to be in order, twice

// Of maintenance_work_mem, which the three audits share.
size_t AuditMemory(size_t percent) {
    return static_cast<size_t>(maintenance_work_mem) * 1024 / 100 * percent;
}

// Keys of one kind of disagreement: how many, and one of them.
struct Disagreement {
    uint64_t keys = 0;
    std::string first;

    void Add(std::string_view key) {
        if (keys++ == 0) {
            first = key;
        }
    }
};

// Whether this may be the payload of a JSON value: jsonb begins with a word that says what kind of container
// it is and how many children it has, and an entry per child.
bool LooksLikeJsonb(std::string_view payload) {
    uint32 header;
    if (payload.size() < sizeof(header)) {
        return false;
    }
    memcpy(&header, payload.data(), sizeof(header));
    const uint32 kind = header & ~static_cast<uint32>(JB_CMASK);
    if (kind != JB_FOBJECT && kind != JB_FARRAY && kind != (JB_FARRAY | JB_FSCALAR)) {
        return false;
    }
    const size_t children = size_t{header & JB_CMASK} * (kind == JB_FOBJECT ? 2 : 1);
    return children <= (payload.size() - sizeof(header)) / sizeof(JEntry);
}

bool IsLiving(std::string_view meta) {
    return !DecodeMetadataHeader(meta).OrThrow().deleted();
}

// Whether a side of a change of metadata is that of a living entry.
bool IsLiving(const std::optional<std::string_view>& meta) {
    return meta && IsLiving(*meta);
}

}  // namespace

ObjectCheck::ObjectCheck(Snapshot snapshot, ChangeClaims* claims, const FindingSink& sink)
    : sink_(sink),
      claims_(claims),
      snapshot_(snapshot),
      stored_(snapshot),
      chunks_(snapshot),
      data_(
          &stored_, AuditMemory(45),
          [this](const Hash& address, const Node& node, uint64_t* fingerprint) {
              return VisitData(address, node, fingerprint);
          },
          [this](const char* type, const Hash& address, const std::string& problem, const std::string& keys) {
              ReportNode(type, address, problem, keys);
          }),
      metadata_(
          &stored_, AuditMemory(45),
          [this](const Hash& address, const Node& node, uint64_t* fingerprint) {
              return VisitMetadata(address, node, fingerprint);
          },
          [this](const char* type, const Hash& address, const std::string& problem, const std::string& keys) {
              ReportNode(type, address, problem, keys);
          }),
      other_(
          &stored_, AuditMemory(10),
          [this](const Hash& address, const Node&, uint64_t*) {
              met_.AddNode(address);
              return std::string();
          },
          [this](const char* type, const Hash& address, const std::string& problem, const std::string& keys) {
              ReportNode(type, address, problem, keys);
          }) {}

// A chunk that is missing is told once, whoever refers to it.
void ObjectCheck::Report(const char* type, const Hash& address, const std::string& problem,
                         const std::string& keys) {
    if (strcmp(type, "missing_object") == 0 && !missing_.insert(address).second) {
        return;
    }
    sink_(
        {"error", type, address.ToHex(), problem + " (" + keys + (keys.empty() ? "" : ", ") + where_ + ")"});
}

void ObjectCheck::ReportNode(const char* type, const Hash& address, const std::string& problem,
                             const std::string& keys) {
    met_.AddNode(address);
    all_reached_ = false;
    Report(type, address, problem, keys);
}

namespace {

// What a living key adds to the fingerprint of a tree that has it; so the data and the metadata of a state
// that have the same keys, and agree on which of them expire, have the same fingerprint, and others have not.
uint64_t LivingKeyFingerprint(uint64_t key_fingerprint, bool expires) {
    return expires ? std::rotl(key_fingerprint, 1) : key_fingerprint;
}

}  // namespace

std::string ObjectCheck::VisitData(const Hash& address, const Node& node, uint64_t* fingerprint) {
    met_.AddNode(address);
    std::string key;
    for (size_t i = 0; node.is_leaf() && i < node.count(); i++) {
        const Result<DataItem> item = DecodeDataItem(node.Value(i));
        if (!item.ok()) {
            return "value of key " + Quoted(node.Key(i, &key)) + ": " + item.error().what();
        }
        *fingerprint +=
            LivingKeyFingerprint(KeyFingerprint(node.Key(i, &key)), item.value().expires_at.has_value());
        if (item.value().blob) {
            met_.AddBlob(item.value().blob->address, item.value().blob->size, node.Key(i, &key));
        } else if (item.value().type == ValueType::kJson && !LooksLikeJsonb(item.value().payload)) {
            return "value of key " + Quoted(node.Key(i, &key)) + " is not a document";
        }
    }
    return {};
}

std::string ObjectCheck::VisitMetadata(const Hash& address, const Node& node, uint64_t* fingerprint) {
    met_.AddNode(address);
    std::string key;
    for (size_t i = 0; node.is_leaf() && i < node.count(); i++) {
        const Result<Metadata> metadata = DecodeMetadata(node.Value(i));
        if (!metadata.ok()) {
            return "metadata of key " + Quoted(node.Key(i, &key)) + ": " + metadata.error().what();
        }
        node.Key(i, &key);
        const uint64_t key_fingerprint = KeyFingerprint(key);
        claims_->AddItem(key, key_fingerprint, node.Value(i), metadata.value().version,
                         metadata.value().change);
        if (!metadata.value().deleted) {
            *fingerprint += LivingKeyFingerprint(key_fingerprint, metadata.value().expires);
        }
    }
    return {};
}

bool ObjectCheck::CheckTree(TreeAudit* audit, const char* kind, const Hash& root, const std::string& where,
                            const Hash* audited) {
    where_ = std::string(kind) + " of " + where;
    const bool whole = audit->Check(root, audited);
    if (!whole) {
        bad_.insert(root);
    }
    return whole;
}

bool ObjectCheck::CheckDataTree(const Hash& root, const std::string& where, const TreePair* base) {
    return CheckTree(&data_, "data tree", root, where, base != nullptr ? &base->data_root : nullptr);
}

bool ObjectCheck::CheckOtherTree(const Hash& root, const std::string& where) {
    return CheckTree(&other_, "tree", root, where, nullptr);
}

bool ObjectCheck::CheckState(const TreePair& roots, const std::string& where, const TreePair* base) {
    if (IsInOrder(roots)) {
        return true;
    }
    if (base == nullptr && last_in_order_) {
        base = &*last_in_order_;
    }
    const bool data_whole = CheckDataTree(roots.data_root, where, base);
    const bool meta_whole = CheckTree(&metadata_, "metadata tree", roots.meta_root, where,
                                      base != nullptr ? &base->meta_root : nullptr);
    if (!data_whole || !meta_whole) {
        return false;
    }
    if (!FingerprintsAgree(roots)) {
        const TreePair nothing{kEmptyRoot, kEmptyRoot};
        if (base == nullptr || !IsInOrder(*base)) {
            base = last_in_order_ ? &*last_in_order_ : &nothing;
        }
        if (!CheckAgreement(*base, roots, where)) {
            disagreeing_.emplace(roots.data_root, roots.meta_root);
            return false;
        }
    }
    NoteInOrder(roots);
    return true;
}

bool ObjectCheck::IsInOrder(const TreePair& roots) const {
    if (roots.data_root == kEmptyRoot && roots.meta_root == kEmptyRoot) {
        return true;
    }
    for (const auto* states : {&in_order_, &in_order_before_}) {
        const auto known = states->find(roots.meta_root);
        if (known != states->end() && known->second == roots.data_root) {
            return true;
        }
    }
    return false;
}

void ObjectCheck::NoteInOrder(const TreePair& roots) {
    last_in_order_ = roots;
    if (in_order_.size() >= kMaxStates) {
        in_order_before_ = std::move(in_order_);
        in_order_.clear();
    }
    in_order_.insert_or_assign(roots.meta_root, roots.data_root);
}

// Whether the trees, which were found whole just now, are known to have the same keys.
bool ObjectCheck::FingerprintsAgree(const TreePair& roots) {
    const std::optional<uint64_t> data = data_.Fingerprint(roots.data_root);
    return data && data == metadata_.Fingerprint(roots.meta_root);
}

// The two differences to a state in order are walked together: whatever they leave out is as it was there.
bool ObjectCheck::CheckAgreement(const TreePair& base, const TreePair& roots, const std::string& where) {
    DiffCursor data(chunks_, base.data_root, roots.data_root);
    DiffCursor metadata(chunks_, base.meta_root, roots.meta_root);
    std::optional<TreeChange> value = data.Next();
    std::optional<TreeChange> meta = metadata.Next();
    Disagreement without_metadata;
    Disagreement without_value;
    while (value || meta) {
        const bool has_value_change = value && (!meta || value->key <= meta->key);
        const bool has_meta_change = meta && (!value || meta->key <= value->key);
        const std::string_view key = has_value_change ? value->key : meta->key;
        bool present;
        bool living;
        if (has_value_change && has_meta_change) {
            present = value->to.has_value();
            living = IsLiving(meta->to);
        } else if (has_value_change) {
            present = value->to.has_value();
            living = value->from.has_value();
        } else {
            present = IsLiving(meta->from);
            living = IsLiving(meta->to);
        }
        if (present && !living) {
            without_metadata.Add(key);
        } else if (!present && living) {
            without_value.Add(key);
        }
        if (has_value_change) {
            value = data.Next();
        }
        if (has_meta_change) {
            meta = metadata.Next();
        }
    }
    const auto report = [&](const Disagreement& found, const char* problem, const Hash& root) {
        if (found.keys > 0) {
            sink_({"error", "wrong_count", root.ToHex(),
                   std::to_string(found.keys) + " keys have " + problem + ", one is " + Quoted(found.first) +
                       " (" + where + ")"});
        }
    };
    report(without_metadata, "a value and no living metadata", roots.data_root);
    report(without_value, "living metadata and no value", roots.meta_root);
    return without_metadata.keys == 0 && without_value.keys == 0;
}

bool ObjectCheck::FindMetadata(const Hash& meta_root, std::string_view key, MetadataHeader* header) {
    if (bad_.contains(meta_root)) {
        return false;
    }
    const std::optional<FoundValue> found = Tree(chunks_, meta_root).Get(key);
    *header = found ? DecodeMetadataHeader(found->value).OrThrow() : MetadataHeader{};
    return true;
}

void ObjectCheck::ForEachMetadataChange(const TreePair& from, const TreePair& to,
                                        const std::function<void(const TreeChange& change)>& visit) {
    if (bad_.contains(from.meta_root) || bad_.contains(to.meta_root)) {
        return;
    }
    DiffCursor metadata(chunks_, from.meta_root, to.meta_root);
    while (const std::optional<TreeChange> change = metadata.Next()) {
        visit(*change);
    }
}

// A chunk that values refer to: met_ stands on the first of the references.
void ObjectCheck::CheckBlob(const Hash& address, const StoredChunk& chunk) {
    where_ = "value of key " + Quoted(met_.key());
    if (chunk.state == StoredChunk::State::kMissing) {
        Report("missing_object", address, "the blob is missing");
        return;
    }
    if (chunk.state == StoredChunk::State::kDamaged) {
        Report("corrupt_object", address, chunk.problem);
        return;
    }
    const Result<std::string_view> payload = DecodeBlob(chunk.raw);
    if (!payload.ok()) {
        Report("corrupt_object", address, payload.error().what());
    } else if (static_cast<int64>(payload.value().size()) != met_.blob_size()) {
        Report("wrong_count", address,
               "the blob has " + std::to_string(payload.value().size()) + " bytes, not " +
                   std::to_string(met_.blob_size()));
    }
}

void ObjectCheck::CheckUnreferenced(const Hash& address, const StoredChunk& chunk) {
    if (chunk.state == StoredChunk::State::kDamaged) {
        sink_({"error", "corrupt_object", address.ToHex(), chunk.problem + " (nothing refers to it)",
               all_reached_});
    } else if (all_reached_) {
        sink_({"info", "orphaned_object", address.ToHex(), "nothing refers to the chunk"});
    }
}

// A chunk of a pack that nothing refers to.
void ObjectCheck::CheckUnreferencedMember(const Hash& address, int64 pack) {
    if (all_reached_) {
        sink_({"info", "orphaned_object", address.ToHex(),
               "nothing refers to the chunk in pack " + std::to_string(pack)});
    }
}

void ObjectCheck::ReportPack(const PackFault& fault, bool is_met) {
    std::string detail = fault.problem;
    if (fault.member >= 0) {
        detail = "member " + std::to_string(fault.member) + ": " + detail;
    }
    sink_({"error", "corrupt_object", "pack " + std::to_string(fault.pack), detail, all_reached_ && !is_met});
}

void ObjectCheck::Finish() {
    met_.Sort();
    PackCheck packs(snapshot_);
    StoredChunkScan scan(snapshot_);
    bool more_stored = scan.Next();
    bool more_met = met_.Next();
    bool more_packed = packs.Next();
    while (more_stored || more_met || more_packed) {
        std::string_view address;
        if (more_stored) {
            address = scan.address();
        }
        if (more_packed && (!more_stored || packs.address() < address)) {
            address = packs.address();
        }
        if (more_met && ((!more_stored && !more_packed) || met_.address() < address)) {
            address = met_.address();
        }
        const bool is_stored = more_stored && scan.address() == address;
        const bool is_met = more_met && met_.address() == address;
        if (address.size() != Hash::kSize) {
            const std::string shown = Quoted(address);
            sink_({"error", "corrupt_object", shown, "the address has not 32 bytes"});
            more_stored = scan.Next();
            continue;
        }
        const Hash hash = Hash::FromBytes(address);
        // What cannot be unpacked stands where the first chunk that it may be would.
        for (; more_packed && packs.address() == hash.AsBytes() && packs.fault() != nullptr;
             more_packed = packs.Next()) {
            ReportPack(*packs.fault(), more_met && met_.address().substr(0, kPackPrefixSize) ==
                                                       hash.AsBytes().substr(0, kPackPrefixSize));
        }
        std::optional<StoredChunk> chunk;
        if (is_stored && (!is_met || met_.is_blob())) {
            chunk = stored_.Verify(hash, scan.frame());
        }
        if (!is_met && is_stored) {
            CheckUnreferenced(hash, *chunk);
        }
        for (; more_packed && packs.address() == hash.AsBytes(); more_packed = packs.Next()) {
            if (!is_met && !is_stored) {
                CheckUnreferencedMember(hash, packs.pack());
            }
        }
        // References to one chunk stand behind one another; a problem is told once.
        bool checked = false;
        while (more_met && met_.address() == hash.AsBytes()) {
            if (!checked && met_.is_blob()) {
                CheckBlob(hash, chunk ? *chunk : stored_.Read(hash));
                checked = true;
            }
            more_met = met_.Next();
        }
        if (is_stored) {
            more_stored = scan.Next();
        }
    }
    packs.Finish();
    scan.Finish();
    met_.Finish();
    stored_.Finish();
}

}  // namespace kvs::pg
