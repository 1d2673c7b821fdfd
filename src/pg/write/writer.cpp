#include "pg/write/writer.h"

#include <string>

#include "kvs/codec/key.h"
#include "kvs/error.h"
#include "kvs/tree/tree.h"
#include "kvs/util/quote.h"
#include "pg/read/read_view.h"
#include "pg/table/commit_table.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"
#include "pg/write/auto_flush.h"

namespace kvs::pg {

namespace {

[[noreturn]] void ThrowConcurrentUpdate(std::string_view key) {
    throw CouldNotSerialize("concurrent update of key " + Quoted(key));
}

}  // namespace

// One try: everything read in it is of one snapshot.
struct Writer::Pass {
    explicit Pass(Snapshot registered) : snapshot(registered), chunks(registered) {}

    Snapshot snapshot;
    ChunkStore chunks;
    bool has_row = false;
    WorkingRow row{};
    Branch branch{};  // read unless has_row
    FoundBytes meta;  // of the tree
    FoundBytes item;
    bool written_before = false;
    Metadata old;

    int64 seq = 0;
    int64 version = 0;
    Datum new_meta = 0;
    Datum new_item = 0;
};

Writer::Writer(std::string_view branch) {
    branch_id_ = LockBranchByName(branch, RowExclusiveLock);
    Guarded([&] {
        NoteWrite();
        transaction_snapshot_ = IsolationUsesXactSnapshot();
        log_ = CurrentLog();
        working_ = OpenWorkingForWrite();
        change_ = OpenChangeLogForWrite();
        context_ = AllocSetContextCreate(CurrentMemoryContext, "kvs write", ALLOCSET_DEFAULT_SIZES);
    });
}

void Writer::Finish() {
    Guarded([&] {
        Close(&change_);
        Close(&working_);
        MemoryContextDelete(context_);
    });
    FlushIfPiledUp(branch_id_);
}

void Writer::ReadRow(Datum key, Pass* pass) {
    Guarded([&] {
        pass->has_row =
            FindWorking(&working_, pass->snapshot, branch_id_, key, kWorkingItem | kWorkingMeta, &pass->row);
        if (!pass->has_row) {
            RequireBranch(branch_id_, pass->snapshot, &pass->branch);
        }
    });
    if (pass->has_row) {
        pass->meta.bytes = Contents(pass->row.meta);
        if (pass->row.item != nullptr) {
            pass->item.bytes = Contents(pass->row.item);
        }
    }
}

void Writer::ReadTrees(std::string_view key, Pass* pass) {
    const TreePair& roots = pass->branch.working;
    if (std::optional<FoundValue> meta = Tree(pass->chunks, roots.meta_root).Get(key)) {
        pass->meta = {meta->value, std::move(meta->leaf)};
        if (std::optional<FoundValue> item = Tree(pass->chunks, roots.data_root).Get(key)) {
            pass->item = {item->value, std::move(item->leaf)};
        }
    }
}

// The put protocol. Step 1, the branch's writer lock, is the constructor's. Steps 2 to 7 are one pass, and
// passes are made until nobody was faster.
//
// Invariant: whoever has got past step 3 or 6 holds its key until its transaction ends, by the row that it
// has changed or by its entry in the unique index, and has decided upon the key's newest state. So the
// versions of a key are made one after the other, none twice and none left out.
Written Writer::Update(Datum key, const WriteRequest& request, const ValueFunction& value) {
    const std::string_view key_bytes = Contents(DatumGetPointer(key));
    if (request.operation != Operation::kDelete && request.operation != Operation::kRestore) {
        RefuseReservedKey(key_bytes).OrThrow();
    }
    for (;;) {
        // 2. All reads of the pass are under one snapshot S: the newest, or at the stricter levels the
        //    transaction's. The trees are read only if there is no working row, which would hide their entry.
        MemoryContext caller = CurrentMemoryContext;
        Pass pass(Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            MemoryContextReset(context_);
            MemoryContextSwitchTo(context_);
            return RegisterOperationSnapshot();
        }));
        ReadRow(key, &pass);
        if (!pass.has_row) {
            ReadTrees(key_bytes, &pass);
        }
        DataItem item;
        if (!pass.meta.bytes.empty()) {
            pass.old = DecodeMetadata(pass.meta.bytes).OrThrow();
            pass.written_before = true;
            if (!pass.item.bytes.empty()) {
                item = DecodeDataItem(pass.item.bytes).OrThrow();
            }
        }
        // The decision belongs to the pass: another pass has another previous version, and compares
        // expected_version with that one.
        const Previous previous(pass.written_before ? &pass.old : nullptr, item.expires_at,
                                FromServerTime(GetCurrentTimestamp()));
        WriteDecision decision = DecideWrite(key_bytes, previous, request);
        std::optional<DataItem> next;
        if (decision.outcome == WriteDecision::Outcome::kValue) {
            next = value({previous, previous.Exists() ? &item : nullptr, &pass.chunks});
            if (next) {
                next->expires_at = decision.expires_at;
            } else {
                decision = {};
            }
        }

