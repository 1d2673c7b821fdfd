// The applier of a binding: takes what may have changed, from the stream, from the marks of the table's
// trigger and from what is being loaded, and brings it together with the target, batch by batch.
//
// A batch is one transaction, in which the progress is written, too. It ends where a transaction of the
// stream ends, so that a one-way binding shows states that the store had. Of several events of a key the last
// one counts.
//
// In a batch an error concerns rows: it is bisected down to the row whose fault it is, which is parked, and
// all others go on. What concerns the binding itself, as a column that has gone, pauses it (BindingProblem).
// A row that somebody holds is put off.
#pragma once

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "kvs/binding/mapping.h"
#include "pg/binding/binding_table.h"
#include "pg/binding/reconciler.h"
#include "pg/binding/table_target.h"
#include "pg/table/branch_table.h"
#include "pg/wall/server.h"

namespace kvs::pg {

// The binding cannot go on as it is. The transaction has to be rolled back, and the binding to be paused.
class BindingProblem : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Somebody holds the whole target, as who alters it does. The transaction has to be rolled back, and the
// batch to be tried later.
class TargetHeld : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

enum class BatchEnd : uint8_t {
    kDone,
    kMore,   // there is more to do at once
    kLater,  // somebody was in the way
};

class BindingApplier {
  public:
    // The target is opened by the first batch.
    explicit BindingApplier(const Binding& binding);

    // One batch, in a transaction of its own at READ COMMITTED; the binding's lock is held. Errors: after one
    // the transaction must be rolled back; BindingProblem, TargetHeld.
    BatchEnd RunBatch(const Binding& binding, Snapshot snapshot);

    // Whether another batch is to be run soon, if only to store the position.
    bool has_unnoted() const { return has_unnoted_; }

    // When there is something to do that was put off.
    TimestampTz next_due() const { return next_due_; }

  private:
    ReadView ViewOf(const Branch& branch) const;
    DirtyKey* Touch(std::string_view key);
    void TouchMarks();
    void TouchAll();
    void LoadPage(const Branch& branch);
    void LoadEntries(const Branch& branch);
    void LoadRows();
    void ReadStream(Snapshot snapshot);
    void TouchEvent(class EventReader* event);
    void CatchUp();
    void Apply(const Branch& branch);
    bool PutOffHeld(const DirtyKeys& keys, Outcome* outcome);
    void ApplyPart(const DirtyKeys& keys, bool is_last_try, Outcome* outcome, DirtyKeys* second);
    void Settle(const Outcome& outcome);
    void FollowTable();
    void RequireRights() const;
    BatchEnd TryBatch(const Binding& binding, Snapshot snapshot);

    Binding binding_;
    Mapping mapping_;
    std::unique_ptr<TableTarget> target_;
    uint64 target_generation_ = 0;  // of what was known of tables when it was opened

    int64 passed_ = 0;          // nothing matches up to there, which is not stored yet
    TimestampTz noted_at_ = 0;  // when the progress was stored last
    bool has_unnoted_ = false;

    // Of a batch.
    Snapshot snapshot_ = nullptr;
    BindingProgress progress_;
    std::deque<DirtyKey> keys_;  // in the order in which they became dirty first
    std::unordered_map<std::string, DirtyKey*> places_;
    bool reads_entries_ = false;  // some keys did not come by an event
    bool more_ = false;
    TimestampTz next_due_ = DT_NOEND;
};

}  // namespace kvs::pg
