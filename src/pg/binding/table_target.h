// A table of this database as the target of a binding.
#pragma once

#include <string>
#include <unordered_map>

#include "kvs/binding/mapping.h"
#include "pg/binding/binding_table.h"
#include "pg/binding/binding_target.h"
#include "pg/binding/bound_table.h"

namespace kvs::pg {

// SQL runs as the owner of the table, restricted as that of others is: the table may have triggers. The
// statements are prepared once.
class TableTarget : public BindingTarget {
  public:
    // The mapping must outlive it. Errors: those of OpenBoundTable.
    TableTarget(const Binding& binding, const Mapping& mapping);
    ~TableTarget() override;
    TableTarget(const TableTarget&) = delete;
    TableTarget& operator=(const TableTarget&) = delete;

    const BoundTable& table() const { return table_; }

    void Replace(const TargetRows& rows) override;
    std::vector<bool> FindHeld(const TargetRows& rows) override;
    std::vector<Image> Read(const TargetRows& rows, bool lock) override;
    std::vector<Image> Form(const TargetRows& rows) override;
    bool IsWrapped(size_t column) const override { return table_.columns[column].is_json; }
    std::vector<Image> Change(Write write, const TargetRows& rows) override;
    std::vector<std::vector<std::string>> ListKeys(const std::vector<std::string>& after, int limit) override;

  private:
    // What a statement returned, as text.
    using Result = std::vector<std::vector<std::optional<std::string>>>;
    struct Arguments;

    Result Run(const std::string& statement, const Arguments& arguments);
    Arguments ArgumentsOf(const TargetRows& rows) const;
    void RequireKeys(const TargetRows& rows, const Result& written) const;
    static void RequireKey(const TargetRow& row, const std::vector<std::optional<std::string>>& values,
                           size_t first);

    int32 binding_;
    const Mapping& mapping_;
    BoundTable table_;
    BoundStatements statements_;
    std::unordered_map<const std::string*, void*> plans_;  // SPIPlanPtr, by the statement
};

}  // namespace kvs::pg
