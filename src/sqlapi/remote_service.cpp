// What other stores call when they fetch from this one or push to it: schema kvs_remote.
#include <queue>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "kvs/error.h"
#include "kvs/version/commit.h"
#include "pg/branch/branch_move.h"
#include "pg/branch/ref_edit.h"
#include "pg/branch/tag_edit.h"
#include "pg/chunk/chunk_store.h"
#include "pg/read/commit_range.h"
#include "pg/table/access_guard.h"
#include "pg/table/commit_table.h"
#include "pg/transfer/object_intake.h"
#include "pg/transfer/whole_commits.h"
#include "pg/wall/arguments.h"
#include "pg/wall/collected_rows.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/scratch.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

constexpr AclMode kEditMode = ACL_INSERT | ACL_UPDATE | ACL_DELETE;

// After so many bytes an answer ends, and the caller asks for the rest.
constexpr size_t kAnswerBytes = size_t{8} << 20;

Hash AddressOf(Datum element) {
    const std::string_view bytes = Guarded([&] { return DatumContents(element); });
    if (bytes.size() != Hash::kSize) {
        throw Error(ErrorCode::kInvalidArgument, "an address has 32 bytes");
    }
    return Hash::FromBytes(bytes);
}

void AddBytes(const CollectedRows& rows, std::string_view bytes) {
    Guarded([&] {
        Row<1> row;
        row.Set(0, MakeVarlena(bytes));
        AddRow(rows, row);
        pfree(DatumGetPointer(row.Value(0)));
    });
}

// Commits and ancestors of theirs, of the highest generations first.
void SendCommits(const DatumArray& wanted, int32 count, const CollectedRows& rows) {
    Snapshot snapshot = GetActiveSnapshot();
    std::priority_queue<std::pair<uint64_t, Hash>> queue;
    std::unordered_set<Hash, HashOfHash> met;
    const auto add = [&](const Hash& hash) {
        if (met.insert(hash).second) {
            queue.emplace(ReadCommit(hash, snapshot).generation, hash);
        }
    };
    for (int i = 0; i < wanted.count; i++) {
        add(AddressOf(wanted.elements[i]));
    }
    Scratch scratch("kvs remote commits");
    size_t bytes = 0;
    for (; !queue.empty() && count > 0 && bytes < kAnswerBytes; count--) {
        const Commit commit = ReadCommit(queue.top().second, snapshot);
        queue.pop();
        const std::string encoded = EncodeCommit(commit);
        AddBytes(rows, encoded);
        bytes += encoded.size();
        for (const Hash& parent : commit.parents) {
            add(parent);
        }
        scratch.Reset();
    }
    scratch.Finish();
}

// Frames of chunks, of as many as an answer may hold.
void SendChunks(const DatumArray& addresses, const CollectedRows& rows) {
    Scratch scratch("kvs remote chunks");
    ChunkStore chunks(GetActiveSnapshot());
    size_t bytes = 0;
    for (int i = 0; i < addresses.count && bytes < kAnswerBytes; i++) {
        const ChunkStore::Portable chunk = chunks.ReadPortable(AddressOf(addresses.elements[i]));
        AddBytes(rows, chunk.frame);
        bytes += chunk.frame.size();
        scratch.Reset();
    }
    scratch.Finish();
}

void SendKnownCommits(const DatumArray& commits, const CollectedRows& rows) {
    WholeCommits whole(GetActiveSnapshot());
    for (int i = 0; i < commits.count; i++) {
        const Hash hash = AddressOf(commits.elements[i]);
        if (whole.Contains(hash)) {
            AddBytes(rows, hash.AsBytes());
        }
    }
}

void SendMissingChunks(const DatumArray& addresses, const CollectedRows& rows) {
    Scratch scratch("kvs remote chunks");
    ChunkStore chunks(GetActiveSnapshot());
    for (int i = 0; i < addresses.count; i++) {
        const Hash address = AddressOf(addresses.elements[i]);
        if (!chunks.Contains(address)) {
            AddBytes(rows, address.AsBytes());
        }
        scratch.Reset();
    }
    scratch.Finish();
}

int64 ReceiveChunks(const DatumArray& frames) {
    BeginRefEdit();
    Snapshot snapshot = RegisterNewestSnapshot();
    ObjectIntake intake(snapshot);
    for (int i = 0; i < frames.count; i++) {
        intake.AddChunk(Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            return DatumContents(frames.elements[i]);
        }));
    }
    intake.Flush();
    ReleaseSnapshot(snapshot);
    return intake.chunks();
}

