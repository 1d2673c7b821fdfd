#include "pg/check/change_claims.h"

#include <bit>
#include <optional>
#include <utility>

#include "kvs/util/quote.h"
#include "pg/check/check_objects.h"
#include "pg/check/fingerprint.h"
#include "pg/check/key_text.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"

namespace kvs::pg {

namespace {

// Sorted by number; the row of the log comes before what trees say of it, and that by key. The key of a range
// record are the roots that it names, one behind the other, or nothing if it is damaged.
enum Column { kSeq = 1, kKind, kKey, kVersion, kFingerprint };
enum Kind : int64 { kChange, kRange, kItem };

// The filter is made of buckets of the size of a cache line. Of maintenance_work_mem it takes an eighth, the
// sort a half.
constexpr size_t kBucket = 8;

size_t FilterBuckets() {
    const size_t bytes = static_cast<size_t>(maintenance_work_mem) * 1024 / 8;
    return std::bit_floor(std::max<size_t>(bytes / (kBucket * sizeof(uint64_t)), 128));
}

// Whether all commits were made here: only then a change that is not in the log is known to be missing.
bool AllMadeHere() {
    OwnerQuery row("SELECT FROM _kvs.commit WHERE consumed_snapshot IS NULL LIMIT 1");
    const bool any_from_elsewhere = row.Next();
    row.Finish();
    return !any_from_elsewhere;
}

}  // namespace

ChangeClaims::ChangeClaims(const LogEpochs* epochs)
    : epochs_(epochs),
      rows_({{"seq", INT8OID},
             {"kind", INT8OID},
             {"key", BYTEAOID},
             {"version", INT8OID},
             {"fingerprint", INT8OID}},
            {kSeq, kKind, kKey, kFingerprint}, maintenance_work_mem / 2),
      filter_(FilterBuckets() * kBucket) {}

void ChangeClaims::AddChange(int64 seq, std::string_view key, int64 version, std::string_view meta) {
    rows_.Add([&](Datum* values) {
        values[kSeq - 1] = Int64GetDatum(seq);
        values[kKind - 1] = Int64GetDatum(kChange);
        values[kKey - 1] = MakeVarlena(key);
        values[kVersion - 1] = Int64GetDatum(version);
        values[kFingerprint - 1] = Int64GetDatum(static_cast<int64>(MetadataFingerprint(meta)));
    });
}

void ChangeClaims::AddRange(int64 seq, const TreePair& from, const TreePair& to) {
    std::string roots;
    for (const Hash& root : {from.data_root, from.meta_root, to.data_root, to.meta_root}) {
        roots += root.AsBytes();
    }
    AddRoots(seq, roots);
}

void ChangeClaims::AddDamagedRange(int64 seq) {
    AddRoots(seq, {});
}

void ChangeClaims::AddRoots(int64 seq, std::string_view roots) {
    rows_.Add([&](Datum* values) {
        values[kSeq - 1] = Int64GetDatum(seq);
        values[kKind - 1] = Int64GetDatum(kRange);
        values[kKey - 1] = MakeVarlena(roots);
        values[kVersion - 1] = values[kFingerprint - 1] = Int64GetDatum(0);
    });
}

// Whether the filter knows the item; from now on it does.
bool ChangeClaims::IsKnown(uint64_t item) {
    uint64_t* bucket = &filter_[(item & (filter_.size() / kBucket - 1)) * kBucket];
    for (size_t i = 0; i < kBucket; i++) {
        if (bucket[i] == item) {
            return true;
        }
        if (bucket[i] == 0) {
            bucket[i] = item;
            return false;
        }
    }
    bucket[item >> 61] = item;
    return false;
}

void ChangeClaims::AddItem(std::string_view key, uint64_t key_fingerprint, std::string_view meta,
                           uint64_t version, const ChangeId& change) {
    const uint64_t fingerprint = MetadataFingerprint(meta);
    if (IsKnown(fingerprint ^ std::rotl(key_fingerprint, 1)) || !epochs_->Own(change)) {
        return;
    }
    rows_.Add([&](Datum* values) {
        values[kSeq - 1] = Int64GetDatum(static_cast<int64>(change.seq));
        values[kKind - 1] = Int64GetDatum(kItem);
        values[kKey - 1] = MakeVarlena(key);
        values[kVersion - 1] = Int64GetDatum(static_cast<int64>(version));
        values[kFingerprint - 1] = Int64GetDatum(static_cast<int64>(fingerprint));
    });
}

// The pass over the sorted rows: what is known of the number at hand, and what was found of it.
class ChangeClaims::Comparison {
  public:
    Comparison(RowSort* rows, ObjectCheck* objects, int64 low_seq, const FindingSink& sink)
        : rows_(*rows),
          objects_(objects),
          sink_(sink),
          // Below the mark a change may have been removed.
          required_from_(AllMadeHere() ? low_seq : PG_INT64_MAX) {}

