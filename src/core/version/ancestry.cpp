// XXH3 compiled in, as in the splitter.
#define XXH_INLINE_ALL
#include "kvs/version/ancestry.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "kvs/codec/varint.h"
#include "kvs/error.h"
#include "kvs/version/commit_graph.h"

namespace kvs {

namespace {

constexpr uint8_t kFormat = 2;
constexpr uint64_t kMaxDepth = uint64_t{1} << 62;
constexpr uint64_t kArity = 6;  // subtrees of a commit that has any

uint64_t Checksum(const Hash& commit, std::string_view encoded) {
    std::string named(commit.AsBytes());
    named += encoded;
    return XXH3_64bits(named.data(), named.size());
}

struct Step {
    uint64_t passed;  // first parents; 0 if there is none
    Hash to;
};

// The size of the largest perfect tree of at most `count` > 0 commits.
uint64_t LargestTree(uint64_t count) {
    uint64_t size = 1;
    while (size <= (count - 1) / kArity) {
        size = size * kArity + 1;
    }
    return size;
}

// The farthest that leads from a commit past at most `limit` first parents: a pointer of its ancestry if it
// is known and one of them does, else the first parent.
Step FarthestStep(CommitGraph& graph, const Hash& commit, const AncestryRef& ancestry, uint64_t limit) {
    if (ancestry != nullptr) {
        const uint64_t depth = ancestry->depth;
        const uint64_t least = depth - std::min(depth, limit);
        const std::vector<uint64_t> depths = PointerDepths(depth);
        const auto end =
            std::find_if(depths.begin(), depths.end(), [&](uint64_t pointed) { return pointed < least; });
        if (end != depths.begin()) {
            return {depth - end[-1], ancestry->pointers[static_cast<size_t>(end - depths.begin()) - 1]};
        }
    }
    const std::vector<Hash> parents = graph.ReadLinks(commit).parents;
    return parents.empty() ? Step{0, commit} : Step{1, parents[0]};
}

}  // namespace

// A depth is the number of commits below, so the sizes of their trees are its terms: the largest size that is
// not above it first, and so on with the rest. 10 = 7 + 1 + 1 + 1, 42 = 7 + 7 + 7 + 7 + 7 + 7. The first tree
// of the list has the smallest.
std::vector<uint64_t> PointerDepths(uint64_t depth) {
    std::vector<uint64_t> depths;
    uint64_t size = 0;
    for (uint64_t rest = depth; rest > 0; rest -= size) {
        depths.push_back(depth - rest);  // the sum of the terms before: the root of the next tree
        size = LargestTree(rest);
    }
    // The commit's own tree: behind the root of a size stand its subtrees, the leftmost first.
    for (uint64_t root = depth; size > 1; root--) {
        size = (size - 1) / kArity;
        for (uint64_t i = 1; i < kArity; i++) {
            depths.push_back(root - 1 - i * size);
        }
    }
    std::sort(depths.rbegin(), depths.rend());
    return depths;
}

// One more commit joins the first six trees of the parent's list under itself, if they are of the same size:
// then the parent is the root of the leftmost one, and what it points to is what the child points to.
// Otherwise the child is a tree by itself, and points to the parent and to the roots of the trees behind.
Ancestry AncestryOfChild(const Hash& parent, const Ancestry& of_parent) {
    Ancestry child;
    child.depth = of_parent.depth + 1;
    const std::vector<uint64_t> known = PointerDepths(of_parent.depth);
    size_t at = 0;
    for (const uint64_t depth : PointerDepths(child.depth)) {
        if (depth == of_parent.depth) {
            child.pointers.push_back(parent);
            continue;
        }
        while (known.at(at) != depth) {
            at++;
        }
        child.pointers.push_back(of_parent.pointers.at(at));
    }
    return child;
}

std::string EncodeAncestry(const Hash& commit, const Ancestry& ancestry) {
    std::string encoded;
    AppendFixed(encoded, kFormat);
    AppendFixed(encoded, ancestry.depth);
    for (const Hash& pointer : ancestry.pointers) {
        encoded += pointer.AsBytes();
    }
    AppendFixed(encoded, Checksum(commit, encoded));
    return encoded;
}

std::optional<Ancestry> DecodeAncestry(const Hash& commit, std::string_view encoded) {
    ByteReader reader(encoded);
    uint8_t format;
    Ancestry ancestry;
    if (!reader.ReadFixed(&format) || format != kFormat || !reader.ReadFixed(&ancestry.depth) ||
        ancestry.depth > kMaxDepth) {
        return std::nullopt;
    }
    ancestry.pointers.resize(PointerDepths(ancestry.depth).size());
    for (Hash& pointer : ancestry.pointers) {
        std::string_view bytes;
        if (!reader.ReadBytes(Hash::kSize, &bytes)) {
            return std::nullopt;
        }
        pointer = Hash::FromBytes(bytes);
    }
    const std::string_view checked = encoded.substr(0, encoded.size() - reader.remaining());
    uint64_t checksum;
    if (!reader.ReadFixed(&checksum) || !reader.AtEnd() || checksum != Checksum(commit, checked)) {
        return std::nullopt;
    }
    return ancestry;
}

// Invariant: what is wanted is `*steps` first parents above `at`. The ancestries are enough: what stands in
// one was derived where its commit was stored, and the checksum says that it is still that. The commit where
// the way ends is not read at all: whoever wants it will.
Hash AncestorAlongFirstParents(CommitGraph& graph, const Hash& commit, uint64_t* steps) {
    Hash at = commit;
    AncestryRef ancestry;  // of the commit before, then of this one
    uint64_t passed = 0;
    while (*steps > 0) {
        AncestryRef here = graph.ReadAncestry(at);
        if (ancestry != nullptr && here != nullptr && here->depth + passed != ancestry->depth) {
            throw Error(ErrorCode::kCorruption,
                        "commit " + at.ToHex() + " has an ancestry that does not fit its descendants");
        }
        ancestry = std::move(here);
        const Step step = FarthestStep(graph, at, ancestry, *steps);
        if (step.passed == 0) {
            break;
        }
        passed = step.passed;
        *steps -= passed;
        at = step.to;
    }
    return at;
}

}  // namespace kvs
