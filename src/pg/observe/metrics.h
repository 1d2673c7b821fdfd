// The figures that a monitoring system watches, in Prometheus' text format. Another one is a line in a table
// of metrics.cpp.
#pragma once

#include <string>

namespace kvs::pg {

// Reads no table that grows with the store. The access guard has to be asked before. Errors: PgError.
std::string MetricsText();

}  // namespace kvs::pg
