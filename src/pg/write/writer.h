// Changes of single keys: the put protocol.
//
// A change is an atomic read-modify-write of one key on one branch: a row of _kvs.working is inserted or
// updated, and a row is appended to the change log. What arbitrates between concurrent writers is the working
// row's update and the unique index of its table; each pass reads row, roots and trees under one snapshot,
// and an insert is completed only if the branch's roots are still those that the pass has read. READ
// COMMITTED starts over when somebody else was faster, the stricter levels raise 40001. Which epoch the row
// goes to, and where else one may be: pg/table/epochs.h.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/codec/item.h"
#include "kvs/entry/write_decision.h"
#include "pg/chunk/chunk_store.h"
#include "pg/chunk/tree_item.h"
#include "pg/table/branch_table.h"
#include "pg/table/table_access.h"
#include "pg/table/working_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

class Writer;
struct WritePass;

// What a write finds at its key. Valid during one call of a ValueFunction.
class CurrentEntry {
  public:
    CurrentEntry(const Previous& previous, Writer* writer, WritePass* pass)
        : previous_(previous), writer_(writer), pass_(pass) {}

    const Previous& previous() const { return previous_; }

    // Null unless the entry lives; the payload may lie in a blob. Read when it is asked for, since most
    // writes do without. Errors: kCorruption.
    const DataItem* item() const;

    // The payload of the item; `holder` keeps the bytes of a blob.
    std::string_view Payload(std::string* holder) const;

    // The item with its payload, wherever that lies.
    DataItem InlineItem(std::string* holder) const;

  private:
    const Previous& previous_;
    Writer* writer_;
    WritePass* pass_;
};

// The value that a write brings, once it is decided that it brings one (see kvs/entry/write_decision.h);
// nullopt: the key stays as it is after all. The expiry is not its business. The payload must live until
// Update returns. Called once per pass; without effects outside.
using ValueFunction = std::function<std::optional<DataItem>(const CurrentEntry& current)>;

// What Update did.
struct Written {
    enum class Outcome : uint8_t {
        kChanged,
        kUnchanged,  // the key stayed as it was
        kBusy,       // another transaction has the key, and this writer does not wait
    };

    Outcome outcome = Outcome::kUnchanged;
    Metadata metadata;  // where it changed
    std::optional<Timestamp> expires_at;

    bool changed() const { return outcome == Outcome::kChanged; }
};

// Writes to one branch within one SQL call. Takes the branch's writer lock.
//
// All keys are read under one snapshot, for as long as nobody else is faster at one of them and they come in
// ascending order; the rows of the log are written together, by Finish at the latest.
class Writer {
  public:
    enum class Waiting : bool { kNo, kYes };

    // Errors: kUnknownRef.
    explicit Writer(std::string_view branch, Waiting waiting = Waiting::kYes);

    // Of a branch whose writer lock this transaction has; without waiting for anybody.
    explicit Writer(int32 locked_branch);

    // Without waiting for the branch's lock either: false if it was not to be had; then nothing else is done.
    bool has_branch() const { return branch_id_ != 0; }

    static constexpr size_t kKeysAtOnce = 256;  // that are worth to be looked up together

    // Looks up together what the next calls of Update will ask for one by one: the same keys, ascending, and
    // the items of those where they will want them. A hint, for calls with many keys.
    void Expect(std::span<const Datum> keys, bool with_items);

    // `key` is a valid key as a detoasted text or bytea.
    // A request that leaves a tombstone needs no value.
    // Errors: kInvalidArgument if the key is reserved and is neither deleted nor restored, kStaleVersion as
    // DecideWrite throws it, and what `value` throws: after these nothing of the key has been written, and
    // the writer may go on. kSerialization, kLimitExceeded.
    Written Update(Datum key, const WriteRequest& request, const ValueFunction& value = nullptr);

    // Writes what is left to be written to the log, and closes the tables. To be called on the normal way
    // out; flushes the branch if this session has piled up enough uncommitted rows.
    void Finish();

    int32 branch_id() const { return branch_id_; }

  private:
    // What the keys are read under.
    struct View {
        explicit View(Snapshot registered) : snapshot(registered), chunks(registered) {}

        Snapshot snapshot;
        ChunkStore chunks;
        Branch branch{};  // as the snapshot shows it
        Branch now{};     // as it is, which at the stricter levels is not the same
        Epochs epochs{};  // where rows are that the snapshot shows
    };

    // What was looked up before it was asked for.
    struct Expected {
        Datum key = 0;
        bool has_row = false;
        WorkingRow row{};  // in expected_context_
        std::string meta;  // of the trees, unless has_row; empty: none
        std::optional<std::string> item;
    };

    using Pass = WritePass;
    friend class CurrentEntry;
    enum class Try : uint8_t { kDone, kLost, kBusy };
    enum class Holds : uint8_t { kYes, kNo, kInAnotherEpoch };

    void Open();
    void OpenView(size_t keys);
    void CloseView();
    void ReadBranches();
    void ComeAfter(std::string_view key);
    void Read(Datum key, Pass* pass);
    bool TakeExpected(Datum key, Pass* pass);
    const DataItem& ItemOf(Pass* pass);
    void Encode(const std::optional<DataItem>& item, Metadata* metadata, Pass* pass);
    Try Write(Datum key, Pass* pass);
    Try TryUpdate(Datum key, Pass* pass);
    Try TryMove(Datum key, Pass* pass);
    Try TryInsert(Datum key, Pass* pass);
    Try IsFree(Datum key);
    Try WaitFor(int64 epoch, Datum key);
    Holds StillHolds(Datum key, const Pass& pass);
    void Log(Datum key, Operation operation, const Pass& pass);
    void WriteLog();

    bool waits_;
    int32 branch_id_ = 0;
    bool transaction_snapshot_ = false;  // REPEATABLE READ or SERIALIZABLE
    LogId log_{};
    Table branches_{};
    Table working_{};
    Table change_{};
    std::optional<View> view_;
    std::string last_key_;  // that was written under the view
    std::vector<Expected> expected_;
    size_t next_expected_ = 0;
    std::vector<ChangeRow> unlogged_;
    size_t unlogged_bytes_ = 0;
    MemoryContext context_ = nullptr;           // of one pass
    MemoryContext expected_context_ = nullptr;  // of expected_, if there are any
    MemoryContext unlogged_context_ = nullptr;  // of unlogged_
};

}  // namespace kvs::pg
