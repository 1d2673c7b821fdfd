// Commits: immutable objects that root a forest of trees and point to the commits they came from.
//
// Encoding: u8 format (1), varint generation, varint number of parents, parents (32 bytes each), data root,
// meta root, varint number of further trees, each as length-prefixed name and root, length-prefixed author,
// committer and message, i64 committed_at, 16-byte log_id. Address: SHA-256 of "kvs commit" and the encoding.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvs/entry.h"
#include "kvs/error.h"
#include "kvs/hash.h"

namespace kvs {

constexpr size_t kMaxCommitParents = 64;
constexpr size_t kMaxCommitTrees = 10000;
constexpr size_t kMaxTreeNameSize = 255;
constexpr size_t kMaxAuthorSize = 256;  // of author and committer
constexpr size_t kMaxMessageSize = size_t{1} << 20;

struct Commit {
    uint64_t generation = 0;    // 0 without parents, else 1 + the largest generation of a parent
    std::vector<Hash> parents;  // distinct; the first is the branch that was committed to
    Hash data_root;
    Hash meta_root;
    std::vector<std::pair<std::string, Hash>> trees;  // further trees of the forest, by ascending name
    std::string author;
    std::string committer;
    std::string message;
    Timestamp committed_at = 0;
    std::array<uint8_t, 16> log_id{};  // the log in which it was made

    bool operator==(const Commit&) const = default;
};

// Error(kLimitExceeded) for what is over a limit above, and Error(kInvalidArgument) for a commit that breaks
// the rules stated beside its members.
Status ValidateCommit(const Commit& commit);

// Throws what ValidateCommit answers.
std::string EncodeCommit(const Commit& commit);

// Error(kCorruption) for bytes that EncodeCommit would not have written.
Result<Commit> DecodeCommit(std::string_view encoded);

// The address of an encoded commit.
Hash HashCommit(Hasher& hasher, std::string_view encoded);

// Where every store begins, the same in all of them: the empty tree, by "kvs", at time 0.
Commit InitialCommit();

// Its address, known without computing it.
extern const Hash kInitialCommit;

}  // namespace kvs
