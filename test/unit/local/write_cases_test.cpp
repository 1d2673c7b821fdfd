// The cases of the decision of a write, against the assembled store.
#include "unit/write_cases.h"

#include <gtest/gtest.h>

#include <set>

#include "kvs/local/local_store.h"
#include "store_test_support.h"

namespace kvs {
namespace {

constexpr char kKey[] = "users:1";

class StoreUnderTest final : public test::CaseStore {
  public:
    // cas and touch are words of SQL alone.
    bool Knows(const std::string& op) const override { return op != "cas" && op != "touch"; }

    void Write(const test::CaseWrite& write, Timestamp now) override {
        clock_->Set(now);
        const WriteOptions& options = write.request.options;
        if (write.op == "put") {
            const auto ttl = write.ttl ? std::optional(std::chrono::microseconds(*write.ttl)) : std::nullopt;
            store_.Put(kKey, "{}", options, ttl);
        } else if (write.op == "patch") {
            store_.Patch(kKey, R"({"patched": true})", options);
        } else if (write.op == "delete") {
            store_.Delete(kKey, options);
        } else {
            store_.RemoveExpired();
        }
    }

    std::optional<test::CaseEntry> Newest() const override {
        const std::vector<StoredEntry> newest = store_.History(kKey, 1);
        if (newest.empty()) {
            return std::nullopt;
        }
        test::CaseEntry entry{newest[0].metadata, newest[0].value.expires_at};
        entry.metadata.change = {};
        return entry;
    }

  private:
    static LocalStoreOptions WithClock(std::shared_ptr<Clock> clock) {
        LocalStoreOptions options;
        options.clock = std::move(clock);
        return options;
    }

    std::shared_ptr<test::ManualClock> clock_ = std::make_shared<test::ManualClock>();
    mutable LocalStore store_{WithClock(clock_)};
};

TEST(LocalStoreWriteCases, AllThatItKnows) {
    std::set<std::string> run;
    for (const test::WriteCase& write_case : test::WriteCases()) {
        StoreUnderTest store;
        if (test::RunWriteCase(write_case, kKey, store)) {
            run.insert(write_case.when.op);
        }
    }
    EXPECT_EQ(run, (std::set<std::string>{"delete", "expire", "patch", "put"}));
}

}  // namespace
}  // namespace kvs
