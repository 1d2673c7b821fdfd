#include "pg/chunk/node_cache.h"

#include <string>
#include <utility>

#include "kvs/tree/node.h"
#include "kvs/util/clock_cache.h"
#include "pg/chunk/shared_node_cache.h"
#include "pg/wall/guard.h"
#include "pg/wall/settings.h"

namespace kvs::pg {

namespace {

constexpr size_t kPrivateSizeWhenShared = size_t{4} << 20;
constexpr size_t kNodeOverhead = 192;  // bytes of bookkeeping per cached node

}  // namespace

class NodeCache::Private {
  public:
    NodeRef Find(const Hash& address) { return nodes_.Find(address); }

    // Returns how many others had to go.
    size_t Add(const Hash& address, NodeRef node, size_t capacity) {
        const size_t size = node->bytes().size() + kNodeOverhead;
        return nodes_.Add(address, std::move(node), size, capacity);
    }

  private:
    ClockCache<NodeRef> nodes_;
};

NodeCache& NodeCache::Get() {
    static NodeCache* cache = nullptr;
    if (cache == nullptr) {
        cache = new NodeCache();
        cache->private_ = new Private();
        if (SharedNodeCache::Get() != nullptr) {
            Guarded([] { before_shmem_exit([](int, Datum) { cache->ShareCounts(); }, Datum{0}); });
        }
    }
    return *cache;
}

// Look-ups are many and the counters are everybody's, so they are told by the thousand.
void NodeCache::CountLookup(uint64_t* kind) {
    constexpr uint64_t kToldAtOnce = 1000;
    ++*kind;
    if (counted_.hits + counted_.misses >= kToldAtOnce && SharedNodeCache::Get() != nullptr) {
        ShareCounts();
    }
}

void NodeCache::ShareCounts() {
    SharedNodeCache::Get()->Count(counted_.hits, counted_.misses);
    counted_ = {};
}

NodeCacheCounts NodeCache::counts() {
    SharedNodeCache* shared = SharedNodeCache::Get();
    if (shared == nullptr) {
        return counted_;
    }
    ShareCounts();
    return shared->counts();
}

NodeRef NodeCache::Find(const Hash& address, bool lend) {
    NodeRef node = private_->Find(address);
    SharedNodeCache* shared = SharedNodeCache::Get();
    if (node == nullptr && shared != nullptr) {
        if (lend) {
            node = shared->Borrow(address);
        }
        std::string bytes;
        if ((node == nullptr || !node->is_leaf()) && shared->Find(address, &bytes)) {
            node = std::make_shared<Node>(std::move(bytes));
            if (!node->is_leaf()) {
                private_->Add(address, node, kPrivateSizeWhenShared);
            }
        }
    }
    CountLookup(node != nullptr ? &counted_.hits : &counted_.misses);
    return node;
}

NodeRef NodeCache::Borrow(const Hash& address) {
    SharedNodeCache* shared = SharedNodeCache::Get();
    NodeRef node = shared != nullptr ? shared->Borrow(address) : nullptr;
    if (node == nullptr) {
        node = private_->Find(address);
        if (node != nullptr && shared != nullptr) {
            shared->Add(address, node->bytes().data(), node->bytes().size());  // evicted, and in use
        }
    }
    if (node != nullptr) {
        CountLookup(&counted_.hits);
    }
    return node;
}

void NodeCache::Add(const Hash& address, NodeRef node) {
    SharedNodeCache* shared = SharedNodeCache::Get();
    if (shared != nullptr) {
        shared->Add(address, node->bytes().data(), node->bytes().size());
    }
    if (shared == nullptr) {
        counted_.evictions +=
            private_->Add(address, std::move(node), static_cast<size_t>(settings.node_cache_size) * 1024);
    } else if (!node->is_leaf()) {
        private_->Add(address, std::move(node), kPrivateSizeWhenShared);
    }
}

}  // namespace kvs::pg
