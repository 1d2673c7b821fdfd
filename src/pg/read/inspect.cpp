#include "pg/read/inspect.h"

#include <optional>
#include <string>

#include "kvs/error.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"
#include "kvs/tree/stats.h"
#include "kvs/util/quote.h"
#include "pg/chunk/stored_chunks.h"
#include "pg/read/object_json.h"
#include "pg/read/ref_resolver.h"
#include "pg/table/commit_table.h"
#include "pg/wall/store_error.h"

namespace kvs::pg {

namespace {

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

Json::Object ChunkMembers(const Hash& hash, StoredChunk chunk) {
    if (chunk.state == StoredChunk::State::kMissing) {
        throw Error(ErrorCode::kNotFound, "object " + hash.ToHex() + " does not exist");
    }
    if (chunk.state == StoredChunk::State::kDamaged) {
        throw Damaged("chunk " + hash.ToHex() + " is damaged: " + chunk.problem);
    }
    const size_t size = chunk.raw.size();
    Json::Object members;
    if (const Result<std::string_view> payload = DecodeBlob(chunk.raw); payload.ok()) {
        members = {{"object", Json::String("blob")}, {"payload_bytes", NumberJson(payload.value().size())}};
    } else {
        members = NodeMembers(*Node::Parse(std::move(chunk.raw)).OrThrow());
    }
    members.emplace("bytes", NumberJson(size));
    members.emplace("stored_bytes", NumberJson(chunk.stored_size));
    return members;
}

}  // namespace

Json InspectCommit(std::string_view ref) {
    Snapshot snapshot = GetActiveSnapshot();
    const Hash hash = ResolveCommit(ref, {}, snapshot);
    return Json::FromObject(CommitMembers(hash, ReadCommit(hash, snapshot)));
}

Json InspectTree(std::string_view ref_or_root) {
    StoredChunks chunks(GetActiveSnapshot());
    const Hash root = ResolveRoot(ref_or_root, &chunks);
    const uint64_t stored_before = chunks.stored_bytes();
    const TreeStats stats = CollectTreeStats(chunks, root);
    Json::Array histogram;
    for (size_t i = 0; i < TreeStats::kSizeClasses; i++) {
        if (stats.nodes_by_size[i] > 0) {
            histogram.push_back(Json::FromObject({{"from_bytes", NumberJson(i * TreeStats::kSizeClassBytes)},
                                                  {"nodes", NumberJson(stats.nodes_by_size[i])}}));
        }
    }
    Json report = Json::FromObject({{"root", Json::String(root.ToHex())},
                                    {"depth", NumberJson(static_cast<uint64_t>(stats.depth))},
                                    {"nodes", NumberJson(stats.nodes)},
                                    {"leaves", NumberJson(stats.leaves)},
                                    {"entries", NumberJson(stats.entries)},
                                    {"bytes", NumberJson(stats.bytes)},
                                    {"leaf_bytes", NumberJson(stats.leaf_bytes)},
                                    {"stored_bytes", NumberJson(chunks.stored_bytes() - stored_before)},
                                    {"size_histogram", Json::FromArray(std::move(histogram))}});
    chunks.Finish();
    return report;
}

Json DumpObject(std::string_view text) {
    const std::optional<Hash> hash = Hash::FromHex(text);
    if (!hash) {
        throw Error(ErrorCode::kInvalidArgument, "malformed hash " + Quoted(text),
                    "The hash of an object has 64 hexadecimal digits.");
    }
    Snapshot snapshot = GetActiveSnapshot();
    Json::Object members;
    if (const std::optional<Commit> commit = TryReadCommit(*hash, snapshot)) {
        members = CommitMembers(*hash, *commit);
        members.emplace("object", Json::String("commit"));
    } else if (*hash == kEmptyRoot) {
        // Known by its address and stored nowhere.
        members = {{"object", Json::String("empty tree")},
                   {"hash", Json::String(hash->ToHex())},
                   {"entries", NumberJson(0)}};
    } else {
        StoredChunks chunks(snapshot);
        members = ChunkMembers(*hash, chunks.Read(*hash));
        members.emplace("hash", Json::String(hash->ToHex()));
        chunks.Finish();
    }
    return Json::FromObject(std::move(members));
}

}  // namespace kvs::pg
