#include "pg/binding/table_target.h"

#include <utility>

#include "kvs/error.h"
#include "kvs/util/quote.h"
#include "pg/binding/table_trigger.h"
#include "pg/table/role_scope.h"
#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

extern "C" {
#include "executor/spi.h"
}

namespace kvs::pg {

// Parameters of a statement, in the memory context current.
struct TableTarget::Arguments {
    std::vector<Oid> types;
    std::vector<Datum> values;
    std::vector<char> nulls;

    void Add(Oid type, Datum value, bool is_null = false) {
        types.push_back(type);
        values.push_back(value);
        nulls.push_back(is_null ? 'n' : ' ');
    }
};

namespace {

// An array of values that have the shape of a varlena. Server code.
Datum VarlenaArray(Oid type, const std::vector<std::optional<Datum>>& elements) {
    const int count = static_cast<int>(elements.size());
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * elements.size()));
    auto* nulls = static_cast<bool*>(palloc(sizeof(bool) * elements.size()));
    for (int i = 0; i < count; i++) {
        nulls[i] = !elements[static_cast<size_t>(i)];
        values[i] = elements[static_cast<size_t>(i)].value_or(Datum{0});
    }
    int lower = 1;
    int size = count;
    return PointerGetDatum(
        construct_md_array(values, nulls, 1, &size, &lower, type, -1, false, TYPALIGN_INT));
}

// The images, by the numbers in the first column.
std::vector<Image> ByNumber(size_t count, std::vector<std::vector<std::optional<std::string>>> result,
                            bool has_image) {
    std::vector<Image> images(count);
    for (auto& row : result) {
        const size_t n = std::stoul(row[0].value());
        images[n] = has_image ? std::move(row[1]) : Image("");
    }
    return images;
}

}  // namespace

TableTarget::TableTarget(const Binding& binding, const Mapping& mapping)
    : binding_(binding.id),
      mapping_(mapping),
      table_(OpenBoundTable(binding.target, mapping, binding)),
      statements_(table_, mapping) {}

TableTarget::~TableTarget() {
    for (const auto& [statement, plan] : plans_) {
        SPI_freeplan(static_cast<SPIPlanPtr>(plan));
    }
}

TableTarget::Result TableTarget::Run(const std::string& statement, const Arguments& arguments) {
    const RoleScope owner(table_.owner, SECURITY_RESTRICTED_OPERATION);
    void*& plan = plans_[&statement];
    Guarded([&] {
        if (SPI_connect() != SPI_OK_CONNECT) {
            elog(ERROR, "could not connect to the SPI manager");
        }
        if (plan == nullptr) {
            SPIPlanPtr prepared = SPI_prepare(statement.c_str(), static_cast<int>(arguments.types.size()),
                                              const_cast<Oid*>(arguments.types.data()));
            if (prepared == nullptr) {
                elog(ERROR, "could not prepare \"%s\": %s", statement.c_str(),
                     SPI_result_code_string(SPI_result));
            }
            SPI_keepplan(prepared);
            plan = prepared;
        }
        const int code =
            SPI_execute_plan(static_cast<SPIPlanPtr>(plan), const_cast<Datum*>(arguments.values.data()),
                             arguments.nulls.data(), false, 0);
        if (code < 0) {
            elog(ERROR, "could not execute \"%s\": %s", statement.c_str(), SPI_result_code_string(code));
        }
    });
    SPITupleTable* rows = SPI_tuptable;
    const uint64 count = rows == nullptr ? 0 : SPI_processed;
    const int columns = rows == nullptr ? 0 : rows->tupdesc->natts;
    Result result(count);
    for (uint64 i = 0; i < count; i++) {
        for (int column = 1; column <= columns; column++) {
            const char* text = Guarded([&] { return SPI_getvalue(rows->vals[i], rows->tupdesc, column); });
            result[i].push_back(text == nullptr ? std::nullopt : std::optional<std::string>(text));
        }
    }
    Guarded([] { SPI_finish(); });
    return result;
}

TableTarget::Arguments TableTarget::ArgumentsOf(const TargetRows& rows) const {
    Arguments arguments;
    std::vector<std::optional<Datum>> elements;
    std::vector<Datum> numbers;
    for (size_t i = 0; i < rows.size(); i++) {
        numbers.push_back(Int32GetDatum(static_cast<int32>(i)));
        elements.push_back(rows[i]->document);
    }
    arguments.Add(INT4ARRAYOID, Guarded([&] {
                      return PointerGetDatum(construct_array(numbers.data(), static_cast<int>(numbers.size()),
                                                             INT4OID, sizeof(int32), true, TYPALIGN_INT));
                  }));
    arguments.Add(JSONBARRAYOID, Guarded([&] { return VarlenaArray(JSONBOID, elements); }));
    for (size_t k = 0; k < mapping_.key_values(); k++) {
        elements.clear();
        for (const TargetRow* row : rows) {
            elements.emplace_back(Guarded([&] { return MakeVarlena(row->key[k]); }));
        }
        arguments.Add(TEXTARRAYOID, Guarded([&] { return VarlenaArray(TEXTOID, elements); }));
    }
    for (size_t k = 0; k < mapping_.other_keys().size(); k++) {
        elements.clear();
        for (const TargetRow* row : rows) {
            elements.push_back(row->others.empty() ? std::nullopt : row->others[k]);
        }
        arguments.Add(JSONBARRAYOID, Guarded([&] { return VarlenaArray(JSONBOID, elements); }));
    }
    return arguments;
}

