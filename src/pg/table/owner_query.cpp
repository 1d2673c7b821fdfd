#include "pg/table/owner_query.h"

#include "pg/table/catalog.h"
#include "pg/table/role_scope.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

extern "C" {
#include "executor/spi.h"
#include "utils/datum.h"
}

namespace kvs::pg {

namespace {

constexpr long kFetchRows = 256;

// Parameters in the form that SPI takes.
struct SpiArguments {
    static constexpr int kMost = 16;

    int count = 0;
    Oid types[kMost];
    Datum values[kMost];
    char nulls[kMost + 1] = {};

    explicit SpiArguments(const Parameters& parameters) {
        for (const Parameter& parameter : parameters) {
            Assert(count < kMost);
            types[count] = parameter.type;
            values[count] = parameter.value;
            nulls[count++] = parameter.is_null ? 'n' : ' ';
        }
    }
};

}  // namespace

Parameter Parameter::Text(std::string_view text) {
    return Of(TEXTOID, Guarded([&] { return MakeVarlena(text); }));
}

Parameter Parameter::Bytea(std::string_view bytes) {
    return Of(BYTEAOID, Guarded([&] { return MakeVarlena(bytes); }));
}

Parameter Parameter::Addresses(const std::vector<Hash>& addresses) {
    return Of(BYTEAARRAYOID, Guarded([&] { return HashArray(addresses); }));
}

uint64 ExecuteAsOwner(const char* sql, const Parameters& parameters) {
    SpiArguments arguments(parameters);
    const RoleScope owner(Guarded([] { return OwnerId(); }));
    return Guarded([&] {
        SPI_connect();
        const int result = SPI_execute_with_args(sql, arguments.count, arguments.types, arguments.values,
                                                 arguments.nulls, false, 0);
        if (result < 0) {
            elog(ERROR, "could not execute \"%s\": %s", sql, SPI_result_code_string(result));
        }
        const uint64 processed = SPI_processed;
        SPI_finish();
        return processed;
    });
}

OwnerQuery::OwnerQuery(const char* sql, const Parameters& parameters, bool latest) {
    SpiArguments arguments(parameters);
    const RoleScope owner(Guarded([] { return OwnerId(); }));
    Guarded([&] {
        // SPI makes a context of its own the current one; whoever reads the rows keeps his.
        MemoryContext caller = CurrentMemoryContext;
        SPI_connect();
        row_context_ =
            AllocSetContextCreate(CurrentMemoryContext, "kvs owner query row", ALLOCSET_DEFAULT_SIZES);
        portal_ = SPI_cursor_open_with_args(nullptr, sql, arguments.count, arguments.types, arguments.values,
                                            arguments.nulls, !latest, 0);
        MemoryContextSwitchTo(caller);
    });
}

bool OwnerQuery::Next() {
    if (next_ == batch_size_) {
        Fetch();
    }
    Guarded([&] { MemoryContextReset(row_context_); });
    return next_++ < batch_size_;
}

// The names that a query resolves while it runs are looked up with the owner's rights too.
void OwnerQuery::Fetch() {
    const RoleScope owner(Guarded([] { return OwnerId(); }));
    Guarded([&] {
        CHECK_FOR_INTERRUPTS();
        MemoryContext caller = CurrentMemoryContext;
        if (batch_ != nullptr) {
            SPI_freetuptable(static_cast<SPITupleTable*>(batch_));
        }
        SPI_cursor_fetch(static_cast<Portal>(portal_), true, kFetchRows);
        batch_ = SPI_tuptable;
        batch_size_ = SPI_processed;
        next_ = 0;
        MemoryContextSwitchTo(caller);
    });
}

// Server code.
Datum OwnerQuery::Get(int column, bool* is_null) {
    auto* batch = static_cast<SPITupleTable*>(batch_);
    return SPI_getbinval(batch->vals[next_ - 1], batch->tupdesc, column, is_null);
}

bool OwnerQuery::IsNull(int column) {
    return Guarded([&] {
        bool is_null;
        Get(column, &is_null);
        return is_null;
    });
}

int64 OwnerQuery::Int8(int column) {
    return Guarded([&] {
        bool is_null;
        return DatumGetInt64(Get(column, &is_null));
    });
}

int32 OwnerQuery::Int4(int column) {
    return Guarded([&] {
        bool is_null;
        return DatumGetInt32(Get(column, &is_null));
    });
}

bool OwnerQuery::Bool(int column) {
    return Guarded([&] {
        bool is_null;
        return DatumGetBool(Get(column, &is_null));
    });
}

std::string_view OwnerQuery::Bytes(int column) {
    return Guarded([&] {
        bool is_null;
        const Datum datum = Get(column, &is_null);
        if (is_null) {
            return std::string_view();
        }
        MemoryContext caller = MemoryContextSwitchTo(row_context_);
        const std::string_view bytes = DatumContents(datum);
        MemoryContextSwitchTo(caller);
        return bytes;
    });
}

Datum OwnerQuery::Copy(int column) {
    return Guarded([&] {
        bool is_null;
        const Datum datum = Get(column, &is_null);
        Form_pg_attribute attribute = TupleDescAttr(static_cast<SPITupleTable*>(batch_)->tupdesc, column - 1);
        if (attribute->attlen == -1) {
            return PointerGetDatum(PG_DETOAST_DATUM_COPY(datum));
        }
        return datumCopy(datum, attribute->attbyval, attribute->attlen);
    });
}

std::optional<Hash> OwnerQuery::Address(int column) {
    const std::string_view bytes = Bytes(column);
    return bytes.size() == Hash::kSize ? std::optional<Hash>(Hash::FromBytes(bytes)) : std::nullopt;
}

void OwnerQuery::Finish() {
    Guarded([&] {
        SPI_cursor_close(static_cast<Portal>(portal_));
        SPI_finish();
    });
}

}  // namespace kvs::pg
