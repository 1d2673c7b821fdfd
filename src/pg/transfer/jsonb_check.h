// Whether bytes that came from outside are a jsonb value that the server can work on. The server trusts what
// lies in its tables, and follows the offsets in it.
#pragma once

#include <string_view>

namespace kvs::pg {

// The first fault found in the contents of a jsonb (without its length word), lower case; nullptr if it is in
// the form that the server writes: offsets inside, texts in UTF-8, numbers well-formed, members sorted and
// distinct, not nested deeper than kMaxNesting. Reads bytes of any alignment and calls nothing that raises.
const char* FindJsonbFault(std::string_view contents);

}  // namespace kvs::pg
