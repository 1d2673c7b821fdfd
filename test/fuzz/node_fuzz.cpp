// Whatever bytes are given: they are refused, or every accessor of the node stays inside them and the node is
// the one encoding of what they say.
#include <cstdint>
#include <string>

#include "kvs/tree/node.h"
#include "kvs/tree/node_builder.h"
#include "require.h"

using kvs::Require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string bytes(kvs::AsText(data, size));
    const kvs::Result<kvs::NodeRef> parsed = kvs::Node::Parse(bytes);
    if (!parsed.ok()) {
        Require(parsed.error().code() == kvs::ErrorCode::kCorruption);
        return 0;
    }
    const kvs::Node& node = *parsed.value();
    kvs::NodeBuilder builder(node.level());
    std::string key;
    std::string previous;
    for (size_t i = 0; i < node.count(); ++i) {
        node.Key(i, &key);
        Require(key.size() <= kvs::kMaxKeySize);
        Require(i == 0 || previous < key);
        Require(node.Find(key) == i);
        Require(node.LowerBound(key + '\0') == i + 1);
        Require(node.CompareKey(i, key) == 0);
        Require(i == 0 || node.CompareKey(i, previous) > 0);
        if (node.is_leaf()) {
            builder.AddEntry(key, node.Value(i));
        } else {
            builder.AddChild(key, node.ChildHash(i), node.ChildEntries(i));
        }
        previous = key;
    }
    Require(builder.entries() == node.entries());
    Require(builder.Encode() == bytes);
    return 0;
}
