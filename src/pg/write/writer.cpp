#include "pg/write/writer.h"

#include <string>

#include "kvs/codec/key.h"
#include "kvs/error.h"
#include "kvs/tree/tree.h"
#include "kvs/util/quote.h"
#include "pg/read/read_view.h"
#include "pg/table/commit_table.h"
#include "pg/table/empty_epochs.h"
#include "pg/wall/convert.h"
#include "pg/wall/durability.h"
#include "pg/wall/guard.h"
#include "pg/wall/memory_scope.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"
#include "pg/write/auto_flush.h"
#include "pg/write/autocommit.h"
#include "pg/write/writer_pass.h"

namespace kvs::pg {

namespace {

[[noreturn]] void ThrowConcurrentUpdate(std::string_view key) {
    throw CouldNotSerialize("concurrent update of key " + Quoted(key));
}

}  // namespace

Writer::Writer(std::string_view branch, Waiting waiting) : waits_(waiting == Waiting::kYes) {
    branch_id_ =
        waits_ ? LockBranchByName(branch, RowExclusiveLock) : TryLockBranchByName(branch, RowExclusiveLock);
    if (branch_id_ != 0) {
        Open();
    }
}

Writer::Writer(int32 locked_branch) : waits_(false), branch_id_(locked_branch) {
    Open();
}

void Writer::Open() {
    Guarded([&] {
        NoteWrite();
        transaction_snapshot_ = IsolationUsesXactSnapshot();
        log_ = CurrentLog();
        branches_ = OpenBranches();
        working_ = OpenWorkingForWrite();
        change_ = OpenChangeLogForWrite();
        context_ = AllocSetContextCreate(CurrentMemoryContext, "kvs write", ALLOCSET_DEFAULT_SIZES);
        unlogged_context_ =
            AllocSetContextCreate(CurrentMemoryContext, "kvs changes", ALLOCSET_DEFAULT_SIZES);
    });
}

void Writer::Finish() {
    if (branch_id_ == 0) {
        return;
    }
    CloseView();
    Guarded([&] {
        WriteLog();
        Close(&change_);
        Close(&working_);
        Close(&branches_);
        MemoryContextDelete(context_);
        MemoryContextDelete(unlogged_context_);
        if (expected_context_ != nullptr) {
            MemoryContextDelete(expected_context_);
        }
    });
    FlushIfPiledUp(branch_id_);
}

// All reads are under one snapshot S: the newest, or at the stricter levels the transaction's. In each older
// epoch a key that has no row is looked for by Read, IsFree and StillHolds.
void Writer::OpenView(size_t keys) {
    constexpr int64 kProbesPerKey = 3;
    view_.emplace(RegisterOperationSnapshot());
    Guarded([&] { ReadBranches(); });
    const Epochs& epochs = view_->now.epochs;
    if (epochs.count > 1 &&
        Guarded([&] { return SearchOlderEpochs(epochs, kProbesPerKey * static_cast<int64>(keys)); })) {
        CloseView();
        OpenView(0);
    }
}

void Writer::CloseView() {
    if (view_) {
        ReleaseSnapshot(view_->snapshot);
        view_.reset();
        expected_.clear();
        last_key_.clear();
    }
}

void Writer::ReadBranches() {
    RequireBranch(&branches_, branch_id_, view_->snapshot, &view_->branch);
    view_->epochs = view_->branch.epochs;
    if (!transaction_snapshot_) {
        view_->now = view_->branch;
        return;
    }
    Snapshot latest = RegisterLatestSnapshot();
    RequireBranch(&branches_, branch_id_, latest, &view_->now);
    ReleaseSnapshot(latest);
    // Rows of this transaction itself may be in later epochs.
    view_->epochs.Add(view_->now.epochs);
}

// Under the view the keys before `key` were written; what was written to `key` itself, or to one behind it,
// only another view shows.
void Writer::ComeAfter(std::string_view key) {
    if (view_ && !last_key_.empty() && key <= last_key_) {
        CloseView();
        Guarded([] { CommandCounterIncrement(); });
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
    ComeAfter(key_bytes);
    for (;;) {
        Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            MemoryContextReset(context_);
        });
        const MemoryScope scope(context_);
        // 2. The key is read under the view.
        if (!view_) {
            OpenView(1);
        }
        Pass pass;
        Read(key, &pass);
        if (!pass.meta.bytes.empty()) {
            pass.old = DecodeMetadata(pass.meta.bytes).OrThrow();
            pass.written_before = true;
        }
        // The decision belongs to the pass: another pass has another previous version, and compares
        // expected_version with that one.
        const Previous previous(pass.written_before ? &pass.old : nullptr,
                                pass.old.expires ? ItemOf(&pass).expires_at : std::nullopt,
                                FromServerTime(GetCurrentTimestamp()));
        WriteDecision decision = DecideWrite(key_bytes, previous, request);
        std::optional<DataItem> next;
        if (decision.outcome == WriteDecision::Outcome::kValue) {
            next = value(CurrentEntry(previous, this, &pass));
            if (!next) {
                return {};
            }
            next->expires_at = decision.expires_at;
        }
        if (decision.outcome == WriteDecision::Outcome::kNothing) {
            return {};
        }
        Encode(next, &decision.metadata, &pass);
        // What follows may wait for others, and borrowed leaves are not held meanwhile.
        pass.meta = {};
        pass.item.reset();
        const Try tried = Write(key, &pass);
        if (tried == Try::kDone) {
            Log(key, request.operation, pass);
            last_key_ = key_bytes;
            if (view_->now.autocommit == kAutocommitTransaction) {
                Guarded([&] { NoteAutocommit(branch_id_, decision.metadata.comment); });
            }
            return {Written::Outcome::kChanged, std::move(decision.metadata), decision.expires_at};
        }
        if (tried == Try::kBusy) {
            return {Written::Outcome::kBusy, {}, {}};
        }
        if (transaction_snapshot_) {
            ThrowConcurrentUpdate(key_bytes);
        }
        CloseView();
        Guarded([] { CommandCounterIncrement(); });
    }
}

