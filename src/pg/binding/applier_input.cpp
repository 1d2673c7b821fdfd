// What a batch is made of: the keys that marks, the page that is being loaded, and the stream tell of.
#include <algorithm>
#include <utility>

#include "kvs/error.h"
#include "pg/binding/applier.h"
#include "pg/binding/base_table.h"
#include "pg/binding/held_table.h"
#include "pg/binding/mark_table.h"
#include "pg/read/entry_scan.h"
#include "pg/read/pattern_scan.h"
#include "pg/stream/event_reader.h"
#include "pg/stream/ordered_changes.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/snapshot.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

// Keys of a batch, which is not ended within a transaction of the stream, unless that has so many more.
constexpr size_t kBatch = 1000;
constexpr size_t kMostKeys = 20000;

// Events of one that do not match.
constexpr int64 kMostPositions = 100000;

// How often, and how long each time, the sequencer is waited for.
constexpr int kPatience = 40;
constexpr long kPause = 5;  // ms

}  // namespace

DirtyKey* BindingApplier::Touch(std::string_view key) {
    std::string text(key);
    if (const auto found = places_.find(text); found != places_.end()) {
        return found->second;
    }
    DirtyKey* dirty = &keys_.emplace_back();
    dirty->key = text;
    if (std::optional<std::vector<std::string>> values = mapping_.KeyValues(key)) {
        dirty->row.key = std::move(*values);
    }
    places_.emplace(std::move(text), dirty);
    return dirty;
}

void BindingApplier::TouchMarks() {
    bool more;
    bool is_all = false;
    for (const Mark& mark : TakeMarks(binding_.id, &progress_, static_cast<int>(kBatch), &more)) {
        if (mark.is_all) {
            is_all = true;
            continue;
        }
        DirtyKey* key = Touch(mark.key);
        key->is_forced |= !mapping_.other_keys().empty();  // that of another key may be why
        if (mark.by_store) {
            key->by_store = true;
            key->stored_at = std::max(key->stored_at, mark.at);
        }
        if (mark.by_table) {
            key->by_table = true;
            key->changed_at = std::max(key->changed_at, mark.at);
        }
        reads_entries_ = true;
    }
    if (is_all) {
        TouchAll();
    }
    for (const HeldKey& held : TakeDueKeys(binding_.id, &next_due_)) {
        DirtyKey* key = Touch(held.key);
        key->by_store |= held.by_store;
        key->by_table |= held.by_table;
        key->stored_at = std::max(key->stored_at, held.stored_at);
        key->changed_at = std::max(key->changed_at, held.changed_at);
        key->delay = held.delay;
        key->is_forced |= !mapping_.other_keys().empty();
        reads_entries_ = true;
    }
    more_ |= more;
}

// All keys that are known come as marks of their own, in as many batches as they need.
void BindingApplier::TouchAll() {
    std::string after;
    for (;;) {
        const std::vector<std::string> keys = ListBases(binding_.id, after, static_cast<int>(kBatch));
        if (keys.empty()) {
            break;
        }
        for (const std::string& key : keys) {
            MarkKey(binding_.id, {.key = key});
        }
        after = keys.back();
    }
    if (binding_.ReadsTable()) {
        // Rows that came without leaving marks, as with a partition.
        for (std::vector<std::string> behind;;) {
            const auto rows = target_->ListKeys(behind, static_cast<int>(kBatch));
            if (rows.empty()) {
                break;
            }
            for (const std::vector<std::string>& values : rows) {
                if (const std::optional<std::string> key = mapping_.KeyOf(values)) {
                    MarkKey(binding_.id, {.key = *key});
                }
            }
            behind = rows.back();
        }
    }
    more_ = true;
}

void BindingApplier::LoadPage(const Branch& branch) {
    if (progress_.load == BindingLoad::kToTable) {
        LoadEntries(branch);
    } else if (progress_.load == BindingLoad::kFromTable) {
        LoadRows();
    }
}

void BindingApplier::LoadEntries(const Branch& branch) {
    const std::string after = progress_.loaded.empty() ? "" : progress_.loaded.front() + '\0';
    const size_t most = keys_.size() + kBatch;
    bool found = false;
    for (const Pattern::Range& range : mapping_.pattern().Ranges()) {
        if (!range.end.empty() && range.end <= after) {
            continue;
        }
        KeyRange keys = ToKeyRange(range);
        keys.start = std::max(range.start, after);
        EntryScan scan(ViewOf(branch), {.range = keys, .with_meta = false});
        while (keys_.size() < most && scan.Next()) {
            if (mapping_.pattern().Matches(scan.key())) {
                Touch(scan.key())->by_store = true;
                progress_.loaded = {std::string(scan.key())};
                reads_entries_ = found = true;
            }
        }
    }
    if (!found) {
        progress_.load = BindingLoad::kNone;
        progress_.loaded.clear();
    }
    more_ |= found;
}