int64 ReceiveCommits(const DatumArray& encoded) {
    BeginRefEdit();
    Snapshot snapshot = RegisterNewestSnapshot();
    ObjectIntake intake(snapshot);
    std::vector<NamedCommit> window;
    for (int i = 0; i < encoded.count; i++) {
        window.push_back(ObjectIntake::Decode(Guarded([&] { return DatumContents(encoded.elements[i]); })));
        if (window.size() == kCommitWindow || i + 1 == encoded.count) {
            intake.AddCommits(window);
            window.clear();
        }
    }
    ReleaseSnapshot(snapshot);
    return encoded.count;
}

// The commit that these bytes name, which is whole.
Hash WholeCommit(std::string_view bytes) {
    if (bytes.size() != Hash::kSize) {
        throw Error(ErrorCode::kInvalidArgument, "an address has 32 bytes");
    }
    const Hash head = Hash::FromBytes(bytes);
    BeginRefEdit();
    Snapshot snapshot = RegisterNewestSnapshot();
    if (!WholeCommits(snapshot).Contains(head)) {
        throw Error(ErrorCode::kWrongState, "commit " + head.ToHex() + " is missing", "Push again.");
    }
    ReleaseSnapshot(snapshot);
    return head;
}

// 0 for nullopt.
Datum OptionalAddress(const std::optional<Hash>& address) {
    return address ? Guarded([&] { return HashDatum(*address); }) : Datum{0};
}

Datum MoveBranch(std::string_view branch, std::string_view head, bool force) {
    return OptionalAddress(MoveBranchTo(branch, WholeCommit(head), {force, "push"}));
}

struct TagArguments {
    std::string_view name;
    std::string_view commit;
    std::optional<std::string_view> message;
    std::string_view tagger;
    TimestampTz created_at;
};

Datum MoveTag(const TagArguments& arguments, bool force) {
    return OptionalAddress(PlaceTag(
        {std::string(arguments.name), WholeCommit(arguments.commit),
         std::optional<std::string>(arguments.message), std::string(arguments.tagger), arguments.created_at},
        force));
}

}  // namespace

// (wanted, max_rows)
KVS_FUNCTION(kvs_remote_commits)
{
    RequireRead();
    const DatumArray wanted = RequiredArray(fcinfo, 0, "wanted");
    const int32 count = OptionalInt4(fcinfo, 1).value_or(1);
    SendCommits(wanted, count, CollectRows(fcinfo));
    PG_RETURN_NULL();
}

// (addresses)
KVS_FUNCTION(kvs_remote_chunks)
{
    RequireRead();
    const DatumArray addresses = RequiredArray(fcinfo, 0, "addresses");
    SendChunks(addresses, CollectRows(fcinfo));
    PG_RETURN_NULL();
}

// (hashes)
KVS_FUNCTION(kvs_remote_known_commits)
{
    RequireRead();
    const DatumArray commits = RequiredArray(fcinfo, 0, "hashes");
    SendKnownCommits(commits, CollectRows(fcinfo));
    PG_RETURN_NULL();
}

// (addresses)
KVS_FUNCTION(kvs_remote_missing_chunks)
{
    RequireRead();
    const DatumArray addresses = RequiredArray(fcinfo, 0, "addresses");
    SendMissingChunks(addresses, CollectRows(fcinfo));
    PG_RETURN_NULL();
}

// (frames)
KVS_FUNCTION(kvs_remote_receive_chunks)
{
    RequireWrite(kEditMode, "kvs_remote.receive_chunks()");
    PG_RETURN_INT64(ReceiveChunks(RequiredArray(fcinfo, 0, "frames")));
}

// (commits)
KVS_FUNCTION(kvs_remote_receive_commits)
{
    RequireWrite(kEditMode, "kvs_remote.receive_commits()");
    PG_RETURN_INT64(ReceiveCommits(RequiredArray(fcinfo, 0, "commits")));
}

// (branch, head, force)
KVS_FUNCTION(kvs_remote_move_branch)
{
    RequireWrite(kEditMode, "kvs_remote.move_branch()");
    const std::string_view branch = RequiredBytes(fcinfo, 0, "branch");
    const std::string_view head = RequiredBytes(fcinfo, 1, "head");
    const Datum before = MoveBranch(branch, head, BoolOr(fcinfo, 2, false));
    if (before == 0) {
        PG_RETURN_NULL();
    }
    return before;
}

// (name, head, message, tagger, created_at, force)
KVS_FUNCTION(kvs_remote_place_tag)
{
    RequireWrite(kEditMode, "kvs_remote.place_tag()");
    const TagArguments arguments = {RequiredBytes(fcinfo, 0, "name"), RequiredBytes(fcinfo, 1, "head"),
                                    OptionalBytes(fcinfo, 2), RequiredBytes(fcinfo, 3, "tagger"),
                                    PG_ARGISNULL(4) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(4)};
    const Datum before = MoveTag(arguments, BoolOr(fcinfo, 5, false));
    if (before == 0) {
        PG_RETURN_NULL();
    }
    return before;
}

}  // namespace kvs::sqlapi
