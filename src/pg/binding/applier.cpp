#include "pg/binding/applier.h"

#include <algorithm>
#include <utility>

#include "kvs/error.h"
#include "pg/binding/held_table.h"
#include "pg/binding/mark_table.h"
#include "pg/binding/table_trigger.h"
#include "pg/table/access_guard.h"
#include "pg/table/locks.h"
#include "pg/table/role_scope.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"
#include "pg/wall/lock_timeout.h"
#include "pg/wall/settings.h"

extern "C" {
#include "commands/trigger.h"
}

namespace kvs::pg {

namespace {

// For rows, and tables, that others hold: other bindings wait meanwhile. Shorter than deadlock_timeout, so
// that nobody else is ended for our sake.
constexpr int kPatience = 20;  // ms

// Between two notes of a position up to which nothing matched.
constexpr int kNoteInterval = 100;  // ms

enum class Blame : uint8_t { kRow, kLater, kBinding, kServer };

Blame BlameFor(int sqlstate) {
    switch (ERRCODE_TO_CATEGORY(sqlstate)) {
        case ERRCODE_TO_CATEGORY(ERRCODE_T_R_SERIALIZATION_FAILURE):
            return Blame::kLater;
        case ERRCODE_TO_CATEGORY(ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION):
        case ERRCODE_TO_CATEGORY(ERRCODE_FEATURE_NOT_SUPPORTED):
        case ERRCODE_TO_CATEGORY(ERRCODE_INVALID_SCHEMA_NAME):
            return Blame::kBinding;
        case ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES):
        case ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION):
        case ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR):
        case ERRCODE_TO_CATEGORY(ERRCODE_INTERNAL_ERROR):
        case ERRCODE_TO_CATEGORY(ERRCODE_INVALID_TRANSACTION_STATE):
            return Blame::kServer;
        default:
            return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE ? Blame::kLater : Blame::kRow;
    }
}

bool IsOfData(int sqlstate) {
    return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION);
}

// Another try, when the other rows are written, may help.
bool MayDependOnOthers(int sqlstate) {
    return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_TO_CATEGORY(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION);
}

std::string Reason(const ErrorData& error) {
    return std::string(error.message) +
           (error.detail != nullptr ? std::string(" (") + error.detail + ")" : "");
}

// Counts what the server says of changes of bound tables, so that a target is opened anew.
struct {
    bool is_registered;
    uint64 generation;
    Oid* tables;
    size_t count;
} watch;

void NoteTableChange(Datum, Oid relation) {
    if (!OidIsValid(relation) ||
        std::find(watch.tables, watch.tables + watch.count, relation) != watch.tables + watch.count) {
        watch.generation++;
    }
}

// Server code.
void WatchTable(Oid relation) {
    if (!watch.is_registered) {
        CacheRegisterRelcacheCallback(NoteTableChange, Datum{0});
        watch.tables = static_cast<Oid*>(MemoryContextAlloc(TopMemoryContext, sizeof(Oid)));
        watch.is_registered = true;
    }
    if (std::find(watch.tables, watch.tables + watch.count, relation) == watch.tables + watch.count) {
        watch.tables = static_cast<Oid*>(repalloc(watch.tables, sizeof(Oid) * (watch.count + 1)));
        watch.tables[watch.count++] = relation;
    }
}

Mapping ParseMapping(const Binding& binding) {
    return Mapping::Parse(binding.pattern, Json::Parse(binding.mapping).OrThrow()).OrThrow();
}

// So that a row is told what is wrong with it; and at the commit the functions of others would not run as
// their owner. Server code.
void CheckConstraintsAtOnce() {
    ConstraintsSetStmt all = {};
    all.type = T_ConstraintsSetStmt;
    AfterTriggerSetState(&all);
}

}  // namespace

ReadView BindingApplier::ViewOf(const Branch& branch) const {
    ReadView view = WorkingView(branch, snapshot_);
    view.now = FromServerTime(GetCurrentTimestamp());
    return view;
}

BindingApplier::BindingApplier(const Binding& binding) : binding_(binding), mapping_(ParseMapping(binding)) {}

