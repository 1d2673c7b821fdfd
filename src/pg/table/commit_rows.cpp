#include "pg/table/commit_rows.h"

#include <cstring>

#include "kvs/tree/chunk.h"
#include "pg/table/owner_query.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/server_hasher.h"

namespace kvs::pg {

namespace {

enum RowColumn {
    kHash = 1,
    kGeneration,
    kParents,
    kDataRoot,
    kMetaRoot,
    kAuthor,
    kCommitter,
    kMessage,
    kCommittedAt,
    kLogId,
    kBody,
};

// Parents as one string of addresses, the log as its 16 bytes.
constexpr const char* kRowQuery =
    "SELECT c.hash, c.generation,"
    " (SELECT string_agg(p.hash, ''::bytea ORDER BY p.n) FROM unnest(c.parents) WITH ORDINALITY AS p(hash, "
    "n)),"
    " c.data_root, c.meta_root, c.author, c.committer, c.message, c.committed_at, uuid_send(c.log_id), "
    "c.body "
    "FROM _kvs.commit AS c ORDER BY c.hash";

std::string JoinAddresses(const std::vector<Hash>& addresses) {
    std::string joined;
    for (const Hash& address : addresses) {
        joined += address.AsBytes();
    }
    return joined;
}

std::vector<Hash> SplitAddresses(std::string_view joined) {
    std::vector<Hash> addresses;
    for (; joined.size() >= Hash::kSize; joined.remove_prefix(Hash::kSize)) {
        addresses.push_back(Hash::FromBytes(joined));
    }
    return addresses;
}

}  // namespace

CommitRows::CommitRows() : row_(kRowQuery) {}

std::string_view CommitRows::body() {
    return row_.Bytes(kBody);
}

std::optional<Commit> CommitRows::Decode(std::string* problem) {
    const std::string_view encoded = body();
    ServerHasher hasher;
    if (HashCommit(hasher, encoded) != *hash()) {
        *problem = "the commit does not hash to its address";
        return std::nullopt;
    }
    Result<Commit> commit = DecodeCommit(encoded);
    if (!commit.ok()) {
        *problem = commit.error().what();
        return std::nullopt;
    }
    return std::move(commit).value();
}

std::string CommitRows::DifferingColumns(const Commit& commit) {
    std::string names;
    const auto compare = [&](const char* name, bool same) {
        if (!same) {
            names += names.empty() ? "" : ", ";
            names += name;
        }
    };
    const std::string_view log_id(reinterpret_cast<const char*>(commit.log_id.data()), commit.log_id.size());
    compare("generation", row_.Int8(kGeneration) == static_cast<int64>(commit.generation));
    compare("parents", row_.Bytes(kParents) == JoinAddresses(commit.parents));
    compare("data_root", row_.Bytes(kDataRoot) == commit.data_root.AsBytes());
    compare("meta_root", row_.Bytes(kMetaRoot) == commit.meta_root.AsBytes());
    compare("author", row_.Bytes(kAuthor) == commit.author);
    compare("committer", row_.Bytes(kCommitter) == commit.committer);
    compare("message", row_.Bytes(kMessage) == commit.message);
    compare("committed_at", row_.Int8(kCommittedAt) == ToServerTime(commit.committed_at));
    compare("log_id", row_.Bytes(kLogId) == log_id);
    return names;
}

std::vector<Hash> CommitRows::parents() {
    return SplitAddresses(row_.Bytes(kParents));
}

TreePair CommitRows::roots() {
    return {row_.Address(kDataRoot).value_or(kEmptyRoot), row_.Address(kMetaRoot).value_or(kEmptyRoot)};
}

Commit CommitRows::FromColumns() {
    Commit commit;
    commit.generation = static_cast<uint64_t>(row_.Int8(kGeneration));
    commit.parents = parents();
    commit.data_root = roots().data_root;
    commit.meta_root = roots().meta_root;
    commit.author = row_.Bytes(kAuthor);
    commit.committer = row_.Bytes(kCommitter);
    commit.message = row_.Bytes(kMessage);
    commit.committed_at = FromServerTime(row_.Int8(kCommittedAt));
    std::memcpy(commit.log_id.data(), row_.Bytes(kLogId).data(), commit.log_id.size());
    return commit;
}

void RewriteCommitRow(const Hash& hash, const Commit& commit) {
    const std::string encoded = EncodeCommit(commit);
    pg_uuid_t log_id;
    memcpy(log_id.data, commit.log_id.data(), UUID_LEN);
    ExecuteAsOwner(
        "UPDATE _kvs.commit SET generation = $2, parents = $3, data_root = $4, meta_root = $5, author = $6,"
        " committer = $7, message = $8, committed_at = $9, log_id = $10, body = $11 WHERE hash = $1",
        {Parameter::Address(hash), Parameter::Int8(static_cast<int64>(commit.generation)),
         Parameter::Addresses(commit.parents), Parameter::Address(commit.data_root),
         Parameter::Address(commit.meta_root), Parameter::Text(commit.author),
         Parameter::Text(commit.committer), Parameter::Text(commit.message),
         Parameter::Time(ToServerTime(commit.committed_at)), Parameter::Of(UUIDOID, UUIDPGetDatum(&log_id)),
         Parameter::Bytea(encoded)});
}

}  // namespace kvs::pg
