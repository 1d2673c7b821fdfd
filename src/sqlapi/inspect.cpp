// A look inside the store: inspect_commit, inspect_tree, dump_object.
#include <algorithm>
#include <optional>
#include <string>

#include "kvs/codec/item.h"
#include "kvs/error.h"
#include "kvs/json/json.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"
#include "kvs/tree/stats.h"
#include "kvs/util/quote.h"
#include "pg/chunk/stored_chunks.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/access_guard.h"
#include "pg/table/commit_table.h"
#include "pg/table/owner_query.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/jsonb_json.h"

extern "C" {
#include "utils/datetime.h"
#include "utils/json.h"
}

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

using Members = Json::Object;

Json Number(uint64_t value) {
    return Json::Number(std::to_string(value)).OrThrow();
}

Json HexBytes(std::string_view bytes) {
    std::string hex(bytes.size() * 2, '\0');
    Guarded([&] { hex_encode(bytes.data(), bytes.size(), hex.data()); });
    return Json::String(std::move(hex));
}

// What is text as text, anything else in the form of bytea.
Json TextOrHex(std::string_view bytes) {
    const bool is_text =
        Guarded([&] { return pg_verifymbstr(bytes.data(), static_cast<int>(bytes.size()), true); });
    return is_text ? Json::String(std::string(bytes)) : Json::String("\\x" + HexBytes(bytes).string());
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

// --- commits

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

Members CommitMembers(const Hash& hash, const Commit& commit) {
    Json::Array parents;
    for (const Hash& parent : commit.parents) {
        parents.push_back(Json::String(parent.ToHex()));
    }
    Members trees;
    for (const auto& [name, root] : commit.trees) {
        trees.emplace(name, Json::String(root.ToHex()));
    }
    return {{"hash", Json::String(hash.ToHex())},
            {"generation", Number(commit.generation)},
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

Datum InspectCommit(std::string_view ref) {
    Snapshot snapshot = GetActiveSnapshot();
    const Hash hash = ResolveCommit(ref, {}, snapshot);
    return JsonbFromJson(Json::FromObject(CommitMembers(hash, ReadCommit(hash, snapshot))));
}

// --- trees

// The root that a ref or a full hash means; the hash of a commit is a ref.
Hash ResolveRoot(std::string_view text, StoredChunks* chunks) {
    Snapshot snapshot = GetActiveSnapshot();
    const std::optional<Hash> address = Hash::FromHex(text);
    if (!address || TryReadCommit(*address, snapshot)) {
        return ResolveRef(text, {}, snapshot).roots.data_root;
    }
    if (*address != kEmptyRoot) {
        const StoredChunk chunk = chunks->Read(*address);
        if (chunk.state == StoredChunk::State::kMissing) {
            throw Error(ErrorCode::kUnknownRef,
                        "there is no commit and no tree with the hash " + address->ToHex());
        }
        if (chunk.state == StoredChunk::State::kWhole && DecodeBlob(chunk.raw).ok()) {
            throw Error(ErrorCode::kUnknownRef, "object " + address->ToHex() + " is a blob, not a tree",
                        "kvs.dump_object() shows it.");
        }
    }
    return *address;
}

Datum InspectTree(std::string_view ref_or_root) {
    StoredChunks chunks(GetActiveSnapshot());
    const Hash root = ResolveRoot(ref_or_root, &chunks);
    const uint64_t stored_before = chunks.stored_bytes();
    const TreeStats stats = CollectTreeStats(chunks, root);
    Json::Array histogram;
    for (size_t i = 0; i < TreeStats::kSizeClasses; i++) {
        if (stats.nodes_by_size[i] > 0) {
            histogram.push_back(Json::FromObject({{"from_bytes", Number(i * TreeStats::kSizeClassBytes)},
                                                  {"nodes", Number(stats.nodes_by_size[i])}}));
        }
    }
    Json report = Json::FromObject({{"root", Json::String(root.ToHex())},
                                    {"depth", Number(static_cast<uint64_t>(stats.depth))},
                                    {"nodes", Number(stats.nodes)},
                                    {"leaves", Number(stats.leaves)},
                                    {"entries", Number(stats.entries)},
                                    {"bytes", Number(stats.bytes)},
                                    {"leaf_bytes", Number(stats.leaf_bytes)},
                                    {"stored_bytes", Number(chunks.stored_bytes() - stored_before)},
                                    {"size_histogram", Json::FromArray(std::move(histogram))}});
    chunks.Finish();
    return JsonbFromJson(report);
}

// --- objects

Members DataItemMembers(const DataItem& item) {
    Members members;
    members.emplace("type", Json::String(item.type == ValueType::kJson ? "json" : "bytes"));
    members.emplace("size", Number(item.PayloadSize()));
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
        {"version", Number(metadata.version)},         {"deleted", Json::Bool(metadata.deleted)},
        {"created_at", Moment(metadata.created_at)},   {"updated_at", Moment(metadata.updated_at)},
        {"log_id", LogIdText(metadata.change.log_id)}, {"seq", Number(metadata.change.seq)},
        {"tags", Json::FromArray(std::move(tags))}};
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

Members NodeMembers(const Node& node) {
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
            item.emplace("entries", Number(node.ChildEntries(i)));
        }
        items.push_back(Json::FromObject(std::move(item)));
    }
    return {{"object", Json::String(!node.is_leaf() ? "internal node"
                                    : is_metadata   ? "metadata leaf"
                                                    : "data leaf")},
            {"level", Number(static_cast<uint64_t>(node.level()))},
            {"entries", Number(node.entries())},
            {"items", Json::FromArray(std::move(items))}};
}

Members ChunkMembers(const Hash& hash, StoredChunk chunk) {
    if (chunk.state == StoredChunk::State::kMissing) {
        throw Error(ErrorCode::kNotFound, "object " + hash.ToHex() + " does not exist");
    }
    if (chunk.state == StoredChunk::State::kDamaged) {
        throw Error(ErrorCode::kCorruption, "chunk " + hash.ToHex() + " is damaged: " + chunk.problem,
                    "SELECT * FROM kvs.check() tells what is damaged.");
    }
    const size_t size = chunk.raw.size();
    Members members;
    if (const Result<std::string_view> payload = DecodeBlob(chunk.raw); payload.ok()) {
        members = {{"object", Json::String("blob")}, {"payload_bytes", Number(payload.value().size())}};
    } else {
        members = NodeMembers(*Node::Parse(std::move(chunk.raw)).OrThrow());
    }
    members.emplace("bytes", Number(size));
    members.emplace("stored_bytes", Number(chunk.stored_size));
    return members;
}

Datum DumpObject(std::string_view text) {
    const std::optional<Hash> hash = Hash::FromHex(text);
    if (!hash) {
        throw Error(ErrorCode::kInvalidArgument, "malformed hash " + Quoted(text),
                    "The hash of an object has 64 hexadecimal digits.");
    }
    Snapshot snapshot = GetActiveSnapshot();
    Members members;
    if (const std::optional<Commit> commit = TryReadCommit(*hash, snapshot)) {
        members = CommitMembers(*hash, *commit);
        members.emplace("object", Json::String("commit"));
    } else if (*hash == kEmptyRoot) {
        // Known by its address and stored nowhere.
        members = {{"object", Json::String("empty tree")},
                   {"hash", Json::String(hash->ToHex())},
                   {"entries", Number(0)}};
    } else {
        StoredChunks chunks(snapshot);
        members = ChunkMembers(*hash, chunks.Read(*hash));
        members.emplace("hash", Json::String(hash->ToHex()));
        chunks.Finish();
    }
    return JsonbFromJson(Json::FromObject(std::move(members)));
}

}  // namespace

// (ref)
KVS_FUNCTION(kvs_inspect_commit)
{
    RequireRead();
    return InspectCommit(RequiredBytes(fcinfo, 0, "ref"));
}

// (ref_or_root)
KVS_FUNCTION(kvs_inspect_tree)
{
    RequireRead();
    return InspectTree(RequiredBytes(fcinfo, 0, "ref_or_root"));
}

// (hash)
KVS_FUNCTION(kvs_dump_object)
{
    RequireRead();
    return DumpObject(RequiredBytes(fcinfo, 0, "hash"));
}

}  // namespace kvs::sqlapi
