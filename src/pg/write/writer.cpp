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
    Branch branch{};  // as the snapshot shows it
    Branch now{};     // as it is, which at the stricter levels is not the same
    bool has_row = false;
    WorkingRow row{};
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

void Writer::ReadBranches(Pass* pass) {
    RequireBranch(branch_id_, pass->snapshot, &pass->branch);
    if (!transaction_snapshot_) {
        pass->now = pass->branch;
        return;
    }
    Snapshot latest = RegisterLatestSnapshot();
    RequireBranch(branch_id_, latest, &pass->now);
    ReleaseSnapshot(latest);
}

void Writer::ReadRow(Datum key, Pass* pass) {
    Guarded([&] {
        ReadBranches(pass);
        Epochs epochs = pass->branch.epochs;
        if (transaction_snapshot_) {
            // Rows of this transaction itself may be in later ones.
            for (const int64 epoch : pass->now.epochs) {
                epochs.Add(epoch);
            }
        }
        pass->has_row =
            FindWorking(&working_, pass->snapshot, epochs, key, kWorkingItem | kWorkingMeta, &pass->row);
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
            done = !pass.has_row                              ? TryInsert(key, &pass)
                   : pass.row.epoch == pass.now.InsertEpoch() ? TryUpdate(key, &pass)
                                                              : TryMove(key, &pass);
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

namespace {

void RequireNotOfThisStatement(TM_Result result, std::string_view key) {
    if (result != TM_Ok && result != TM_Updated && result != TM_Deleted) {
        throw Error(ErrorCode::kWrongState,
                    "key " + Quoted(key) + " was changed by the statement that is running");
    }
}

}  // namespace

// 3. There is a row in the current epoch: it is changed at the place where S saw it, behind whoever is
// changing
//    it right now. The answer TM_Ok means that nobody has changed it since S. TM_Updated and TM_Deleted mean
//    that a writer or a flush was faster.
bool Writer::TryUpdate(Datum key, Pass* pass) {
    const TM_Result result = Guarded([&] {
        Datum values[kWorkingColumns];
        bool nulls[kWorkingColumns];
        FillWorkingRow(pass->row.epoch, pass->seq, pass->version, key, pass->new_meta, pass->new_item, values,
                       nulls);
        return kvs::pg::Update(&working_, &pass->row.tid, values, nulls, pass->snapshot);
    });
    RequireNotOfThisStatement(result, Contents(DatumGetPointer(key)));
    return result == TM_Ok;
}

// 3. There is a row in an older epoch, which a flush has left there. It is deleted at the place where S saw
// it,
//    as it would be updated; whoever has done so holds the key. Its new version goes to the current epoch, so
//    that the older one runs empty. Nobody else can complete a row there meanwhile: he would see, in step 6
//    at the latest, the row that is being deleted.
bool Writer::TryMove(Datum key, Pass* pass) {
    const TM_Result result =
        Guarded([&] { return kvs::pg::Delete(&working_, &pass->row.tid, pass->snapshot, true); });
    RequireNotOfThisStatement(result, Contents(DatumGetPointer(key)));
    if (result != TM_Ok) {
        return false;
    }
    for (bool moved = false; !moved;) {
        moved = Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            const int64 epoch = pass->now.InsertEpoch();
            Datum values[kWorkingColumns];
            bool nulls[kWorkingColumns];
            FillWorkingRow(epoch, pass->seq, pass->version, key, pass->new_meta, pass->new_item, values,
                           nulls);
            SpeculativeRow row = BeginSpeculative(&working_, values, nulls);
            Snapshot latest = RegisterLatestSnapshot();
            RequireBranch(branch_id_, latest, &pass->now);
            ReleaseSnapshot(latest);
            const bool keep = row.unique && pass->now.InsertEpoch() == epoch;
            FinishSpeculative(&working_, &row, keep);
            if (!row.unique) {
                ScanKeyData keys[2];
                WorkingKey(keys, epoch, key);
                WaitForBlocker(&working_, keys, 2);
            }
            return keep;
        });
    }
    return true;
}

// 4. There is no row: one is inserted speculatively in the current epoch, so that others see that the key is
//    taken and nobody sees a row. The unique index decides between two first writers of a key. One that was
//    first before the last flush has his row in an older epoch: there it is looked for beforehand.
// 5. The other was first: the row is taken back, and the end of the other's transaction waited for.
// 6. The key is held now. Before the row is completed the branch is read again:
//
//     B takes S;  A inserts k with version 1 and commits;  a flush folds k into the tree and deletes the row;
//     B finds neither a row nor, in the trees of S, an entry: without step 6 it would make version 1 again.
//
//     B reads that epoch 1 is current;  a flush moves the branch to epoch 2, another drops epoch 1;
//     without step 6 B's row would lie where nobody looks.
bool Writer::TryInsert(Datum key, Pass* pass) {
    for (;;) {
        if (!IsFree(key, *pass)) {
            return false;
        }
        const int64 epoch = pass->now.InsertEpoch();
        Datum values[kWorkingColumns];
        bool nulls[kWorkingColumns];
        FillWorkingRow(epoch, pass->seq, pass->version, key, pass->new_meta, pass->new_item, values, nulls);
        SpeculativeRow row = Guarded([&] { return BeginSpeculative(&working_, values, nulls); });
        const Holds holds = row.unique ? StillHolds(key, *pass) : Holds::kNo;
        Guarded([&] {
            FinishSpeculative(&working_, &row, holds == Holds::kYes);
            if (!row.unique) {
                ScanKeyData keys[2];
                WorkingKey(keys, epoch, key);
                WaitForBlocker(&working_, keys, 2);
            }
            if (holds == Holds::kInAnotherEpoch) {
                ReadBranches(pass);
            }
        });
        if (holds == Holds::kYes) {
            NoteUncommittedRow(branch_id_);
        }
        // Where each pass has its own snapshot, the next one begins with where the branch is now.
        if (holds != Holds::kInAnotherEpoch || !transaction_snapshot_) {
            return holds == Holds::kYes;
        }
    }
}

// Whether no older epoch has a row of the key that S does not show. Waits for whoever is inserting one.
bool Writer::IsFree(Datum key, const Pass& pass) {
    return Guarded([&] {
        for (const int64 epoch : pass.now.epochs) {
            bool unfinished;
            if (epoch != pass.now.InsertEpoch() && ProbeWorking(&working_, epoch, key, &unfinished)) {
                if (unfinished) {
                    ScanKeyData keys[2];
                    WorkingKey(keys, epoch, key);
                    WaitForBlocker(&working_, keys, 2);
                }
                return false;
            }
        }
        return true;
    });
}

// Whether what the pass has read still holds, now that the key is held. A flush may have folded another
// writer's row in between; at the stricter levels only a change of this very key counts, and a branch that
// has moved means no more than that the row belongs into another epoch. A row in an older epoch that IsFree
// has missed, because it was just being changed, is seen by this snapshot.
Writer::Holds Writer::StillHolds(Datum key, const Pass& pass) {
    Branch branch;
    bool has_row = false;
    Snapshot snapshot = Guarded([&] {
        Snapshot latest = RegisterLatestSnapshot();
        RequireBranch(branch_id_, latest, &branch);
        if (branch.epochs.count > 1) {
            Table working = OpenWorkingForRead();  // the slot of the other holds the new row
            for (const int64 epoch : branch.epochs) {
                ScanKeyData keys[2];
                WorkingKey(keys, epoch, key);
                has_row = has_row || (epoch != pass.now.InsertEpoch() && Lookup(&working, latest, keys, 2));
            }
            Close(&working);
        }
        return latest;
    });
    bool same = !has_row && branch.working.meta_root == pass.branch.working.meta_root;
    if (!same && !has_row && transaction_snapshot_) {
        ChunkStore chunks(snapshot);
        const std::optional<FoundValue> meta =
            Tree(chunks, branch.working.meta_root).Get(Contents(DatumGetPointer(key)));
        if (meta) {
            const MetadataHeader header = DecodeMetadataHeader(meta->value).OrThrow();
            same =
                pass.written_before && header.version == pass.old.version && header.change == pass.old.change;
        } else {
            same = !pass.written_before;
        }
    }
    ReleaseSnapshot(snapshot);
    return !same                                            ? Holds::kNo
           : branch.InsertEpoch() == pass.now.InsertEpoch() ? Holds::kYes
                                                            : Holds::kInAnotherEpoch;
}

}  // namespace kvs::pg
