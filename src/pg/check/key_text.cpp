#include "pg/check/key_text.h"

#include "kvs/util/quote.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

std::string KeyText(std::string_view key) {
    const bool is_text =
        Guarded([&] { return pg_verifymbstr(key.data(), static_cast<int>(key.size()), true); });
    return is_text ? std::string(key) : Quoted(key);
}

}  // namespace kvs::pg