void TableTarget::Replace(const TargetRows& rows) {
    TargetRows removed;
    TargetRows written;
    for (const TargetRow* row : rows) {
        (row->document ? written : removed).push_back(row);
    }
    if (!removed.empty()) {
        Run(statements_.remove, ArgumentsOf(removed));
    }
    if (!written.empty()) {
        RequireKeys(written, Run(statements_.upsert, ArgumentsOf(written)));
    }
}

std::vector<bool> TableTarget::FindHeld(const TargetRows& rows) {
    const Arguments arguments = ArgumentsOf(rows);
    const std::vector<Image> there = ByNumber(rows.size(), Run(statements_.read, arguments), true);
    const std::vector<Image> locked = ByNumber(rows.size(), Run(statements_.try_lock, arguments), true);
    std::vector<bool> held(rows.size());
    for (size_t i = 0; i < rows.size(); i++) {
        held[i] = there[i] && !locked[i];
    }
    return held;
}

std::vector<Image> TableTarget::Read(const TargetRows& rows, bool lock) {
    if (rows.empty()) {
        return {};
    }
    return ByNumber(rows.size(), Run(lock ? statements_.lock : statements_.read, ArgumentsOf(rows)), true);
}

// Each row was written, and has the key that it was meant to have.
void TableTarget::RequireKeys(const TargetRows& rows, const Result& written) const {
    if (written.size() != rows.size()) {
        Guarded([] {
            ereport(ERROR, errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
                    errmsg("a trigger of the table has suppressed the row"));
        });
    }
    for (size_t i = 0; i < rows.size(); i++) {
        RequireKey(*rows[i], written[i], 0);
    }
}

void TableTarget::RequireKey(const TargetRow& row, const std::vector<std::optional<std::string>>& values,
                             size_t first) {
    for (size_t k = 0; k < row.key.size(); k++) {
        if (values[first + k] != row.key[k]) {
            throw Error(ErrorCode::kInvalidArgument,
                        "the key has " + Quoted(row.key[k]) + " where the table has " +
                            Quoted(values[first + k].value_or("NULL")),
                        "Each row belongs to one key: write the key as the table writes the value.");
        }
    }
}

std::vector<Image> TableTarget::Form(const TargetRows& rows) {
    TargetRows there;
    std::vector<size_t> places;
    for (size_t i = 0; i < rows.size(); i++) {
        if (rows[i]->document) {
            there.push_back(rows[i]);
            places.push_back(i);
        }
    }
    std::vector<Image> images(rows.size());
    if (there.empty()) {
        return images;
    }
    for (auto& row : Run(statements_.form, ArgumentsOf(there))) {
        const size_t n = std::stoul(row[0].value());
        RequireKey(*there[n], row, 2);
        images[places[n]] = std::move(row[1]);
    }
    return images;
}

std::vector<Image> TableTarget::Change(Write write, const TargetRows& rows) {
    if (rows.empty()) {
        return {};
    }
    std::vector<std::string> keys;
    for (const TargetRow* row : rows) {
        keys.push_back(mapping_.KeyOf(row->key).value_or(""));
    }
    const ExpectedRowChanges expected(binding_, keys);
    const Arguments arguments = ArgumentsOf(rows);
    switch (write) {
        case Write::kUpdate:
            return ByNumber(rows.size(), Run(statements_.update, arguments), true);
        case Write::kDelete:
            return ByNumber(rows.size(), Run(statements_.remove, arguments), false);
        case Write::kInsert:
            break;
    }
    std::unordered_map<std::string, size_t> places;
    for (size_t i = 0; i < keys.size(); i++) {
        places[keys[i]] = i;
    }
    std::vector<Image> images(rows.size());
    for (auto& row : Run(statements_.insert, arguments)) {
        std::vector<std::string> values;
        for (size_t k = 0; k < mapping_.key_values(); k++) {
            values.push_back(row[k].value_or(""));
        }
        if (const auto found = places.find(mapping_.KeyOf(values).value_or("")); found != places.end()) {
            images[found->second] = std::move(row.back());
        }
    }
    return images;
}

std::vector<std::vector<std::string>> TableTarget::ListKeys(const std::vector<std::string>& after,
                                                            int limit) {
    Arguments arguments;
    for (const std::string& value : after) {
        arguments.Add(TEXTOID, Guarded([&] { return MakeVarlena(value); }));
    }
    arguments.Add(INT4OID, Int32GetDatum(limit));
    std::vector<std::vector<std::string>> keys;
    for (auto& row : Run(after.empty() ? statements_.first : statements_.next, arguments)) {
        std::vector<std::string>& key = keys.emplace_back();
        for (auto& value : row) {
            key.push_back(value.value_or(""));
        }
    }
    return keys;
}

}  // namespace kvs::pg
