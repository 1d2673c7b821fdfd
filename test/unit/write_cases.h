// The cases of test/cases/decision.json: what a write finds, what it asks for, and what becomes of the
// key. The same file is run against PostgreSQL's writer by test/regress/sql/decision.sql.
//
//   given   writes to a new key, one after the other
//   when    the write that is looked at
//   then    "nothing", the error with its message, or the key's metadata; what is not named is empty.
//           created: "new" or "kept"; expires: "never", "given" (its ttl from now) or "kept"
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "kvs/entry/write_decision.h"
#include "kvs/error.h"
#include "kvs/json/json.h"

namespace kvs::test {

struct CaseWrite {
    std::string op;
    WriteRequest request;          // but for its expires_at
    std::optional<Timestamp> ttl;  // microseconds
};

struct WriteCase {
    std::string name;
    std::vector<CaseWrite> given;
    CaseWrite when;
    Json then;
};

// What stands at a key: a tombstone as well as an entry.
struct CaseEntry {
    Metadata metadata;
    std::optional<Timestamp> expires_at;

    bool operator==(const CaseEntry&) const = default;
};

inline std::optional<std::string> TextMember(const Json& object, std::string_view name) {
    const Json* member = object.Find(name);
    return member == nullptr ? std::nullopt : std::optional(member->string());
}

inline std::optional<int64_t> NumberMember(const Json& object, std::string_view name) {
    const Json* member = object.Find(name);
    return member == nullptr ? std::nullopt : std::optional<int64_t>(std::stoll(member->number_text()));
}

inline std::optional<std::vector<std::string>> TextsMember(const Json& object, std::string_view name) {
    const Json* member = object.Find(name);
    if (member == nullptr) {
        return std::nullopt;
    }
    std::vector<std::string> texts;
    for (const Json& text : member->array()) {
        texts.push_back(text.string());
    }
    return texts;
}

inline CaseWrite ParseCaseWrite(const Json& json) {
    CaseWrite write;
    write.op = json.Find("op")->string();
    using Names = std::map<std::string, std::pair<WriteKind, Operation>>;
    const Names names = {{"put", {WriteKind::kPut, Operation::kSet}},
                         {"patch", {WriteKind::kPatch, Operation::kPatch}},
                         {"cas", {WriteKind::kCas, Operation::kSet}},
                         {"touch", {WriteKind::kTouch, Operation::kExpire}},
                         {"delete", {WriteKind::kDelete, Operation::kDelete}},
                         {"expire", {WriteKind::kExpire, Operation::kExpire}}};
    std::tie(write.request.kind, write.request.operation) = names.at(write.op);
    write.request.options = {NumberMember(json, "expected_version"),
                             TextMember(json, "modified_by"),
                             TextMember(json, "comment"),
                             TextsMember(json, "tags"),
                             TextMember(json, "schema_hash"),
                             TextMember(json, "origin")};
    write.ttl = NumberMember(json, "ttl");
    return write;
}

inline std::vector<WriteCase> WriteCases() {
    std::stringstream text;
    text << std::ifstream(KVS_TEST_DIR "/cases/decision.json").rdbuf();
    std::vector<WriteCase> cases;
    const Json all = Json::Parse(text.str()).OrThrow();
    for (const Json& json : all.array()) {
        WriteCase write_case{
            json.Find("name")->string(), {}, ParseCaseWrite(*json.Find("when")), *json.Find("then")};
        for (const Json& given : json.Find("given")->array()) {
            write_case.given.push_back(ParseCaseWrite(given));
        }
        cases.push_back(std::move(write_case));
    }
    return cases;
}

// A store as the cases see it.
class CaseStore {
  public:
    virtual ~CaseStore() = default;
    virtual bool Knows(const std::string& op) const = 0;
    virtual void Write(const CaseWrite& write, Timestamp now) = 0;
    virtual std::optional<CaseEntry> Newest() const = 0;  // metadata.change is empty
};

inline void ExpectError(const WriteCase& write_case, const std::string& key, const Error& error) {
    const std::optional<std::string> wanted = TextMember(write_case.then, "error");
    ASSERT_TRUE(wanted.has_value()) << error.what();
    EXPECT_EQ(error.code(),
              *wanted == "stale_version" ? ErrorCode::kStaleVersion : ErrorCode::kInvalidArgument);
    std::string message = *TextMember(write_case.then, "message");
    if (const size_t at = message.find("{key}"); at != std::string::npos) {
        message.replace(at, 5, key);
    }
    EXPECT_EQ(error.what(), message);
    EXPECT_NE(error.hint(), "");
}

inline CaseEntry ExpectedEntry(const WriteCase& write_case, const std::optional<CaseEntry>& before,
                               Timestamp now) {
    const Json& then = write_case.then;
    CaseEntry expected;
    expected.metadata.version = static_cast<uint64_t>(*NumberMember(then, "version"));
    expected.metadata.deleted = then.Find("deleted") != nullptr;
    expected.metadata.created_at =
        then.Find("created")->string() == "kept" ? before->metadata.created_at : now;
    expected.metadata.updated_at = now;
    expected.metadata.modified_by = TextMember(then, "modified_by").value_or("");
    expected.metadata.origin = TextMember(then, "origin").value_or("");
    expected.metadata.comment = TextMember(then, "comment");
    expected.metadata.tags = TextsMember(then, "tags").value_or(std::vector<std::string>());
    expected.metadata.schema_hash = TextMember(then, "schema_hash");
    const std::string expires = TextMember(then, "expires").value_or("never");
    if (expires != "never") {
        expected.expires_at = expires == "kept" ? before->expires_at : now + *write_case.when.ttl;
    }
    expected.metadata.expires = expected.expires_at.has_value();
    return expected;
}

// false: the store has no such writes.
inline bool RunWriteCase(const WriteCase& write_case, const std::string& key, CaseStore& store) {
    SCOPED_TRACE(write_case.name);
    Timestamp now = 1'000'000;
    for (const CaseWrite& given : write_case.given) {
        if (!store.Knows(given.op)) {
            return false;
        }
        store.Write(given, now += 1000);
    }
    if (!store.Knows(write_case.when.op)) {
        return false;
    }
    now += 1000;
    const std::optional<CaseEntry> before = store.Newest();
    try {
        store.Write(write_case.when, now);
    } catch (const Error& error) {
        ExpectError(write_case, key, error);
        EXPECT_EQ(store.Newest(), before);
        return true;
    }
    EXPECT_EQ(write_case.then.Find("error"), nullptr) << "no error";
    if (write_case.then.Find("nothing") != nullptr) {
        EXPECT_EQ(store.Newest(), before);
    } else if (write_case.then.Find("error") == nullptr) {
        EXPECT_EQ(store.Newest(), ExpectedEntry(write_case, before, now));
    }
    return true;
}

}  // namespace kvs::test