// A new number in each pass: whoever had to wait for another writer draws again behind that writer's, so the
// numbers of a key's changes ascend as its versions do.
void Writer::Encode(const std::optional<DataItem>& item, Metadata* metadata, Pass* pass) {
    pass->seq = Guarded([] { return NextChangeSeq(); });
    metadata->change = {log_, static_cast<uint64_t>(pass->seq)};
    pass->version = static_cast<int64>(metadata->version);
    const size_t meta_size = VARHDRSZ + MetadataSize(*metadata);
    const size_t item_size = item ? VARHDRSZ + DataItemSize(*item) : 0;
    Guarded([&] {
        auto* meta = static_cast<struct varlena*>(MemoryContextAlloc(unlogged_context_, meta_size));
        SET_VARSIZE(meta, meta_size);
        WriteMetadata(*metadata, VARDATA(meta));
        pass->new_meta = PointerGetDatum(meta);
        if (item) {
            auto* encoded = static_cast<struct varlena*>(MemoryContextAlloc(unlogged_context_, item_size));
            SET_VARSIZE(encoded, item_size);
            WriteDataItem(*item, VARDATA(encoded));
            pass->new_item = PointerGetDatum(encoded);
        }
    });
}

// 7. The key is held, so the log gets its changes in the order of their versions.
void Writer::Log(Datum key, Operation operation, const Pass& pass) {
    constexpr size_t kMostChanges = 1000;
    constexpr size_t kMostBytes = size_t{1} << 20;
    ChangeRow change{.seq = pass.seq,
                     .version = pass.version,
                     .branch_id = branch_id_,
                     .operation = operation,
                     .meta = pass.new_meta,
                     .item = pass.new_item};
    Guarded([&] {
        if (pass.written_before &&
            (pass.old.change.log_id == log_ || IsOwnChange(pass.old.change, view_->snapshot))) {
            change.prev_seq = static_cast<int64>(pass.old.change.seq);
        }
        MemoryContext caller = MemoryContextSwitchTo(unlogged_context_);
        change.key = MakeVarlena(Contents(DatumGetPointer(key)));
        MemoryContextSwitchTo(caller);
    });
    unlogged_bytes_ += pass.new_item != 0 ? Contents(DatumGetPointer(pass.new_item)).size() : 0;
    unlogged_.push_back(change);
    if (unlogged_.size() == kMostChanges || unlogged_bytes_ > kMostBytes) {
        Guarded([&] { WriteLog(); });
    }
}