        const bool changes = decision.outcome != WriteDecision::Outcome::kNothing;
        bool done = true;
        if (changes) {
            // A new number in each pass: whoever had to wait for another writer draws again behind that
            // writer's, so the numbers of a key's changes ascend as its versions do.
            pass.seq = Guarded([] { return NextChangeSeq(); });
            decision.metadata.change = {log_, static_cast<uint64_t>(pass.seq)};
            pass.version = static_cast<int64>(decision.metadata.version);
            Guarded([&] {
                const size_t meta_size = VARHDRSZ + MetadataSize(decision.metadata);
                auto* meta = static_cast<struct varlena*>(palloc(meta_size));
                SET_VARSIZE(meta, meta_size);
                WriteMetadata(decision.metadata, VARDATA(meta));
                pass.new_meta = PointerGetDatum(meta);
                if (next) {
                    const size_t item_size = VARHDRSZ + DataItemSize(*next);
                    auto* encoded = static_cast<struct varlena*>(palloc(item_size));
                    SET_VARSIZE(encoded, item_size);
                    WriteDataItem(*next, VARDATA(encoded));
                    pass.new_item = PointerGetDatum(encoded);
                }
            });
            // What follows may wait for others, and borrowed leaves are not held meanwhile.
            pass.meta = pass.item = {};
            done = pass.has_row ? TryUpdate(key, &pass) : TryInsert(key, &pass);
            if (!done && transaction_snapshot_) {
                ThrowConcurrentUpdate(key_bytes);
            }
            if (done) {
                // 7. The key is held, so the log gets its changes in the order of their versions.
                Guarded([&] {
                    int64 prev_seq = 0;
                    if (pass.written_before &&
                        (pass.old.change.log_id == log_ || IsOwnChange(pass.old.change, pass.snapshot))) {
                        prev_seq = static_cast<int64>(pass.old.change.seq);
                    }
                    AppendChange(&change_, {.seq = pass.seq,
                                            .prev_seq = prev_seq,
                                            .version = pass.version,
                                            .branch_id = branch_id_,
                                            .operation = request.operation,
                                            .key = key,
                                            .meta = pass.new_meta,
                                            .item = pass.new_item});
                    CommandCounterIncrement();
                });
            }
        }
        Guarded([&] {
            ReleaseSnapshot(pass.snapshot);
            MemoryContextSwitchTo(caller);
        });
        if (done) {
            return {changes, std::move(decision.metadata), decision.expires_at};
        }
    }
}

// 3. There is a row: it is changed at the place where S saw it, behind whoever is changing it right now. The
// answer
//    TM_Ok means that nobody has changed it since S. TM_Updated and TM_Deleted mean that a writer or a flush
//    was faster.
bool Writer::TryUpdate(Datum key, Pass* pass) {
    const TM_Result result = Guarded([&] {
        Datum values[kWorkingColumns];
        bool nulls[kWorkingColumns];
        FillWorkingRow(branch_id_, pass->seq, pass->version, key, pass->new_meta, pass->new_item, values,
                       nulls);
        return kvs::pg::Update(&working_, &pass->row.tid, values, nulls, pass->snapshot);
    });
    if (result != TM_Ok && result != TM_Updated && result != TM_Deleted) {
        throw Error(ErrorCode::kWrongState, "key " + Quoted(Contents(DatumGetPointer(key))) +
                                                " was changed by the statement that is running");
    }
    return result == TM_Ok;
}

// 4. There is no row: one is inserted speculatively, so that others see that the key is taken and nobody sees
// a
//    row. The unique index decides between two first writers of a key.
// 5. The other was first: the row is taken back, and the end of the other's transaction waited for.
// 6. The key is held now. Before the row is completed the branch's roots are read again:
//
//     B takes S;  A inserts k with version 1 and commits;  a flush folds k into the tree and deletes the row;
//     B finds neither a row nor, in the trees of S, an entry: without step 6 it would make version 1 again.
bool Writer::TryInsert(Datum key, Pass* pass) {
    Datum values[kWorkingColumns];
    bool nulls[kWorkingColumns];
    FillWorkingRow(branch_id_, pass->seq, pass->version, key, pass->new_meta, pass->new_item, values, nulls);
    SpeculativeRow row = Guarded([&] { return BeginSpeculative(&working_, values, nulls); });
    const bool keep = row.unique && RootsStillHold(Contents(DatumGetPointer(key)), *pass);
    Guarded([&] {
        FinishSpeculative(&working_, &row, keep);
        if (!row.unique) {
            ScanKeyData keys[2];
            WorkingKey(keys, branch_id_, key);
            WaitForBlocker(&working_, keys, 2);
        }
    });
    if (keep) {
        NoteUncommittedRow(branch_id_);
    }
    return keep;
}

// Whether the trees that the pass has read are still the branch's, now that the key is held. A flush may have
// folded another writer's row in between; at the stricter levels only a change of this very key counts.
bool Writer::RootsStillHold(std::string_view key, const Pass& pass) {
    Branch branch;
    Snapshot snapshot = Guarded([&] {
        Snapshot latest = RegisterLatestSnapshot();
        RequireBranch(branch_id_, latest, &branch);
        return latest;
    });
    bool hold = branch.working.meta_root == pass.branch.working.meta_root;
    if (!hold && transaction_snapshot_) {
        ChunkStore chunks(snapshot);
        const std::optional<FoundValue> meta = Tree(chunks, branch.working.meta_root).Get(key);
        if (meta) {
            const MetadataHeader header = DecodeMetadataHeader(meta->value).OrThrow();
            hold =
                pass.written_before && header.version == pass.old.version && header.change == pass.old.change;
        } else {
            hold = !pass.written_before;
        }
    }
    ReleaseSnapshot(snapshot);
    return hold;
}

}  // namespace kvs::pg