// The target as it is now. The server checks, when a statement runs, what may change meanwhile.
void BindingApplier::FollowTable() {
    Guarded([&] {
        WatchTable(binding_.target);
        AcceptInvalidationMessages();
    });
    if (target_ != nullptr && target_generation_ == watch.generation) {
        return;
    }
    const uint64 generation = watch.generation;
    try {
        target_ = std::make_unique<TableTarget>(binding_, mapping_);
    } catch (const PgError& error) {
        const Blame blame = BlameFor(error.data()->sqlerrcode);
        if (blame == Blame::kRow || blame == Blame::kBinding) {
            throw BindingProblem(Reason(*error.data()));
        }
        throw;
    }
    target_generation_ = generation;
    const BoundTable& table = target_->table();
    if (table.shape != binding_.shape) {
        throw BindingProblem(table.DescribeChange(binding_.shape));
    }
    if (binding_.ReadsTable() && table.partition_names != binding_.partitions) {
        const RoleScope owner(table.owner);
        CreateTableTriggers(binding_, table);
        SetShape(binding_.id, table.shape, table.partition_names);
        MarkAll(binding_.id);
    }
}

// Those whose rows others hold; false if there are none, so that something else was in the way.
bool BindingApplier::PutOffHeld(const DirtyKeys& keys, Outcome* outcome) {
    TargetRows rows;
    for (const DirtyKey* key : keys) {
        rows.push_back(&key->row);
    }
    std::vector<bool> held;
    if (InSubtransaction([&] { Guarded([&] { Enter([&] { held = target_->FindHeld(rows); }); }); }) !=
        nullptr) {
        return false;
    }
    for (size_t i = 0; i < keys.size(); i++) {
        if (held[i]) {
            outcome->held.push_back(keys[i]);
        }
    }
    return std::find(held.begin(), held.end(), true) != held.end();
}

void BindingApplier::ApplyPart(const DirtyKeys& keys, bool is_last_try, Outcome* outcome, DirtyKeys* second) {
    if (keys.empty()) {
        return;
    }
    Reconciler reconciler(binding_, mapping_, target_.get());
    Outcome part;
    const ErrorData* error =
        InSubtransaction([&] { Guarded([&] { Enter([&] { part = reconciler.Reconcile(keys); }); }); });
    if (error == nullptr) {
        outcome->Add(std::move(part));
        return;
    }
    const Blame blame = BlameFor(error->sqlerrcode);
    if (blame == Blame::kServer) {
        throw PgError(const_cast<ErrorData*>(error));
    }
    if (blame == Blame::kBinding) {
        throw BindingProblem(Reason(*error));
    }
    if (blame == Blame::kLater && PutOffHeld(keys, outcome)) {
        DirtyKeys rest;
        std::copy_if(keys.begin(), keys.end(), std::back_inserter(rest), [&](const DirtyKey* key) {
            return std::find(outcome->held.begin(), outcome->held.end(), key) == outcome->held.end();
        });
        ApplyPart(rest, is_last_try, outcome, second);
    } else if (keys.size() > 1) {
        const auto middle = keys.begin() + static_cast<std::ptrdiff_t>(keys.size() / 2);
        ApplyPart(DirtyKeys(keys.begin(), middle), is_last_try, outcome, second);
        ApplyPart(DirtyKeys(middle, keys.end()), is_last_try, outcome, second);
    } else if (blame == Blame::kLater) {
        outcome->held.push_back(keys.front());
    } else if (!keys.front()->row.document && IsOfData(error->sqlerrcode)) {
        // The table cannot have a row of that key, so there is none.
    } else if (!is_last_try && MayDependOnOthers(error->sqlerrcode)) {
        second->push_back(keys.front());
    } else {
        outcome->parked[keys.front()] = {Reason(*error), unpack_sql_state(error->sqlerrcode)};
    }
}

void BindingApplier::Apply(const Branch& branch) {
    std::set<std::string> held;
    if (settings.binding_on_park == kOnParkHoldKey) {
        std::vector<std::string> names;
        for (const DirtyKey& key : keys_) {
            names.push_back(key.key);
        }
        held = HoldParkedKeys(binding_.id, names);
    }
    Outcome outcome;
    DirtyKeys keys;
    for (DirtyKey& key : keys_) {
        if (!held.contains(key.key)) {
            keys.push_back(&key);
        }
    }
    if (reads_entries_ || !mapping_.other_keys().empty()) {
        Reconciler(binding_, mapping_, target_.get()).ReadEntries(keys, ViewOf(branch));
    }
    std::erase_if(keys, [&](DirtyKey* key) {
        if (key->is_unreadable) {
            outcome.parked[key] = {"the value is not JSON", "22023"};
        } else if (key->row.key.empty() && key->row.document) {
            outcome.parked[key] = {"the key is not written as the pattern of the binding is", "22023"};
        }
        return key->is_unreadable || key->row.key.empty();
    });
    if (binding_.ComparesSides()) {
        std::sort(keys.begin(), keys.end(),
                  [](const DirtyKey* a, const DirtyKey* b) { return a->key < b->key; });
    }
    if (binding_.WritesTable()) {
        Guarded([] { CheckConstraintsAtOnce(); });
    }
    DirtyKeys second;
    ApplyPart(keys, false, &outcome, &second);
    for (DirtyKey* key : second) {
        ApplyPart({key}, true, &outcome, nullptr);
    }
    Settle(outcome);
}

