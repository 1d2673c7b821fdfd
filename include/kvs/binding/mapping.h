// What the columns of a bound table hold: the mapping of kvs.bind_table.
//
//     {"id": "{id}",                                            a level of the key, by the name in the
//     pattern
//      "raw_key": "{key}",                                      the whole key
//      "name": "/profile/name",                                 a path (RFC 6901) into the document
//      "city": {"path": "/address/city", "default": "?"},       the default is for documents without the path
//      "theme": {"key": "settings:{id}", "path": "/theme"},     the document at another key
//      "source": {"value": "kvs"}}                              a constant
//
// Columns of levels, or the one of the whole key, identify the row. No level has the name {key}.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvs/binding/key_template.h"
#include "kvs/error.h"
#include "kvs/json/json.h"

namespace kvs {

struct MappedColumn {
    enum class Source : uint8_t { kPath, kLevel, kWholeKey, kOtherPath, kConstant };

    std::string name;
    Source source = Source::kPath;
    std::vector<std::string> path = {};  // of kPath and kOtherPath
    size_t index = 0;                    // of the level, or of the other key
    std::optional<Json> value = {};      // the default, or the constant

    bool IsKey() const { return source == Source::kLevel || source == Source::kWholeKey; }
};

class Mapping {
  public:
    // Errors: kInvalidArgument, which names the column.
    static Result<Mapping> Parse(std::string_view pattern, const Json& mapping);

    const Pattern& pattern() const { return pattern_; }
    const std::vector<MappedColumn>& columns() const { return columns_; }
    const std::vector<KeyTemplate>& other_keys() const { return other_keys_; }

    // How many values identify a row: one for each name of the pattern, or the whole key.
    size_t key_values() const { return key_ ? key_->names().size() : 1; }

    // The values of a key that the pattern matches, and back. nullopt where they do not determine one
    // another.
    std::optional<std::vector<std::string>> KeyValues(std::string_view key) const;
    std::optional<std::string> KeyOf(const std::vector<std::string>& values) const;

    // The other key that belongs to the same row; and the key whose row shows something of `other`, which
    // must match the template.
    std::optional<std::string> OtherKey(size_t index, const std::vector<std::string>& values) const;
    std::optional<std::string> KeyOfOther(size_t index, std::string_view other) const;

    // Whether rows can be made into documents: no column reads another key, no two paths overlap. Errors:
    // kInvalidArgument.
    Status RequireWritable() const;

  private:
    explicit Mapping(Pattern pattern) : pattern_(std::move(pattern)) {}
    Status Add(const std::string& column, const Json& source);
    Status AddObject(MappedColumn column, const Json& source);
    Status AddKey(MappedColumn column, std::string_view text);
    Status AddOther(MappedColumn* column, std::string_view text);

    Pattern pattern_;
    std::optional<KeyTemplate> key_;  // none: rows are identified by the whole key
    std::vector<MappedColumn> columns_;
    std::vector<KeyTemplate> other_keys_;
};

// The document with these changes; a value of nullopt removes the member. Objects on the way are made.
// Errors: kInvalidArgument where the path leads through what is neither an object nor an array with that
// element, and where an element of an array would have to go.
struct PathChange {
    const std::vector<std::string>* path;
    std::optional<Json> value;
};
Result<Json> ChangePaths(std::optional<Json> document, std::vector<PathChange> changes);

}  // namespace kvs
