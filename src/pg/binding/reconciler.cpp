#include "pg/binding/reconciler.h"

#include <algorithm>
#include <utility>

#include "kvs/codec/item.h"
#include "kvs/error.h"
#include "kvs/json/json.h"
#include "pg/table/role_scope.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/jsonb_json.h"
#include "pg/wall/server_hasher.h"
#include "pg/write/write_arguments.h"
#include "pg/write/writer.h"

namespace kvs::pg {

namespace {

constexpr const char* kSuppressed = "09000";     // triggered_action_exception
constexpr const char* kConflictState = "40001";  // serialization_failure

std::optional<Hash> HashOfImage(const Image& image) {
    ServerHasher hasher;
    return image ? std::optional(hasher.Sha256(*image)) : std::nullopt;
}

std::optional<Hash> HashOfDatum(const std::optional<Datum>& document) {
    return document ? std::optional(HashOfDocument(Contents(DatumGetPointer(*document)))) : std::nullopt;
}

// A document of an entry; false if it holds bytes.
bool ReadDocument(EntryReader* reader, const std::string& key, std::optional<Datum>* document,
                  MetadataHeader* header) {
    const Datum datum = Guarded([&] { return MakeVarlena(key); });
    const std::optional<FoundEntry> found = reader->Find(datum, header != nullptr);
    document->reset();
    if (!found) {
        return true;
    }
    if (found->item.type != ValueType::kJson) {
        return false;
    }
    if (header != nullptr) {
        *header = DecodeMetadataHeader(found->meta.bytes).OrThrow();
    }
    const std::string_view payload = reader->LoadPayload(found->item);
    *document = Guarded([&] { return MakeVarlena(payload); });
    return true;
}

// When the entry that is not there any more was deleted; nullopt: there was none, as far as is known.
std::optional<TimestampTz> DeletedAt(EntryReader* reader, const std::string& key) {
    const std::optional<std::string> metadata =
        reader->FindMetadata(Guarded([&] { return MakeVarlena(key); }));
    if (!metadata) {
        return std::nullopt;
    }
    const MetadataHeader header = DecodeMetadataHeader(*metadata).OrThrow();
    // One that has expired ends now, until somebody deletes it.
    return header.deleted() ? ToServerTime(header.updated_at) : GetCurrentTimestamp();
}

}  // namespace

// A key and its row.
struct Reconciler::Pair {
    DirtyKey* key;
    Image row = {};     // as it is
    Image formed = {};  // what it would be
    BindingBase base = {};
    BindingAction action = BindingAction::kNothing;
    bool writes_entry = false;  // with what the row is now
    bool is_settled = false;    // the base is to be written
    bool is_put_off = false;    // somebody was faster, or it was parked
};

void Outcome::Add(Outcome other) {
    written += other.written;
    returned += other.returned;
    conflicts += other.conflicts;
    std::move(other.again.begin(), other.again.end(), std::back_inserter(again));
    std::move(other.held.begin(), other.held.end(), std::back_inserter(held));
    parked.merge(other.parked);
}

void Reconciler::ReadEntries(const DirtyKeys& keys, const ReadView& view) {
    EntryReader reader(view);
    for (DirtyKey* key : keys) {
        if (!key->has_document) {
            MetadataHeader header;
            key->is_unreadable = !ReadDocument(&reader, key->key, &key->row.document, &header);
            if (key->row.document) {
                key->version = header.version;
                key->stored_at = ToServerTime(header.updated_at);
            } else if (binding_.ComparesSides() && !key->is_unreadable) {
                key->stored_at = DeletedAt(&reader, key->key).value_or(key->stored_at);
            }
        }
        key->row.others.clear();
        if (key->row.key.empty()) {
            continue;
        }
        for (size_t i = 0; i < mapping_.other_keys().size(); i++) {
            const std::optional<std::string> other = mapping_.OtherKey(i, key->row.key);
            std::optional<Datum> document;
            if (other && key->row.document && !ReadDocument(&reader, *other, &document, nullptr)) {
                key->is_unreadable = true;
            }
            key->row.others.push_back(document);
        }
    }
}

Outcome Reconciler::Reconcile(const DirtyKeys& keys) {
    Outcome outcome;
    if (!binding_.ComparesSides()) {
        TargetRows rows;
        for (const DirtyKey* key : keys) {
            rows.push_back(&key->row);
        }
        target_->Replace(rows);
        outcome.written = static_cast<int64>(rows.size());
        return outcome;
    }
    std::vector<Pair> pairs;
    for (DirtyKey* key : keys) {
        pairs.push_back({.key = key});
    }
    Compare(&pairs, &outcome);
    if (binding_.WritesTable()) {
        WriteRows(&pairs, &outcome);
    }
    if (binding_.ReadsTable()) {
        WriteEntries(&pairs, &outcome);
    }
    std::map<std::string, BindingBase> bases;
    for (const Pair& pair : pairs) {
        if (pair.is_settled && !pair.is_put_off) {
            bases[pair.key->key] = pair.base;
        }
    }
    WriteBases(binding_.id, bases);
    return outcome;
}

void Reconciler::Compare(std::vector<Pair>* pairs, Outcome* outcome) {
    TargetRows rows;
    std::vector<std::string> keys;
    for (const Pair& pair : *pairs) {
        rows.push_back(&pair.key->row);
        keys.push_back(pair.key->key);
    }
    const std::vector<Image> images = target_->Read(rows, binding_.WritesTable());
    const std::vector<Image> formed = target_->Form(rows);
    const std::map<std::string, BindingBase> bases = ReadBases(binding_.id, keys);
    for (size_t i = 0; i < pairs->size(); i++) {
        Pair& pair = (*pairs)[i];
        DirtyKey& key = *pair.key;
        pair.row = images[i];
        pair.formed = formed[i];
        const BindingBase now = {HashOfDatum(key.row.document), HashOfImage(pair.row)};
        BindingSides sides = {.store_changed = key.by_store,
                              .table_changed = key.by_table,
                              .are_equal = pair.row == pair.formed,
                              .table_later = key.stored_at == 0 || key.changed_at > key.stored_at};
        if (const auto base = bases.find(key.key); base != bases.end()) {
            pair.base = base->second;
            sides.store_changed = now.entry != pair.base.entry;
            sides.table_changed = now.row != pair.base.row;
        } else if (!key.by_store && !key.by_table) {
            // Nothing is known of it: what there is has come.
            sides.store_changed = now.entry.has_value();
            sides.table_changed = now.row.has_value();
        }
        if (binding_.ReadsTable() && sides.store_changed && sides.table_changed && !sides.are_equal &&
            key.changed_at == 0 && key.stored_at != 0) {
            // The row was changed by who committed behind the marks of this batch: his mark tells when. If
            // there is none the next time either, the entry counts as the later one.
            key.by_table = true;
            key.changed_at = key.stored_at - 1;
            pair.is_put_off = true;
            outcome->again.push_back(&key);
            continue;
        }
        const BindingDecision decision = DecideBinding(binding_.direction, binding_.conflict, sides);
        outcome->conflicts += decision.was_conflict ? 1 : 0;
        pair.action = decision.action;
        // What comes from elsewhere is no part of the comparison.
        if (key.is_forced && pair.row && key.row.document &&
            (pair.action == BindingAction::kNothing || pair.action == BindingAction::kNote)) {
            pair.action = BindingAction::kWriteTable;
        }
        switch (pair.action) {
            case BindingAction::kNothing:
                break;
            case BindingAction::kPark:
                pair.is_put_off = true;
                outcome->parked[pair.key] = {"both the entry and the row have changed", kConflictState};
                break;
            case BindingAction::kWriteStore:
                pair.writes_entry = true;
                [[fallthrough]];
            case BindingAction::kNote:
            case BindingAction::kWriteTable:
                pair.base = now;
                pair.is_settled = true;
                break;
        }
    }
}

void Reconciler::WriteRows(std::vector<Pair>* pairs, Outcome* outcome) {
    std::vector<Pair*> inserts;
    std::vector<Pair*> updates;
    std::vector<Pair*> deletes;
    for (Pair& pair : *pairs) {
        if (pair.action == BindingAction::kWriteTable) {
            (!pair.key->row.document ? deletes : pair.row ? updates : inserts).push_back(&pair);
        }
    }
    WriteRowsOf(BindingTarget::Write::kDelete, deletes, outcome);
    WriteRowsOf(BindingTarget::Write::kUpdate, updates, outcome);
    WriteRowsOf(BindingTarget::Write::kInsert, inserts, outcome);
}

void Reconciler::WriteRowsOf(BindingTarget::Write write, const std::vector<Pair*>& pairs, Outcome* outcome) {
    TargetRows rows;
    for (const Pair* pair : pairs) {
        rows.push_back(&pair->key->row);
    }
    const std::vector<Image> images = target_->Change(write, rows);
    for (size_t i = 0; i < pairs.size(); i++) {
        Pair& pair = *pairs[i];
        if (!images[i]) {
            pair.is_put_off = true;
            const bool came = write == BindingTarget::Write::kInsert && target_->Read({rows[i]}, false)[0];
            if (came) {
                outcome->again.push_back(pair.key);
            } else {
                outcome->parked[pair.key] = {"a trigger of the table has suppressed the row", kSuppressed};
            }
            continue;
        }
        outcome->written++;
        pair.row = write == BindingTarget::Write::kDelete ? Image() : images[i];
        pair.base.row = HashOfImage(pair.row);
        pair.writes_entry = binding_.ReadsTable() && pair.row != pair.formed;
    }
}

// What the row makes of the document: its columns, where they are others than the document gives.
Json Reconciler::DocumentOf(const Pair& pair) const {
    std::optional<Json> document;
    std::optional<Json> formed;
    if (pair.key->row.document) {
        document = JsonFromJsonb(Contents(DatumGetPointer(*pair.key->row.document)));
        formed = Json::Parse(pair.formed.value()).OrThrow();
    }
    const Json row = Json::Parse(pair.row.value()).OrThrow();
    std::vector<PathChange> changes;
    size_t i = 0;
    for (size_t column = 0; column < mapping_.columns().size(); column++) {
        if (mapping_.columns()[column].source != MappedColumn::Source::kPath) {
            continue;
        }
        const Json& value = row.array()[i];
        if (!formed || !(value == formed->array()[i])) {
            PathChange change = {&mapping_.columns()[column].path, value};
            if (target_->IsWrapped(column)) {
                change.value = value.IsNull() ? std::nullopt : std::optional(value.array().front());
            }
            changes.push_back(std::move(change));
        }
        i++;
    }
    return ChangePaths(std::move(document), std::move(changes)).OrThrow();
}

void Reconciler::WriteEntries(std::vector<Pair>* pairs, Outcome* outcome) {
    std::vector<Pair*> writes;
    for (Pair& pair : *pairs) {
        if (pair.writes_entry && !pair.is_put_off) {
            writes.push_back(&pair);
        }
    }
    if (writes.empty()) {
        return;
    }
    std::sort(writes.begin(), writes.end(),
              [](const Pair* a, const Pair* b) { return a->key->key < b->key->key; });
    const std::string creator_name = binding_.creator;
    const RoleScope creator(Guarded([&] { return get_role_oid(creator_name.c_str(), false); }));
    Writer writer(binding_.branch_id);
    for (Pair* pair : writes) {
        const Datum key = Guarded([&] { return MakeVarlena(pair->key->key); });
        const bool deletes = !pair->row;
        WriteArguments arguments = {};
        arguments.expected_version = static_cast<int64>(pair->key->version);
        arguments.modified_by = creator_name;
        WriteRequest request = ToRequest(deletes ? WriteKind::kDelete : WriteKind::kPatch,
                                         deletes ? Operation::kDelete : Operation::kSet, arguments);
        request.options.origin = binding_.Origin();
        Written written;
        std::optional<Hash> hash;
        try {
            if (deletes) {
                written = writer.Update(key, request);
            } else {
                const Datum document = JsonbFromJson(DocumentOf(*pair));
                const DataItem item = JsonItem(Contents(DatumGetPointer(document)));
                hash = HashOfDocument(item.payload);
                written = writer.Update(key, request, [&](const CurrentEntry&) { return item; });
            }
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kStaleVersion) {
                throw;
            }
        }
        if (written.changed()) {
            outcome->returned++;
            pair->base.entry = hash;
            continue;
        }
        (written.outcome == Written::Outcome::kBusy ? outcome->held : outcome->again).push_back(pair->key);
        if (pair->action == BindingAction::kWriteTable) {
            // The row has what the entry said, and what has come to that is a change of the row.
            pair->base.row = HashOfImage(pair->formed);
        } else {
            pair->is_put_off = true;
        }
    }
    writer.Finish();
}

}  // namespace kvs::pg