void BindingApplier::Settle(const Outcome& outcome) {
    progress_.written += outcome.written;
    progress_.returned += outcome.returned;
    progress_.conflicts += outcome.conflicts;
    for (const auto& [key, fault] : outcome.parked) {
        ParkKey(binding_.id, key->key, key->pos, fault, key->row.document);
    }
    for (const DirtyKey* key : outcome.again) {
        // Each with its time, by which it is decided later who was.
        if (key->by_store || !key->by_table) {
            MarkKey(binding_.id, {.key = key->key, .by_store = key->by_store, .at = key->stored_at});
        }
        if (key->by_table) {
            MarkKey(binding_.id, {.key = key->key, .by_table = true, .at = key->changed_at});
        }
    }
    more_ |= !outcome.again.empty();
    std::vector<HeldKey> held;
    held.reserve(outcome.held.size());
    for (const DirtyKey* key : outcome.held) {
        held.push_back({key->key, key->by_store, key->by_table, key->stored_at, key->changed_at, key->delay});
    }
    next_due_ = std::min(next_due_, HoldKeys(binding_.id, held));
}

// Both the creator's privileges, which may have gone, and what the table's owner may do.
void BindingApplier::RequireRights() const {
    const std::string name = binding_.creator;
    const RoleScope creator(Guarded([&] { return get_role_oid(name.c_str(), false); }));
    const AclMode mode = ACL_SELECT | (binding_.ReadsTable() ? ACL_INSERT | ACL_UPDATE | ACL_DELETE : 0);
    const Oid owner = target_->table().owner;
    Guarded([&] {
        RequireWrite(mode, "kvs.bind_table()");
        if (!has_privs_of_role(GetUserId(), owner)) {
            ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("role \"%s\", which created the binding, does not have the privileges of the "
                           "table's owner",
                           name.c_str()));
        }
    });
}

BatchEnd BindingApplier::RunBatch(const Binding& binding, Snapshot snapshot) {
    const LockTimeoutScope patience(kPatience);
    try {
        return TryBatch(binding, snapshot);
    } catch (const PgError& error) {
        if (error.data()->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE) {
            throw TargetHeld(error.what());
        }
        if (BlameFor(error.data()->sqlerrcode) == Blame::kBinding) {
            throw BindingProblem(Reason(*error.data()));
        }
        throw;
    }
}

BatchEnd BindingApplier::TryBatch(const Binding& binding, Snapshot snapshot) {
    binding_ = binding;
    snapshot_ = snapshot;
    keys_.clear();
    places_.clear();
    reads_entries_ = more_ = false;
    next_due_ = DT_NOEND;
    progress_ = ReadProgress(binding.id);
    const int64 stored_pos = progress_.pos;
    progress_.pos = std::max(progress_.pos, passed_);
    Branch branch;
    if (!Guarded([&] { return ReadBranch(binding.branch_id, snapshot, &branch); })) {
        throw BindingProblem("its branch does not exist any more");
    }
    if (binding.ReadsTable() && !TryLockBranch(binding.branch_id, RowExclusiveLock)) {
        return BatchEnd::kLater;
    }
    FollowTable();
    const BindingLoad load = progress_.load;
    ReadStream(snapshot);
    // One-way, entries are read at the end of the stream only, where CatchUp has little to follow.
    if (binding_.ComparesSides() || !more_) {
        TouchMarks();
        LoadPage(branch);
    }
    if (reads_entries_ && !binding_.ComparesSides()) {
        CatchUp();
    }
    if (!keys_.empty()) {
        RequireRights();
        Apply(branch);
    }
    const TimestampTz now = GetCurrentTimestamp();
    const bool is_worth_noting =
        progress_.pos > stored_pos && TimestampDifferenceExceeds(noted_at_, now, kNoteInterval);
    if (!keys_.empty() || more_ || progress_.load != load || is_worth_noting) {
        WriteProgress(binding.id, &progress_);
        noted_at_ = now;
    }
    passed_ = progress_.pos;
    has_unnoted_ = progress_.pos > stored_pos && noted_at_ != now;
    return more_ ? BatchEnd::kMore : BatchEnd::kDone;
}

}  // namespace kvs::pg
