#include "pg/transfer/served_objects.h"

#include <queue>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "kvs/error.h"
#include "kvs/version/commit.h"
#include "pg/chunk/chunk_store.h"
#include "pg/read/commit_range.h"
#include "pg/table/commit_table.h"
#include "pg/transfer/object_intake.h"
#include "pg/transfer/whole_commits.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"
#include "pg/wall/scratch.h"
#include "pg/wall/snapshot.h"

namespace kvs::pg {

namespace {

// After so many bytes an answer ends.
constexpr size_t kAnswerBytes = size_t{8} << 20;

Hash AddressFrom(std::string_view bytes) {
    if (bytes.size() != Hash::kSize) {
        throw Error(ErrorCode::kInvalidArgument, "an address has 32 bytes");
    }
    return Hash::FromBytes(bytes);
}

Hash AddressOf(Datum element) {
    return AddressFrom(Guarded([&] { return DatumContents(element); }));
}

}  // namespace

void SendCommits(const DatumArray& wanted, int32 count, const SendObject& send) {
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
        const CommitRef commit = ReadAncestor(queue.top().second, snapshot);  // read when it was added
        queue.pop();
        const std::string encoded = EncodeCommit(*commit);
        send(encoded);
        bytes += encoded.size();
        for (const Hash& parent : commit->parents) {
            add(parent);
        }
        scratch.Reset();
    }
    scratch.Finish();
}

void SendChunks(const DatumArray& addresses, const SendObject& send) {
    Scratch scratch("kvs remote chunks");
    ChunkStore chunks(GetActiveSnapshot());
    size_t bytes = 0;
    for (int i = 0; i < addresses.count && bytes < kAnswerBytes; i++) {
        const ChunkStore::Portable chunk = chunks.ReadPortable(AddressOf(addresses.elements[i]));
        send(chunk.frame);
        bytes += chunk.frame.size();
        scratch.Reset();
    }
    scratch.Finish();
}

void SendKnownCommits(const DatumArray& commits, const SendObject& send) {
    WholeCommits whole(GetActiveSnapshot());
    for (int i = 0; i < commits.count; i++) {
        const Hash hash = AddressOf(commits.elements[i]);
        if (whole.Contains(hash)) {
            send(hash.AsBytes());
        }
    }
}

void SendMissingChunks(const DatumArray& addresses, const SendObject& send) {
    Scratch scratch("kvs remote chunks");
    ChunkStore chunks(GetActiveSnapshot());
    for (int i = 0; i < addresses.count; i++) {
        const Hash address = AddressOf(addresses.elements[i]);
        if (!chunks.Contains(address)) {
            send(address.AsBytes());
        }
        scratch.Reset();
    }
    scratch.Finish();
}

int64 ReceiveChunks(const DatumArray& frames) {
    ActiveSnapshot latest(RegisterLatestSnapshot());
    ObjectIntake intake(latest.get());
    for (int i = 0; i < frames.count; i++) {
        intake.AddChunk(Guarded([&] {
            CHECK_FOR_INTERRUPTS();
            return DatumContents(frames.elements[i]);
        }));
    }
    intake.Flush();
    latest.Release();
    return intake.chunks();
}

int64 ReceiveCommits(const DatumArray& encoded) {
    ActiveSnapshot latest(RegisterLatestSnapshot());
    ObjectIntake intake(latest.get());
    std::vector<NamedCommit> window;
    for (int i = 0; i < encoded.count; i++) {
        window.push_back(ObjectIntake::Decode(Guarded([&] { return DatumContents(encoded.elements[i]); })));
        if (window.size() == kCommitWindow || i + 1 == encoded.count) {
            intake.AddCommits(window);
            window.clear();
        }
    }
    latest.Release();
    return encoded.count;
}

Hash RequireWholeCommit(std::string_view address) {
    const Hash commit = AddressFrom(address);
    ActiveSnapshot latest(RegisterLatestSnapshot());
    if (!WholeCommits(latest.get()).Contains(commit)) {
        throw Error(ErrorCode::kWrongState, "commit " + commit.ToHex() + " is missing", "Push again.");
    }
    latest.Release();
    return commit;
}

}  // namespace kvs::pg