void Writer::WriteLog() {
    if (!unlogged_.empty()) {
        AppendChanges(&change_, unlogged_.data(), static_cast<int>(unlogged_.size()));
        unlogged_.clear();
        unlogged_bytes_ = 0;
        MemoryContextReset(unlogged_context_);
        CommandCounterIncrement();
    }
}

Writer::Try Writer::Write(Datum key, Pass* pass) {
    return !pass->has_row                                ? TryInsert(key, pass)
           : pass->row.epoch == view_->now.InsertEpoch() ? TryUpdate(key, pass)
                                                         : TryMove(key, pass);
}

namespace {

// Of a row that was changed or deleted, or not. TM_Updated and TM_Deleted: a writer or a flush was faster.
bool Held(TM_Result result, std::string_view key) {
    if (result == TM_SelfModified || result == TM_Invisible) {
        throw Error(ErrorCode::kWrongState,
                    "key " + Quoted(key) + " was changed by the statement that is running");
    }
    return result == TM_Ok;
}

}  // namespace

// 3. There is a row in the current epoch: it is changed at the place where S saw it, behind whoever is
// changing
//    it right now. The answer TM_Ok means that nobody has changed it since S.
Writer::Try Writer::TryUpdate(Datum key, Pass* pass) {
    const TM_Result result = Guarded([&] {
        Datum values[kWorkingColumns];
        bool nulls[kWorkingColumns];
        FillWorkingRow(pass->row.epoch, pass->seq, pass->version, key, pass->new_meta, pass->new_item, values,
                       nulls);
        return kvs::pg::Update(&working_, &pass->row.tid, values, nulls, view_->snapshot, waits_);
    });
    return result == TM_BeingModified                     ? Try::kBusy
           : Held(result, Contents(DatumGetPointer(key))) ? Try::kDone
                                                          : Try::kLost;
}

// 3. There is a row in an older epoch, which a flush has left there. It is deleted at the place where S saw
// it,
//    as it would be updated; whoever has done so holds the key. Its new version goes to the current epoch, so
//    that the older one runs empty. Nobody else can complete a row there meanwhile: he would see, in step 6
//    at the latest, the row that is being deleted.
Writer::Try Writer::TryMove(Datum key, Pass* pass) {
    const TM_Result result = Guarded([&] {
        NoteDeletedRows();
        return kvs::pg::Delete(&working_, &pass->row.tid, view_->snapshot, waits_);
    });
    if (result == TM_BeingModified) {
        return Try::kBusy;
    }
    if (!Held(result, Contents(DatumGetPointer(key)))) {
        return Try::kLost;
    }
    for (bool moved = false; !moved;) {
        moved = Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            const int64 epoch = view_->now.InsertEpoch();
            Datum values[kWorkingColumns];
            bool nulls[kWorkingColumns];
            FillWorkingRow(epoch, pass->seq, pass->version, key, pass->new_meta, pass->new_item, values,
                           nulls);
            SpeculativeRow row = BeginSpeculative(&working_, values, nulls);
            Snapshot latest = RegisterLatestSnapshot();
            RequireBranch(&branches_, branch_id_, latest, &view_->now);
            ReleaseSnapshot(latest);
            const bool keep = row.unique && view_->now.InsertEpoch() == epoch;
            FinishSpeculative(&working_, &row, keep);
            if (!row.unique) {
                ScanKeyData keys[2];
                WorkingKey(keys, epoch, key);
                WaitForBlocker(&working_, keys, 2);
            }
            return keep;
        });
    }
    return Try::kDone;
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
Writer::Try Writer::TryInsert(Datum key, Pass* pass) {
    for (;;) {
        if (const Try free = IsFree(key); free != Try::kDone) {
            return free;
        }
        const int64 epoch = view_->now.InsertEpoch();
        Datum values[kWorkingColumns];
        bool nulls[kWorkingColumns];
        FillWorkingRow(epoch, pass->seq, pass->version, key, pass->new_meta, pass->new_item, values, nulls);
        SpeculativeRow row = Guarded([&] { return BeginSpeculative(&working_, values, nulls); });
        const Holds holds = row.unique ? StillHolds(key, *pass) : Holds::kNo;
        Guarded([&] { FinishSpeculative(&working_, &row, holds == Holds::kYes); });
        if (!row.unique) {
            return WaitFor(epoch, key);
        }
        if (holds == Holds::kYes) {
            NoteUncommittedRow(branch_id_);
            return Try::kDone;
        }
        // Where a view shows what is there now, another one is taken, which begins where the branch is.
        if (holds == Holds::kNo || !transaction_snapshot_) {
            return Try::kLost;
        }
        Guarded([&] { ReadBranches(); });
    }
}

