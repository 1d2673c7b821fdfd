#include "kvs/version/commit.h"

#include <algorithm>

#include "kvs/codec/varint.h"
#include "kvs/tree/chunk.h"

namespace kvs {

namespace {

constexpr uint8_t kFormat = 1;
constexpr std::string_view kDomain = "kvs commit";

Error Corrupt(const std::string& what) {
    return {ErrorCode::kCorruption, "commit is damaged: " + what};
}

// What breaks the rules of a commit; empty if nothing does. Sizes are judged apart.
const char* Fault(const Commit& commit) {
    if ((commit.generation == 0) != commit.parents.empty()) {
        return "its generation does not fit its parents";
    }
    std::vector<Hash> parents = commit.parents;
    std::sort(parents.begin(), parents.end());
    if (std::adjacent_find(parents.begin(), parents.end()) != parents.end()) {
        return "it has the same parent twice";
    }
    for (size_t i = 0; i < commit.trees.size(); i++) {
        if (commit.trees[i].first.empty() || (i > 0 && commit.trees[i - 1].first >= commit.trees[i].first)) {
            return "its trees are not in order";
        }
    }
    return "";
}

bool ReadHash(ByteReader& reader, Hash* hash) {
    std::string_view bytes;
    if (!reader.ReadBytes(Hash::kSize, &bytes)) {
        return false;
    }
    *hash = Hash::FromBytes(bytes);
    return true;
}

bool ReadText(ByteReader& reader, size_t limit, std::string* text) {
    std::string_view bytes;
    if (!reader.ReadPrefixed(&bytes) || bytes.size() > limit) {
        return false;
    }
    *text = bytes;
    return true;
}

bool ReadParents(ByteReader& reader, std::vector<Hash>* parents) {
    uint64_t count;
    if (!reader.ReadVarint(&count) || count > kMaxCommitParents || count > reader.remaining() / Hash::kSize) {
        return false;
    }
    parents->resize(count);
    return std::all_of(parents->begin(), parents->end(),
                       [&](Hash& parent) { return ReadHash(reader, &parent); });
}

bool ReadTrees(ByteReader& reader, std::vector<std::pair<std::string, Hash>>* trees) {
    uint64_t count;
    if (!reader.ReadVarint(&count) || count > kMaxCommitTrees || count > reader.remaining() / Hash::kSize) {
        return false;
    }
    trees->resize(count);
    return std::all_of(trees->begin(), trees->end(), [&](auto& tree) {
        return ReadText(reader, kMaxTreeNameSize, &tree.first) && ReadHash(reader, &tree.second);
    });
}

}  // namespace

Status ValidateCommit(const Commit& commit) {
    const struct {
        const char* what;
        size_t size;
        size_t limit;
    } sizes[] = {
        {"number of parents of a commit", commit.parents.size(), kMaxCommitParents},
        {"number of trees of a commit", commit.trees.size(), kMaxCommitTrees},
        {"author of a commit", commit.author.size(), kMaxAuthorSize},
        {"committer of a commit", commit.committer.size(), kMaxAuthorSize},
        {"message of a commit", commit.message.size(), kMaxMessageSize},
    };
    const auto too_large = [](const char* what, size_t size, size_t limit) {
        return Error(ErrorCode::kLimitExceeded, std::string(what) + " is too large: " + std::to_string(size),
                     "The limit is " + std::to_string(limit) + ".");
    };
    for (const auto& [what, size, limit] : sizes) {
        if (size > limit) {
            return too_large(what, size, limit);
        }
    }
    for (const auto& [name, root] : commit.trees) {
        if (name.size() > kMaxTreeNameSize) {
            return too_large("name of a tree", name.size(), kMaxTreeNameSize);
        }
    }
    if (const char* fault = Fault(commit); *fault != '\0') {
        return Error(ErrorCode::kInvalidArgument, std::string("cannot encode a commit: ") + fault);
    }
    return Ok();
}

std::string EncodeCommit(const Commit& commit) {
    ValidateCommit(commit).OrThrow();
    std::string encoded;
    encoded.reserve(512 + commit.message.size());
    AppendFixed(encoded, kFormat);
    AppendVarint(encoded, commit.generation);
    AppendVarint(encoded, commit.parents.size());
    for (const Hash& parent : commit.parents) {
        encoded += parent.AsBytes();
    }
    encoded += commit.data_root.AsBytes();
    encoded += commit.meta_root.AsBytes();
    AppendVarint(encoded, commit.trees.size());
    for (const auto& [name, root] : commit.trees) {
        AppendPrefixed(encoded, name);
        encoded += root.AsBytes();
    }
    AppendPrefixed(encoded, commit.author);
    AppendPrefixed(encoded, commit.committer);
    AppendPrefixed(encoded, commit.message);
    AppendFixed(encoded, commit.committed_at);
    encoded.append(reinterpret_cast<const char*>(commit.log_id.data()), commit.log_id.size());
    return encoded;
}

Result<Commit> DecodeCommit(std::string_view encoded) {
    ByteReader reader(encoded);
    uint8_t format;
    if (!reader.ReadFixed(&format)) {
        return Corrupt("it is empty");
    }
    if (format != kFormat) {
        return Corrupt("its format is unknown");
    }
    Commit commit;
    std::string_view log_id;
    if (!reader.ReadVarint(&commit.generation) || !ReadParents(reader, &commit.parents)) {
        return Corrupt("its parents cannot be read");
    }
    if (!ReadHash(reader, &commit.data_root) || !ReadHash(reader, &commit.meta_root) ||
        !ReadTrees(reader, &commit.trees)) {
        return Corrupt("its trees cannot be read");
    }
    if (!ReadText(reader, kMaxAuthorSize, &commit.author) ||
        !ReadText(reader, kMaxAuthorSize, &commit.committer) ||
        !ReadText(reader, kMaxMessageSize, &commit.message)) {
        return Corrupt("its texts cannot be read");
    }
    if (!reader.ReadFixed(&commit.committed_at) || !reader.ReadBytes(commit.log_id.size(), &log_id)) {
        return Corrupt("it ends too early");
    }
    std::copy(log_id.begin(), log_id.end(), commit.log_id.begin());
    if (!reader.AtEnd()) {
        return Corrupt("bytes follow its end");
    }
    if (const char* fault = Fault(commit); *fault != '\0') {
        return Corrupt(fault);
    }
    return commit;
}

Hash HashCommit(Hasher& hasher, std::string_view encoded) {
    std::string tagged;
    tagged.reserve(kDomain.size() + encoded.size());
    tagged.append(kDomain).append(encoded);
    return hasher.Sha256(tagged);
}

Commit InitialCommit() {
    Commit commit;
    commit.data_root = kEmptyRoot;
    commit.meta_root = kEmptyRoot;
    commit.author = "kvs";
    commit.committer = "kvs";
    commit.message = "initial commit";
    return commit;
}

constinit const Hash kInitialCommit{{0x31, 0x1c, 0x95, 0xdf, 0x0e, 0x1a, 0x22, 0xad, 0x09, 0xff, 0x9d,
                                     0x96, 0x14, 0xc8, 0x9b, 0x1e, 0xfa, 0x7c, 0x59, 0x85, 0xe2, 0x5e,
                                     0xe1, 0xc8, 0xee, 0x57, 0xba, 0x6e, 0x96, 0xd2, 0x12, 0xc5}};

}  // namespace kvs