void BindingApplier::LoadRows() {
    const auto rows = target_->ListKeys(progress_.loaded, static_cast<int>(kBatch));
    for (const std::vector<std::string>& values : rows) {
        if (const std::optional<std::string> key = mapping_.KeyOf(values)) {
            Touch(*key)->by_table = true;
            reads_entries_ = true;
        }
    }
    progress_.load = rows.empty() ? BindingLoad::kNone : BindingLoad::kFromTable;
    progress_.loaded = rows.empty() ? std::vector<std::string>() : rows.back();
    more_ |= !rows.empty();
}

void BindingApplier::TouchEvent(EventReader* event) {
    if (mapping_.pattern().Matches(event->key())) {
        DirtyKey* key = Touch(event->key());
        key->by_store = true;
        key->pos = event->pos();
        key->stored_at = ToServerTime(event->metadata().updated_at);
        if (binding_.ComparesSides()) {
            reads_entries_ = true;
            return;
        }
        key->has_document = true;
        key->is_unreadable = event->item() != nullptr && event->item()->type != ValueType::kJson;
        key->row.document.reset();
        if (event->item() != nullptr && !key->is_unreadable) {
            const std::string_view payload = event->LoadPayload();
            key->row.document = Guarded([&] { return MakeVarlena(payload); });
        }
    }
    for (size_t i = 0; i < mapping_.other_keys().size(); i++) {
        if (const std::optional<std::string> key = mapping_.KeyOfOther(i, event->key())) {
            DirtyKey* dirty = Touch(*key);
            dirty->is_forced = true;
            dirty->pos = event->pos();
            reads_entries_ = true;
        }
    }
}

// A batch is full where the next event is of another transaction.
void BindingApplier::ReadStream(Snapshot snapshot) {
    const int64 last = Guarded([&] { return LastPosition(snapshot); });
    if (!binding_.WritesTable() || progress_.pos >= last) {
        progress_.pos = std::max(progress_.pos, last);
        return;
    }
    EventFilter filter;
    filter.branch = binding_.branch_id;
    if (mapping_.other_keys().empty() && !mapping_.pattern().MatchesEverything()) {
        filter.pattern = mapping_.pattern();
    }
    try {
        EventReader reader(progress_.pos, std::move(filter), snapshot);
        const int64 end = progress_.pos + kMostPositions;
        // Of these alone: what was loaded or marked must not keep CatchUp from getting on.
        const size_t before = keys_.size();
        uint64 xid = 0;
        while (reader.Next(end)) {
            const size_t added = keys_.size() - before;
            const bool is_full = added >= kBatch && reader.xid() != xid;
            if (is_full || added >= kMostKeys) {
                reader.Close();
                more_ = true;
                return;
            }
            xid = reader.xid();
            TouchEvent(&reader);
            progress_.pos = reader.pos();
            Guarded([] { CHECK_FOR_INTERRUPTS(); });
        }
        reader.Close();
        progress_.pos = reader.pos();
        more_ |= progress_.pos < last;
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kPositionGone && error.code() != ErrorCode::kPositionUnknown) {
            throw;
        }
        throw BindingProblem(std::string("it has missed events: ") + error.what());
    }
}

// One-way: an entry that was read may be newer than the events that were. They follow at once, so that a row
// is not made older again.
void BindingApplier::CatchUp() {
    Snapshot latest = RegisterLatestSnapshot();
    for (int tries = 0; !AreOrdered(snapshot_, latest); tries++) {
        if (tries == kPatience) {
            throw CouldNotSerialize("changes that have no position yet");
        }
        Guarded([] {
            CHECK_FOR_INTERRUPTS();
            pg_usleep(kPause * 1000L);
        });
        ReleaseSnapshot(latest);
        latest = RegisterLatestSnapshot();
    }
    const int64 last = Guarded([&] { return LastPosition(latest); });
    while (progress_.pos < last) {
        ReadStream(latest);
    }
    ReleaseSnapshot(latest);
}

}  // namespace kvs::pg
