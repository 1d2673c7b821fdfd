#include "pg/table/tag_table.h"

#include "pg/table/owner_query.h"
#include "pg/table/table_access.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {
enum TagColumn { kNameColumn = 1, kCommitHashColumn, kMessageColumn, kTaggerColumn, kCreatedAtColumn };
}  // namespace

std::optional<Hash> FindTag(std::string_view name, Snapshot snapshot) {
    Hash hash;
    const bool found = Guarded([&] {
        Table table = OpenForRead(Object::kTag, Object::kTagPkey);
        ScanKeyData key;
        KeyText(&key, 1, MakeVarlena(name));
        const bool hit = Lookup(&table, snapshot, &key, 1);
        if (hit) {
            hash = DatumHash(table.Get(kCommitHashColumn));
        }
        Close(&table);
        return hit;
    });
    return found ? std::optional<Hash>(hash) : std::nullopt;
}

std::optional<Tag> ReadTag(std::string_view name, Snapshot snapshot) {
    std::optional<Tag> tag;
    ScanKeyData key;
    Guarded([&] { KeyText(&key, 1, MakeVarlena(name)); });
    ForEachRow(
        Object::kTag, Object::kTagPkey, snapshot, ForwardScanDirection, &key, 1,
        [&](const Table& table) {
            bool is_null;
            const Datum message = table.Get(kMessageColumn, &is_null);
            tag.emplace();
            tag->name = name;
            tag->commit = DatumHash(table.Get(kCommitHashColumn));
            tag->tagger = DatumContents(table.Get(kTaggerColumn));
            tag->created_at = DatumGetTimestampTz(table.Get(kCreatedAtColumn));
            if (!is_null) {
                tag->message = DatumContents(message);
            }
        },
        [] { return true; });
    return tag;
}

void ForEachTag(Snapshot snapshot,
                const std::function<bool(std::string_view name, const std::optional<Hash>& commit)>& visit) {
    std::string_view name;
    std::optional<Hash> commit;
    ForEachRow(
        Object::kTag, Object::kTagPkey, snapshot, ForwardScanDirection, nullptr, 0,
        [&](const Table& table) {
            name = DatumContents(table.Get(kNameColumn));
            commit = DatumAddress(table.Get(kCommitHashColumn));
        },
        [&] { return visit(name, commit); });
}

void AddTag(const Tag& tag) {
    ExecuteAsOwner(
        "INSERT INTO _kvs.tag (name, commit_hash, message, tagger, created_at) VALUES ($1, $2, $3, $4, $5)",
        {Parameter::Text(tag.name), Parameter::Address(tag.commit),
         tag.message ? Parameter::Text(*tag.message) : Parameter::Null(TEXTOID), Parameter::Text(tag.tagger),
         Parameter::Time(tag.created_at)});
}

bool RemoveTag(std::string_view name) {
    return ExecuteAsOwner("DELETE FROM _kvs.tag WHERE name = $1", {Parameter::Text(name)}) > 0;
}

}  // namespace kvs::pg
