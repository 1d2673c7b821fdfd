// Work that may crash, in a process of its own: what ends a child of a backend ends nothing else, whereas a
// backend that crashes makes the server restart.
#pragma once

#include <functional>
#include <string>

namespace kvs::pg {

// Runs `body` in a copy of this process and returns what it returned; a cancel ends both. In the copy `body`
// may compute and take C++ memory, and must not touch the server, which is not there: shared memory is
// detached.
//
// Errors: 53200 if no memory is left to make the copy or in it, also where `body` crashes.
std::string InChildProcess(const std::function<std::string()>& body);

}  // namespace kvs::pg
