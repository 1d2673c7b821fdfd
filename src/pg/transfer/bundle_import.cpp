#include "pg/transfer/bundle_import.h"

#include <string>
#include <vector>

#include "kvs/error.h"
#include "kvs/version/bundle.h"
#include "kvs/version/ref.h"
#include "pg/read/commit_range.h"
#include "pg/table/remote_table.h"
#include "pg/transfer/object_intake.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/server_hasher.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

// Takes the records of a bundle in their order.
class BundleImport {
  public:
    explicit BundleImport(Snapshot snapshot) : intake_(snapshot) {}

    void Take(const BundleRecord& record) {
        switch (record.kind) {
            case BundleRecord::Kind::kPrerequisite:
                RequireWhole(record.hash);
                break;
            case BundleRecord::Kind::kChunk:
                TakeWindow();
                intake_.AddChunk(record.bytes);
                break;
            case BundleRecord::Kind::kCommit:
                window_.push_back(ObjectIntake::Decode(record.bytes));
                if (window_.size() == kCommitWindow) {
                    TakeWindow();
                }
                break;
            case BundleRecord::Kind::kHead:
                TakeWindow();
                intake_.Flush();
                RequireWhole(record.hash);
                head_ = record.hash;
                name_ = record.bytes;
                break;
        }
    }

    const Hash& head() const { return head_; }
    const std::string& name() const { return name_; }

  private:
    void RequireWhole(const Hash& commit) {
        if (!intake_.IsWhole(commit)) {
            throw Error(ErrorCode::kWrongState, "commit " + commit.ToHex() + " is missing",
                        "The bundle builds on it: import the one that has it first, or fetch it.");
        }
    }

    void TakeWindow() {
        if (!window_.empty()) {
            intake_.AddCommits(window_);
            window_.clear();
        }
    }

    ObjectIntake intake_;
    std::vector<NamedCommit> window_;
    Hash head_;
    std::string name_;
};

// Whether a name from outside can stand behind "bundle/".
void RequireRefName(const std::string& name) {
    const bool is_hash = Hash::FromHex(name).has_value();
    if (!is_hash && !ValidateRefName(name).ok()) {
        throw Error(ErrorCode::kCorruption, "the name that the bundle gives to its head is malformed");
    }
}

}  // namespace

Hash ImportBundle(const DatumArray& parts) {
    ActiveSnapshot latest(RegisterLatestSnapshot());
    ServerHasher hasher;
    BundleReader reader(hasher);
    BundleImport import(latest.get());
    for (int i = 0; i < parts.count; i++) {
        struct varlena* part = Guarded([&] { return PG_DETOAST_DATUM_PACKED(parts.elements[i]); });
        reader.ReadPart(Contents(part), [&](const BundleRecord& record) { import.Take(record); }).OrThrow();
        if (PointerGetDatum(part) != parts.elements[i]) {
            pfree(part);
        }
    }
    if (!reader.IsComplete()) {
        throw Error(ErrorCode::kWrongState, "the bundle is not complete",
                    "Pass all parts of one bundle in the order in which they were exported.");
    }
    RequireRefName(import.name());
    SetRemoteRef(kBundleRemote, import.name(), import.head());
    latest.Release();
    return import.head();
}

}  // namespace kvs::pg