// For whoever is inserting or deleting a row of the key; kBusy instead, if there is somebody and this writer
// does not wait.
Writer::Try Writer::WaitFor(int64 epoch, Datum key) {
    return Guarded([&] {
        bool unfinished = true;
        if (!waits_ && ProbeWorking(&working_, epoch, key, &unfinished) && unfinished) {
            return Try::kBusy;
        }
        if (waits_) {
            ScanKeyData keys[2];
            WorkingKey(keys, epoch, key);
            WaitForBlocker(&working_, keys, 2);
        }
        return Try::kLost;
    });
}

// kDone: no older epoch has a row of the key that S does not show.
Writer::Try Writer::IsFree(Datum key) {
    const Branch& now = view_->now;
    for (const int64 epoch : now.epochs) {
        bool unfinished;
        if (epoch != now.InsertEpoch() &&
            Guarded([&] { return ProbeWorking(&working_, epoch, key, &unfinished); })) {
            return unfinished ? WaitFor(epoch, key) : Try::kLost;
        }
    }
    return Try::kDone;
}

// Whether what the pass has read still holds, now that the key is held. A flush may have folded another
// writer's row in between; at the stricter levels only a change of this very key counts, and a branch that
// has moved means no more than that the row belongs into another epoch. A row in an older epoch that IsFree
// has missed, because it was just being changed, is seen by this snapshot.
Writer::Holds Writer::StillHolds(Datum key, const Pass& pass) {
    if (view_->now.epochs.count == 1 && view_->now.epochs.current() == view_->branch.epochs.current() &&
        Guarded([&] { return IsUnmoved(&branches_, view_->now); })) {
        return Holds::kYes;
    }
    Branch branch;
    bool has_row = false;
    Snapshot snapshot = Guarded([&] {
        Snapshot latest = RegisterLatestSnapshot();
        RequireBranch(&branches_, branch_id_, latest, &branch);
        if (branch.epochs.count > 1) {
            Table working = OpenWorkingForRead();  // the slot of the other holds the new row
            for (const int64 epoch : branch.epochs) {
                ScanKeyData keys[2];
                WorkingKey(keys, epoch, key);
                has_row = has_row || (epoch != view_->now.InsertEpoch() && Lookup(&working, latest, keys, 2));
            }
            Close(&working);
        }
        return latest;
    });
    bool same = !has_row && branch.working.meta_root == view_->branch.working.meta_root;
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
    return !same                                              ? Holds::kNo
           : branch.InsertEpoch() == view_->now.InsertEpoch() ? Holds::kYes
                                                              : Holds::kInAnotherEpoch;
}

}  // namespace kvs::pg
