// XXH3 compiled in, as in the splitter.
#define XXH_INLINE_ALL
#include "kvs/version/ancestry.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "kvs/codec/varint.h"
#include "kvs/error.h"
#include "kvs/version/commit_graph.h"

namespace kvs {

namespace {

constexpr uint8_t kFormat = 1;
constexpr uint64_t kMaxDepth = uint64_t{1} << 62;

uint64_t Checksum(const Hash& commit, std::string_view encoded) {
    std::string named(commit.AsBytes());
    named += encoded;
    return XXH3_64bits(named.data(), named.size());
}

// The farthest pointer that does not lead below `depth`; `parent` if there is none.
std::pair<uint64_t, Hash> FarthestDownTo(uint64_t depth, const Ancestry& ancestry, const Hash& parent) {
    const std::vector<uint64_t> depths = PointerDepths(ancestry.depth);
    const auto end =
        std::find_if(depths.begin(), depths.end(), [&](uint64_t pointed) { return pointed < depth; });
    if (end == depths.begin()) {
        return {ancestry.depth - 1, parent};
    }
    return {end[-1], ancestry.pointers[static_cast<size_t>(end - depths.begin()) - 1]};
}

}  // namespace

// A depth is the number of commits below, so the sizes of their trees are its terms in skew-binary notation:
// the largest 2^k - 1 first, and so on with the rest. 6 = 3 + 3, 5 = 3 + 1 + 1. The first tree of the list
// has the smallest.
std::vector<uint64_t> PointerDepths(uint64_t depth) {
    std::vector<uint64_t> depths;
    uint64_t size = 0;
    for (uint64_t rest = depth; rest > 0; rest -= size) {
        depths.push_back(depth - rest);  // the sum of the terms before: the root of the next tree
        size = std::bit_floor(rest + 1) - 1;
    }
    // The commit's own tree: behind the root of size s stands the left subtree with (s - 1) / 2 commits.
    for (uint64_t root = depth; size > 1; root--) {
        size = (size - 1) / 2;
        depths.push_back(root - 1 - size);
    }
    std::sort(depths.rbegin(), depths.rend());
    return depths;
}

// One more commit joins the first two trees of the parent's list under itself, if they are of the same size:
// then the parent is the root of the left one, and what it points to is what the child points to. Otherwise
// the child is a tree by itself, and points to the parent and to the roots of the trees behind.
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

// Invariant: what is wanted is `*steps` first parents above `at`. Where the ancestry is known, its farthest
// pointer that does not lead too far is followed, else the first parent.
Hash AncestorAlongFirstParents(CommitGraph& graph, const Hash& commit, uint64_t* steps) {
    Hash at = commit;
    CommitLinks links = graph.ReadLinks(at);
    while (*steps > 0 && !links.parents.empty()) {
        uint64_t passed = 1;
        at = links.parents[0];
        if (links.ancestry != nullptr && links.ancestry->depth > 0) {
            const uint64_t depth = links.ancestry->depth;
            const auto [next_depth, next] =
                FarthestDownTo(depth - std::min(depth, *steps), *links.ancestry, at);
            passed = depth - next_depth;
            at = next;
        }
        CommitLinks next = graph.ReadLinks(at);
        if (links.ancestry != nullptr && next.ancestry != nullptr &&
            next.ancestry->depth + passed != links.ancestry->depth) {
            throw Error(ErrorCode::kCorruption,
                        "commit " + at.ToHex() + " has an ancestry that does not fit its descendants");
        }
        links = std::move(next);
        *steps -= passed;
    }
    return at;
}

}  // namespace kvs
