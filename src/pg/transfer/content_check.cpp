#include "pg/transfer/content_check.h"

#include "pg/transfer/jsonb_check.h"
#include "pg/wall/convert.h"
#include "pg/wall/server.h"

namespace kvs::pg {

const char* ServerContentCheck::CheckText(std::string_view text) {
    return pg_verify_mbstr(PG_UTF8, text.data(), static_cast<int>(text.size()), true)
               ? nullptr
               : "a text that is not valid UTF-8";
}

const char* ServerContentCheck::CheckTime(Timestamp time) {
    const bool fits = time >= MIN_TIMESTAMP + kServerEpoch && time < END_TIMESTAMP;
    return fits && IS_VALID_TIMESTAMP(ToServerTime(time)) ? nullptr : "a moment that is out of range";
}

const char* ServerContentCheck::CheckPayload(ValueType type, std::string_view payload) {
    return type == ValueType::kJson && FindJsonbFault(payload) != nullptr ? "a value that is not valid JSON"
                                                                          : nullptr;
}

const char* ServerContentCheck::CheckCommit(const Commit& commit) {
    for (const std::string* text : {&commit.author, &commit.committer, &commit.message}) {
        if (const char* fault = CheckText(*text)) {
            return fault;
        }
    }
    for (const auto& tree : commit.trees) {
        if (const char* fault = CheckText(tree.first)) {
            return fault;
        }
    }
    return CheckTime(commit.committed_at);
}

}  // namespace kvs::pg
