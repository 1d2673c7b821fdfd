#include "kvs/entry.h"

namespace kvs {

const char* OperationName(Operation operation) {
    switch (operation) {
        case Operation::kSet:
            return "set";
        case Operation::kPatch:
            return "patch";
        case Operation::kDelete:
            return "delete";
        case Operation::kExpire:
            return "expire";
        case Operation::kMerge:
            return "merge";
        case Operation::kRevert:
            return "revert";
        case Operation::kReset:
            return "reset";
        case Operation::kRestore:
            return "restore";
        case Operation::kImport:
            return "import";
    }
    return "unknown";  // a number read from a store of a later version
}

}  // namespace kvs
