// Bundles: export_bundle, import_bundle.
#include <optional>
#include <string>

#include "pg/branch/ref_edit.h"
#include "pg/table/access_guard.h"
#include "pg/transfer/bundle_export.h"
#include "pg/transfer/bundle_import.h"
#include "pg/wall/arguments.h"
#include "pg/wall/convert.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/stream.h"

namespace kvs::sqlapi {

using namespace kvs::pg;

namespace {

struct ExportArguments {
    std::string_view ref;
    std::optional<std::string_view> since;
};

// Server code.
ExportArguments ReadExportArguments(FunctionCallInfo fcinfo) {
    RequireRead();
    return {RequiredBytes(fcinfo, 0, "ref"), OptionalBytes(fcinfo, 1)};
}

// (ref, since): parts as rows.
class BundleParts {
  public:
    explicit BundleParts(FunctionCallInfo fcinfo)
        : BundleParts(Guarded([&] { return ReadExportArguments(fcinfo); })) {}

    bool Next(Datum* row) {
        const std::optional<std::string> part = export_.NextPart(GetActiveSnapshot());
        if (part) {
            *row = Guarded([&] { return MakeVarlena(*part); });
        }
        return part.has_value();
    }

  private:
    explicit BundleParts(const ExportArguments& arguments)
        : export_(arguments.ref, arguments.since, GetActiveSnapshot()) {}

    BundleExport export_;
};

Datum TakeBundle(const DatumArray& parts) {
    BeginRefEdit();
    const std::string head = ImportBundle(parts).ToHex();
    return Guarded([&] { return MakeVarlena(head); });
}

}  // namespace

// (ref, since)
KVS_FUNCTION(kvs_export_bundle)
{ return StreamRows<BundleParts>(fcinfo); }

// (parts)
KVS_FUNCTION(kvs_import_bundle)
{
    RequireWrite(ACL_INSERT | ACL_UPDATE | ACL_DELETE, "kvs.import_bundle()");
    return TakeBundle(RequiredArray(fcinfo, 0, "parts"));
}

}  // namespace kvs::sqlapi
