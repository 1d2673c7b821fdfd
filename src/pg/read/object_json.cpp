#include "pg/read/object_json.h"

#include <string>

#include "kvs/codec/item.h"
#include "kvs/util/quote.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/jsonb_json.h"

extern "C" {
#include "utils/datetime.h"
#include "utils/json.h"
}

namespace kvs::pg {

namespace {

using Members = Json::Object;

Json HexBytes(std::string_view bytes) {
    std::string hex(bytes.size() * 2, '\0');
    Guarded([&] { hex_encode(bytes.data(), bytes.size(), hex.data()); });
    return Json::String(std::move(hex));
}

// What is text as text, anything else in the form of bytea.
Json TextOrHex(std::string_view bytes) {
    const bool is_text =
        Guarded([&] { return pg_verifymbstr(bytes.data(), static_cast<int>(bytes.size()), true); });
    return is_text ? Json::String(std::string(bytes)) : Json::String(BytesText(bytes));
}

// As to_jsonb writes a timestamptz.
Json Moment(Timestamp time) {
    char buffer[MAXDATELEN + 1];
    Guarded([&] {
        JsonEncodeDateTime(buffer, TimestampTzGetDatum(ToServerTime(time)), TIMESTAMPTZOID, nullptr);
    });
    return Json::String(buffer);
}

Json LogIdText(const std::array<uint8_t, 16>& log_id) {
    return Json::String(Guarded([&] {
        pg_uuid_t uuid;
        memcpy(uuid.data, log_id.data(), UUID_LEN);
        return static_cast<const char*>(DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&uuid))));
    }));
}

// Which changes of its log a commit took; not part of the commit itself.
Json ConsumedSnapshot(const Hash& hash) {
    OwnerQuery row("SELECT consumed_snapshot::text FROM _kvs.commit WHERE hash = $1",
                   {Parameter::Address(hash)});
    Json snapshot;
    if (row.Next() && !row.IsNull(1)) {
        snapshot = Json::String(std::string(row.Bytes(1)));
    }
    row.Finish();
    return snapshot;
}

Members DataItemMembers(const DataItem& item) {
    Members members;
    members.emplace("type", Json::String(item.type == ValueType::kJson ? "json" : "bytes"));
    members.emplace("size", NumberJson(item.PayloadSize()));
    if (item.expires_at) {
        members.emplace("expires_at", Moment(*item.expires_at));
    }
    if (item.blob) {
        members.emplace("blob", Json::String(item.blob->address.ToHex()));
    } else if (item.type == ValueType::kJson) {
        members.emplace("value", JsonFromJsonb(item.payload));
    } else {
        members.emplace("bytes", HexBytes(item.payload));
    }
    return members;
}

Members MetadataMembers(const Metadata& metadata) {
    Json::Array tags;
    for (const std::string& tag : metadata.tags) {
        tags.push_back(Json::String(tag));
    }
    Members members{
        {"version", NumberJson(metadata.version)},     {"deleted", Json::Bool(metadata.deleted)},
        {"created_at", Moment(metadata.created_at)},   {"updated_at", Moment(metadata.updated_at)},
        {"log_id", LogIdText(metadata.change.log_id)}, {"seq", NumberJson(metadata.change.seq)},
        {"tags", Json::FromArray(std::move(tags))}};
    if (!metadata.origin.empty()) {
        members.emplace("origin", Json::String(metadata.origin));
    }
    if (!metadata.modified_by.empty()) {
        members.emplace("modified_by", Json::String(metadata.modified_by));
    }
    if (metadata.comment) {
        members.emplace("comment", Json::String(*metadata.comment));
    }
    if (metadata.schema_hash) {
        members.emplace("schema_hash", Json::String(*metadata.schema_hash));
    }
    return members;
}

// A leaf does not say which tree it is of. Metadata items are told by their form, which is strict.
bool IsMetadataLeaf(const Node& node) {
    for (size_t i = 0; i < node.count(); i++) {
        if (!DecodeMetadata(node.Value(i)).ok()) {
            return false;
        }
    }
    return true;
}

Members LeafItemMembers(std::string_view value, bool is_metadata) {
    if (is_metadata) {
        return MetadataMembers(DecodeMetadata(value).OrThrow());
    }
    const Result<DataItem> item = DecodeDataItem(value);
    return item.ok() ? DataItemMembers(item.value()) : Members{{"raw", HexBytes(value)}};
}

}  // namespace

Json NumberJson(uint64_t value) {
    return Json::Number(std::to_string(value)).OrThrow();
}

Json::Object CommitMembers(const Hash& hash, const Commit& commit) {
    Json::Array parents;
    for (const Hash& parent : commit.parents) {
        parents.push_back(Json::String(parent.ToHex()));
    }
    Members trees;
    for (const auto& [name, root] : commit.trees) {
        trees.emplace(name, Json::String(root.ToHex()));
    }
    return {{"hash", Json::String(hash.ToHex())},
            {"generation", NumberJson(commit.generation)},
            {"parents", Json::FromArray(std::move(parents))},
            {"data_root", Json::String(commit.data_root.ToHex())},
            {"meta_root", Json::String(commit.meta_root.ToHex())},
            {"trees", Json::FromObject(std::move(trees))},
            {"author", Json::String(commit.author)},
            {"committer", Json::String(commit.committer)},
            {"message", Json::String(commit.message)},
            {"committed_at", Moment(commit.committed_at)},
            {"log_id", LogIdText(commit.log_id)},
            {"consumed_snapshot", ConsumedSnapshot(hash)}};
}

Json::Object NodeMembers(const Node& node) {
    Json::Array items;
    std::string key;
    const bool is_metadata = node.is_leaf() && IsMetadataLeaf(node);
    for (size_t i = 0; i < node.count(); i++) {
        Members item;
        if (node.is_leaf()) {
            item = LeafItemMembers(node.Value(i), is_metadata);
            item.emplace("key", TextOrHex(node.Key(i, &key)));
        } else {
            item.emplace("last_key", TextOrHex(node.Key(i, &key)));
            item.emplace("child", Json::String(node.ChildHash(i).ToHex()));
            item.emplace("entries", NumberJson(node.ChildEntries(i)));
        }
        items.push_back(Json::FromObject(std::move(item)));
    }
    return {{"object", Json::String(!node.is_leaf() ? "internal node"
                                    : is_metadata   ? "metadata leaf"
                                                    : "data leaf")},
            {"level", NumberJson(static_cast<uint64_t>(node.level()))},
            {"entries", NumberJson(node.entries())},
            {"items", Json::FromArray(std::move(items))}};
}

}  // namespace kvs::pg
