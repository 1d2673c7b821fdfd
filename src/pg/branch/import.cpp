#include "pg/branch/import.h"
#include "kvs/version/same_contents.h"

#include <string>

#include "kvs/codec/item.h"
#include "kvs/entry.h"
#include "kvs/entry/write_decision.h"
#include "kvs/error.h"
#include "kvs/tree/cursor.h"
#include "kvs/tree/editor.h"
#include "pg/branch/branch_rewrite.h"
#include "pg/branch/import_sorter.h"
#include "pg/chunk/tree_item.h"
#include "pg/table/commit_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"
#include "pg/write/flush.h"
#include "pg/write/writer.h"

namespace kvs::pg {

namespace {

// Both trees with the sorted entries put into them.
class ImportBuild {
  public:
    ImportBuild(ImportSorter* sorter, const TreePair& base, ChunkStore* chunks, const ChangeId& change)
        : sorter_(sorter), base_(base), chunks_(chunks), change_(change) {
        request_.options.modified_by = AuthorName({});
        request_.options.origin = SessionOrigin();
    }

    TreePair Run() {
        TreeEditor data(*chunks_, base_.data_root);
        TreeEditor meta(*chunks_, base_.meta_root);
        Cursor old_meta(*chunks_, base_.meta_root);
        Cursor old_data(*chunks_, base_.data_root);
        const Timestamp now = FromServerTime(GetCurrentTimestamp());
        bool more = old_meta.SeekFirst();
        std::string item_bytes;
        std::string meta_bytes;
        for (sorter_->Rewind(); sorter_->Next();) {
            const std::string_view key = sorter_->key();
            if (more && old_meta.CompareKey(key) < 0) {
                more = old_meta.Seek(key);
            }
            std::optional<Metadata> old;
            std::optional<Timestamp> expires_at;
            if (more && old_meta.CompareKey(key) == 0) {
                old = DecodeMetadata(old_meta.value()).OrThrow();
                if (!old->deleted && old_data.Seek(key) && old_data.CompareKey(key) == 0) {
                    expires_at = DecodeDataItem(old_data.value()).OrThrow().expires_at;
                }
            }
            WriteDecision decision =
                DecideWrite(key, Previous(old ? &*old : nullptr, expires_at, now), request_);
            decision.metadata.change = change_;
            DataItem item;
            item.payload = sorter_->payload();
            item_bytes = EncodeDataItem(item);
            meta_bytes = EncodeMetadata(decision.metadata);
            data.Put(key, NeedsBlob(item) ? ToTreeItem(item_bytes, chunks_) : item_bytes);
            meta.Put(key, meta_bytes);
        }
        return {data.Finish(), meta.Finish()};
    }

  private:
    ImportSorter* sorter_;
    TreePair base_;
    ChunkStore* chunks_;
    ChangeId change_;
    WriteRequest request_{.operation = Operation::kImport};
};

// A few entries are written as ordinary changes of their keys.
void ImportAsChanges(ImportSorter* sorter, std::string_view branch) {
    WriteRequest request{.operation = Operation::kImport};
    request.options.modified_by = AuthorName({});
    request.options.origin = SessionOrigin();
    Writer writer(branch);
    for (sorter->Rewind(); sorter->Next();) {
        DataItem item;
        item.payload = sorter->payload();
        const Datum key = Guarded([&] { return MakeVarlena(sorter->key()); });
        writer.Update(key, request, [&](const CurrentEntry&) { return item; });
    }
    writer.Finish();
}

// Many go straight into the trees, and into the log as one range record. Whether a commit was made.
bool ImportAsRange(ImportSorter* sorter, std::string_view branch_name,
                   std::optional<std::string_view> message) {
    const RewritePlan done =
        RewriteBranch(branch_name, [&](const Branch& branch, ChunkStore* chunks, Snapshot snapshot) {
            RewritePlan plan;
            plan.applies = true;
            plan.operation = Operation::kImport;
            plan.onto = branch.head;
            plan.numbers = ChangeNumbers(true);
            FrameWorker worker;
            chunks->CompressThoroughly(&worker);
            plan.working = ImportBuild(sorter, branch.working, chunks, plan.numbers->Next()).Run();
            chunks->CompressThoroughly(nullptr);
            worker.Finish();
            if (message && !SameContents(*chunks, RootsOf(branch.head, snapshot), plan.working)) {
                plan.commits.push_back({plan.working, {}, AuthorName({}), std::string(*message)});
                plan.reflog_operation = "commit";
            }
            return plan;
        });
    return !done.made.empty();
}

}  // namespace

ImportReport ImportQuery(std::string_view query, std::string_view branch_name,
                         std::optional<std::string_view> message) {
    const Branch found = FindBranch(branch_name, Guarded([] { return GetActiveSnapshot(); }));
    ImportSorter sorter;
    ImportReport report = {sorter.Load(query), false};
    if (report.rows > settings.bulk_log_threshold) {
        report.committed = ImportAsRange(&sorter, found.name, message);
    } else {
        ImportAsChanges(&sorter, branch_name);
        report.committed = message && CommitBranch(branch_name, *message, {});
    }
    sorter.Finish();
    return report;
}

}  // namespace kvs::pg
