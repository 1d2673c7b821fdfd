// Keys as findings name them.
#pragma once

#include <string>
#include <string_view>

namespace kvs::pg {

// A key as text, quoted and escaped if it is none.
std::string KeyText(std::string_view key);

}  // namespace kvs::pg
