#include "kvs/local/memory_node_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "kvs/error.h"
#include "kvs/local/openssl_hasher.h"
#include "kvs/tree/chunk.h"
#include "kvs/tree/node.h"
#include "kvs/tree/node_builder.h"
#include "unit/damageable_node_store.h"

namespace kvs::test {
namespace {

std::string Leaf(const std::string& key) {
    NodeBuilder builder(0);
    builder.AddEntry(key, "value of " + key);
    return builder.Encode();
}

class MemoryNodeStoreTest : public testing::Test {
  protected:
    // The message of the corruption that reading the node reports.
    std::string ReadError(const Hash& address) {
        try {
            store_.ReadNode(address);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::kCorruption);
            return error.what();
        }
        ADD_FAILURE() << "no error";
        return {};
    }

    OpenSslHasher hasher_;
    DamageableNodeStore store_{hasher_};
};

TEST_F(MemoryNodeStoreTest, KeepsNodes) {
    const Hash address = store_.WriteNode(Leaf("a"));
    EXPECT_EQ(address, ChunkAddress(hasher_, Leaf("a")));
    const NodeRef node = store_.ReadNode(address);
    EXPECT_EQ(node->Value(0), "value of a");
    EXPECT_EQ(store_.ReadNode(address), node);
    EXPECT_EQ(store_.ReadRaw(address), Leaf("a"));
    EXPECT_TRUE(store_.Contains(address));
    EXPECT_EQ(store_.Addresses(), std::vector<Hash>{address});
}

TEST_F(MemoryNodeStoreTest, WritingAgainChangesNothing) {
    const Hash address = store_.WriteNode(Leaf("a"));
    const NodeRef node = store_.ReadNode(address);
    EXPECT_EQ(store_.WriteNode(Leaf("a")), address);
    EXPECT_EQ(store_.ReadNode(address), node);
    EXPECT_EQ(store_.chunk_count(), 1u);
    EXPECT_EQ(store_.chunk_bytes(), Leaf("a").size());
}

TEST_F(MemoryNodeStoreTest, CountsItsCalls) {
    const Hash node = store_.WriteNode(Leaf("a"));
    store_.WriteNode(Leaf("a"));
    const Hash blob = store_.WriteBlob("payload");
    store_.ReadNode(node);
    EXPECT_EQ(store_.ReadBlob(blob), "payload");
    EXPECT_EQ(store_.writes(), 3u);
    EXPECT_EQ(store_.reads(), 2u);
    store_.ResetCounters();
    EXPECT_EQ(store_.writes(), 0u);
    EXPECT_EQ(store_.reads(), 0u);
}

TEST_F(MemoryNodeStoreTest, NamesAMissingChunk) {
    const Hash address = store_.WriteNode(Leaf("a"));
    EXPECT_TRUE(store_.Erase(address));
    EXPECT_FALSE(store_.Erase(address));
    EXPECT_FALSE(store_.FlipBit(address, 0));
    EXPECT_EQ(ReadError(address), "chunk " + address.ToHex() + " is missing");
    EXPECT_THROW(store_.ReadBlob(address), Error);
    EXPECT_THROW(store_.ReadRaw(address), Error);
}

TEST_F(MemoryNodeStoreTest, DetectsEveryFlippedBit) {
    const Hash address = store_.WriteNode(Leaf("a"));
    for (size_t bit = 0; bit < Leaf("a").size() * 8; ++bit) {
        ASSERT_TRUE(store_.FlipBit(address, bit));
        ASSERT_NE(ReadError(address).find("do not hash to its address"), std::string::npos);
        ASSERT_TRUE(store_.FlipBit(address, bit));
        ASSERT_EQ(store_.ReadNode(address)->Value(0), "value of a");
    }
    const Hash blob = store_.WriteBlob("payload");
    store_.FlipBit(blob, 20);
    EXPECT_THROW(store_.ReadBlob(blob), Error);
}

TEST_F(MemoryNodeStoreTest, RefusesAMalformedNodeThatHashesWell) {
    const Hash address = store_.WriteNode("not a node");
    EXPECT_NE(ReadError(address).find("malformed"), std::string::npos);
}

TEST_F(MemoryNodeStoreTest, ServesSeveralThreads) {
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([this] {
            for (int i = 0; i < 500; ++i) {
                const std::string key = std::to_string(i % 100);
                const Hash address = store_.WriteNode(Leaf(key));
                EXPECT_EQ(store_.ReadNode(address)->Value(0), "value of " + key);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(store_.chunk_count(), 100u);
    EXPECT_EQ(store_.reads(), 2000u);
}

}  // namespace
}  // namespace kvs::test
