// The chunks that commits need: a walk over their trees from the roots down, which leaves out what a state
// that is known to be whole holds as well.
//
// The walk reads no chunk but those of the states to compare with. It hands out steps (an address, and what
// is to be found there); whoever drives it gets the chunk from somewhere and gives it back to Expand, which
// checks it against the step and adds what it refers to. So the same walk serves a sender, a receiver that
// asks another store for what it has not, and a check that nothing is missing.
//
// Memory is bounded: the pending steps are those of a few nodes per level, and addresses that were met are
// forgotten when they become too many, which costs repeated steps and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "kvs/entry.h"
#include "kvs/hash.h"
#include "kvs/node_store.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/tree_pair.h"
#include "kvs/version/commit.h"

namespace kvs {

// What a chunk is there for.
enum class ChunkRole : uint8_t {
    kData,      // node of a data tree
    kMetadata,  // node of a metadata tree
    kOther,     // node of another tree of the forest, whose values are not looked at
    kBlob,
};

// What a receiver knows about contents and the core does not. Each answers what it found, as the end of
// "... holds a text that is not valid"; nullptr if nothing is wrong.
class ContentCheck {
  public:
    virtual ~ContentCheck() = default;
    virtual const char* CheckText(std::string_view text) = 0;
    virtual const char* CheckTime(Timestamp time) = 0;
    virtual const char* CheckPayload(ValueType type, std::string_view payload) = 0;
};

class ObjectWalk {
  public:
    struct Step {
        Hash address;
        uint64_t size;      // entries below a node; bytes of a blob's payload
        uint64_t last_key;  // a node's last key, hashed
        uint32_t base;      // which state to compare with
        ChunkRole role;
        int8_t level;    // -1: a root, of any level
        ValueType type;  // of a blob
    };

    // `store` has the chunks of the bases; `check` is asked about contents, if there is one. Both must
    // outlive the walk.
    explicit ObjectWalk(NodeStore& store, ContentCheck* check = nullptr, size_t memory = kDefaultMemory)
        : store_(&store), check_(check), memory_(memory) {}

    // The trees of `commit`, less what `base` holds; without a base all of them.
    void Add(const Commit& commit, const TreePair* base);

    // Up to `limit` steps; none: the walk is over once all that were handed out are expanded.
    std::vector<Step> Take(size_t limit);

    // The chunk of a step, whose address the caller has verified. Errors: kCorruption if it is not what the
    // step says, or malformed.
    void Expand(const Step& step, std::string raw_chunk);

  private:
    static constexpr size_t kDefaultMemory = 1'000'000;  // addresses

    void AddRoot(const Hash& root, ChunkRole role, uint32_t base);
    void Push(const Step& step);
    const Hash& BaseRoot(ChunkRole role, uint32_t base) const;
    bool BaseHas(const Hash& root, int level, std::string_view last_key, const Hash& address);
    bool BaseHasBlob(const Hash& root, std::string_view key, const Hash& address);

    void ExpandBlob(const Step& step, std::string_view raw_chunk);
    void ExpandInternal(const Step& step, const Node& node);
    void ExpandLeaf(const Step& step, const Node& node);
    void ExpandItem(const Step& step, std::string_view key, std::string_view encoded);
    void CheckMetadataItem(const Step& step, std::string_view encoded);

    NodeStore* store_;
    ContentCheck* check_;
    size_t memory_;
    std::vector<TreePair> bases_;
    std::vector<Step> pending_;
    std::unordered_set<Hash, HashOfHash> met_;
    NodeRef last_base_node_;  // of last_base_root_'s tree: neighbours are asked for one after the other
    Hash last_base_root_;
    NodeRef last_base_leaf_;
};

}  // namespace kvs