    void Run() {
        while (rows_.Next()) {
            if (rows_.Int8(kSeq) != seq_) {
                Tell();
                seq_ = rows_.Int8(kSeq);
                is_logged_ = false;
                range_changes_.reset();
                range_change_.reset();
            }
            switch (rows_.Int8(kKind)) {
                case kChange:
                    is_logged_ = true;
                    key_ = rows_.Bytes(kKey);
                    version_ = rows_.Int8(kVersion);
                    fingerprint_ = rows_.Int8(kFingerprint);
                    break;
                case kRange:
                    is_logged_ = true;
                    OpenRange(rows_.Bytes(kKey));
                    break;
                default:
                    CheckItem();
            }
        }
        Tell();
    }

  private:
    // The metadata that the range record changed, to be read beside the items, in the order of keys. Where
    // the record or its states are damaged, which was told, nothing is compared.
    void OpenRange(std::string_view roots) {
        key_.clear();
        is_readable_ = false;
        if (roots.empty()) {
            return;
        }
        const Hash from = Hash::FromBytes(roots.substr(Hash::kSize, Hash::kSize));
        const Hash to = Hash::FromBytes(roots.substr(3 * Hash::kSize, Hash::kSize));
        is_readable_ = objects_->IsWhole(from) && objects_->IsWhole(to);
        if (is_readable_) {
            range_changes_.emplace(objects_->chunks(), from, to);
        }
    }

    void CheckItem() {
        if (!is_logged_) {
            if (seq_ >= required_from_) {
                Found("which does not exist");
            }
        } else if (!key_.empty()) {
            if (rows_.Bytes(kKey) != key_) {
                Found("which is of key " + Quoted(key_));
            } else if (rows_.Int8(kVersion) != version_) {
                Found("which made version " + std::to_string(version_));
            } else if (rows_.Int8(kFingerprint) != fingerprint_) {
                Found("which left other metadata");
            }
        } else if (is_readable_ && !IsOfRange()) {
            Found("a range record that did not make it");
        }
    }

    bool IsOfRange() {
        const std::string_view key = rows_.Bytes(kKey);
        while (range_changes_ && (!range_change_ || range_change_->key < key)) {
            range_change_ = range_changes_->Next();
            if (!range_change_) {
                range_changes_.reset();
            }
        }
        return range_change_ && range_change_->key == key && range_change_->to &&
               static_cast<int64>(MetadataFingerprint(*range_change_->to)) == rows_.Int8(kFingerprint);
    }

    // A change that is gone may have left thousands of items: one of them is told.
    void Found(const std::string& problem) {
        if (found_++ == 0) {
            first_ = {"error", "broken_history", KeyText(rows_.Bytes(kKey)),
                      "a tree has version " + std::to_string(rows_.Int8(kVersion)) + ", made by change " +
                          std::to_string(seq_) + ", " + problem};
        }
    }

    void Tell() {
        if (found_ > 1) {
            first_.detail += " (and " + std::to_string(found_ - 1) + " more)";
        }
        if (found_ > 0) {
            sink_(first_);
        }
        found_ = 0;
    }

    RowSort& rows_;
    ObjectCheck* objects_;
    const FindingSink& sink_;
    const int64 required_from_;
    int64 seq_ = 0;
    bool is_logged_ = false;
    std::string key_;  // empty: a range record
    int64 version_ = 0;
    int64 fingerprint_ = 0;
    bool is_readable_ = false;
    std::optional<DiffCursor> range_changes_;
    std::optional<TreeChange> range_change_;
    uint64_t found_ = 0;
    Finding first_;
};

void ChangeClaims::Compare(ObjectCheck* objects, int64 low_seq, const FindingSink& sink) {
    rows_.Sort();
    Comparison(&rows_, objects, low_seq, sink).Run();
    rows_.Finish();
}

}  // namespace kvs::pg
