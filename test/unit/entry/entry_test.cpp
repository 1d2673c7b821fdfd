#include "kvs/entry.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kvs {
namespace {

TEST(OperationName, NamesEachOperation) {
    EXPECT_STREQ(OperationName(Operation::kSet), "set");
    EXPECT_STREQ(OperationName(Operation::kPatch), "patch");
    EXPECT_STREQ(OperationName(Operation::kDelete), "delete");
    EXPECT_STREQ(OperationName(Operation::kExpire), "expire");
    EXPECT_STREQ(OperationName(Operation::kMerge), "merge");
    EXPECT_STREQ(OperationName(Operation::kRevert), "revert");
    EXPECT_STREQ(OperationName(Operation::kReset), "reset");
    EXPECT_STREQ(OperationName(Operation::kRestore), "restore");
    EXPECT_STREQ(OperationName(Operation::kImport), "import");
}

TEST(OperationName, NumbersAreStoredAndDistinct) {
    std::set<std::string> names;
    for (int number = 1; number <= 9; number++) {
        names.insert(OperationName(static_cast<Operation>(number)));
    }
    EXPECT_EQ(names.size(), 9u);
    EXPECT_EQ(names.count("unknown"), 0u);
    EXPECT_STREQ(OperationName(static_cast<Operation>(200)), "unknown");
}

}  // namespace
}  // namespace kvs
