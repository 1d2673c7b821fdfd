#include "pg/transfer/object_intake.h"

#include <optional>
#include <utility>

#include "kvs/error.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"
#include "pg/table/commit_table.h"
#include "pg/wall/scratch.h"
#include "pg/wall/server_hasher.h"

namespace kvs::pg {

namespace {

constexpr size_t kStepsAtOnce = 1000;

[[noreturn]] void ThrowCorrupt(const std::string& what) {
    throw Error(ErrorCode::kCorruption, what,
                "Nothing of it was stored. The sender's store may be damaged: "
                "kvs.check() tells.");
}

}  // namespace

// The raw chunk of a frame that came from elsewhere.
std::string ObjectIntake::Verify(std::string_view frame, const Hash* expected, Hash* address) {
    const std::string name = expected != nullptr ? "chunk " + expected->ToHex() : "a chunk";
    if (!IsPortableFrame(frame)) {
        ThrowCorrupt(name + " was received in a form that is not known");
    }
    Result<std::string> raw = codec_.Decode(frame);
    if (!raw.ok()) {
        ThrowCorrupt(name + " was received damaged: " + raw.error().what());
    }
    ServerHasher hasher;
    *address = ChunkAddress(hasher, raw.value());
    if (expected != nullptr && *address != *expected) {
        ThrowCorrupt(name + " was received damaged: it does not hash to its address");
    }
    return std::move(raw).value();
}

void ObjectIntake::Store(const Hash& address, std::string frame) {
    chunks_taken_++;
    bytes_taken_ += static_cast<int64>(frame.size());
    chunks_.AddFrame(address, std::move(frame));
}

void ObjectIntake::AddChunk(std::string_view frame) {
    Hash address;
    const std::string raw = Verify(frame, nullptr, &address);
    const bool is_blob = raw.size() >= kChunkHeaderSize && static_cast<uint8_t>(raw[1]) == kBlobLevel;
    if (is_blob ? !DecodeBlob(raw).ok() : Node::Validate(raw).has_value()) {
        ThrowCorrupt("chunk " + address.ToHex() + " was received malformed");
    }
    Store(address, std::string(frame));
}

NamedCommit ObjectIntake::Decode(std::string_view encoded) {
    ServerHasher hasher;
    const Hash hash = HashCommit(hasher, encoded);
    Result<Commit> commit = DecodeCommit(encoded);
    if (!commit.ok()) {
        ThrowCorrupt("commit " + hash.ToHex() + " was received malformed: " + commit.error().what());
    }
    if (const char* fault = ServerContentCheck().CheckCommit(commit.value())) {
        ThrowCorrupt("commit " + hash.ToHex() + " was received with " + fault);
    }
    return {hash, std::move(commit).value()};
}

bool ObjectIntake::AddCommits(const std::vector<NamedCommit>& window, int64 max_bytes) {
    Scratch scratch("kvs intake of commits");
    ObjectWalk walk(chunks_, &check_);
    AddWindow(&walk, window, [&](const Hash& parent) {
        if (!whole_.Contains(parent)) {
            throw Error(ErrorCode::kWrongState, "commit " + parent.ToHex() + " is missing",
                        "What was received builds on it: it has to be brought first.");
        }
        // Perhaps stored by this transaction, which the snapshot does not show.
        return ReadCommit(parent, SnapshotSelf);
    });
    const bool is_whole = Walk(&walk, max_bytes);
    chunks_.Flush();
    if (is_whole) {
        for (const NamedCommit& named : window) {
            WriteCommit(named.commit, nullptr);
        }
    }
    scratch.Finish();
    return is_whole;
}

bool ObjectIntake::Walk(ObjectWalk* walk, int64 max_bytes) {
    Scratch scratch("kvs intake of chunks");
    bool in_budget = true;
    while (in_budget) {
        const std::vector<ObjectWalk::Step> steps = walk->Take(kStepsAtOnce);
        if (steps.empty()) {
            break;
        }
        std::vector<Hash> missing;
        std::vector<size_t> missing_steps;
        for (size_t i = 0; i < steps.size(); i++) {
            if (std::optional<std::string> raw = chunks_.TryReadRaw(steps[i].address)) {
                walk->Expand(steps[i], *std::move(raw));
            } else {
                missing.push_back(steps[i].address);
                missing_steps.push_back(i);
            }
        }
        if (!missing.empty() && source_ == nullptr) {
            throw Error(ErrorCode::kWrongState, "chunk " + missing[0].ToHex() + " is missing",
                        "What was received is not complete: send it again.");
        }
        in_budget = missing.empty() || bytes_taken_ < max_bytes;
        if (in_budget && !missing.empty()) {
            source_->Fetch(missing, [&](size_t index, std::string frame) {
                Hash address;
                std::string raw = Verify(frame, &missing[index], &address);
                walk->Expand(steps[missing_steps[index]], std::move(raw));
                Store(address, std::move(frame));
            });
        }
        scratch.Reset();
    }
    scratch.Finish();
    return in_budget;
}

}  // namespace kvs::pg
