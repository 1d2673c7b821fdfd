#include "kvs/binding/mapping.h"

#include <algorithm>

#include "kvs/codec/key.h"
#include "kvs/json/pointer.h"
#include "kvs/util/quote.h"

namespace kvs {

namespace {

constexpr std::string_view kWholeKeyName = "{key}";

constexpr const char* kForms =
    R"(A column comes from a path "/a/b", a level "{name}" of the key, the whole key "{key}", or an object with "path", "key", "value" or "default".)";

Error Invalid(const std::string& column, const std::string& problem) {
    return {ErrorCode::kInvalidArgument, "mapping of column " + Quoted(column) + " " + problem, kForms};
}

// Whether one leads to the other, or to the same.
bool Overlap(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())),
                      b.begin());
}

const Json* StringMember(const Json& object, std::string_view name, bool* is_wrong) {
    const Json* member = object.Find(name);
    *is_wrong |= member != nullptr && !member->IsString();
    return member;
}

bool IsLevel(std::string_view text) {
    return text.size() > 2 && text.front() == '{' && text.back() == '}' &&
           text.find_first_of("/:") == std::string_view::npos;
}

// The value at the end of the path, to be assigned; nullptr if it cannot be.
Json* Reach(Json* document, const std::vector<std::string>& path) {
    Json* at = document;
    for (const std::string& token : path) {
        if (at->IsNull()) {
            *at = Json::FromObject({});
        }
        if (at->IsObject()) {
            at = &at->object()[token];
        } else if (at->IsArray()) {
            const std::optional<size_t> index = JsonArrayIndex(token);
            if (!index || *index >= at->array().size()) {
                return nullptr;
            }
            at = &at->array()[*index];
        } else {
            return nullptr;
        }
    }
    return at;
}

// False if it is an element of an array, which cannot go without moving those behind it. What is not there
// need not go.
bool Remove(Json* document, const std::vector<std::string>& path) {
    Json* at = document;
    for (size_t i = 0; i + 1 < path.size() && at != nullptr; i++) {
        if (at->IsArray()) {
            const std::optional<size_t> index = JsonArrayIndex(path[i]);
            at = index && *index < at->array().size() ? &at->array()[*index] : nullptr;
        } else {
            at = at->IsObject() ? at->Find(path[i]) : nullptr;
        }
    }
    if (at != nullptr && at->IsObject()) {
        at->object().erase(path.back());
    }
    const std::optional<size_t> index =
        at != nullptr && at->IsArray() ? JsonArrayIndex(path.back()) : std::nullopt;
    return !index || *index >= at->array().size();
}

Error HasNoPlace(const std::vector<std::string>& path, const char* problem) {
    std::string pointer;
    for (const std::string& token : path) {
        AppendJsonPointer(&pointer, token);
    }
    return {ErrorCode::kInvalidArgument, std::string("the document ") + problem + " path " + Quoted(pointer)};
}

// Whether a column of this source holds the whole key.
bool IsWholeKey(const Json& source) {
    const bool is_object = source.IsObject() && source.Find("path") == nullptr;
    const Json* key = is_object ? source.Find("key") : &source;
    return key != nullptr && key->IsString() && key->string() == kWholeKeyName;
}

}  // namespace

Result<Mapping> Mapping::Parse(std::string_view pattern_text, const Json& mapping) {
    Result<Pattern> pattern = Pattern::Parse(pattern_text);
    if (!pattern.ok()) {
        return pattern.error();
    }
    Mapping result(std::move(pattern).value());
    if (!mapping.IsObject() || mapping.object().empty()) {
        return Error(ErrorCode::kInvalidArgument,
                     "the mapping must be an object with a member for each column", kForms);
    }
    const auto& levels = result.pattern_.levels();
    const bool has_names = std::any_of(levels.begin(), levels.end(), [](const Pattern::Level& level) {
        return level.kind == Pattern::LevelKind::kCapture;
    });
    const bool has_whole_key = std::any_of(mapping.object().begin(), mapping.object().end(),
                                           [](const auto& member) { return IsWholeKey(member.second); });
    if (std::any_of(levels.begin(), levels.end(), [](const Pattern::Level& level) {
            return level.kind == Pattern::LevelKind::kCapture && "{" + level.text + "}" == kWholeKeyName;
        })) {
        return Error(ErrorCode::kInvalidArgument,
                     "pattern " + Quoted(pattern_text) + " has a level with the name of the whole key, {key}",
                     "Give the level another name.");
    }
    if (has_names && !has_whole_key) {
        Result<KeyTemplate> key = KeyTemplate::Parse(pattern_text);
        if (!key.ok()) {
            return key.error();
        }
        result.key_ = std::move(key).value();
    }
    for (const auto& [column, source] : mapping.object()) {
        if (const Status added = result.Add(column, source); !added.ok()) {
            return added.error();
        }
    }
    std::vector<int> uses(result.key_values());
    for (const MappedColumn& column : result.columns_) {
        if (column.IsKey()) {
            uses[column.index]++;
        }
    }
    for (size_t i = 0; i < uses.size(); i++) {
        const std::string name =
            result.key_ ? "{" + result.key_->names()[i] + "}" : std::string(kWholeKeyName);
        if (uses[i] != 1) {
            return Error(
                ErrorCode::kInvalidArgument,
                (uses[i] == 0 ? "no column comes from " : "more than one column comes from ") + Quoted(name),
                "What varies in the key identifies the row: each {name} of the pattern needs a column, "
                "or {key}, the whole key, does.");
        }
    }
    return result;
}

Status Mapping::Add(const std::string& name, const Json& source) {
    MappedColumn column{.name = name};
    if (source.IsObject()) {
        return AddObject(std::move(column), source);
    }
    if (!source.IsString()) {
        return Invalid(name, "is neither a text nor an object");
    }
    if (IsLevel(source.string())) {
        return AddKey(std::move(column), source.string());
    }
    Result<std::vector<std::string>> path = ParseJsonPointer(source.string());
    if (!path.ok()) {
        return Invalid(name, "is neither a path nor a level: " + std::string(path.error().what()));
    }
    column.path = std::move(path).value();
    columns_.push_back(std::move(column));
    return Ok();
}

Status Mapping::AddObject(MappedColumn column, const Json& source) {
    bool is_wrong = false;
    const Json* path = StringMember(source, "path", &is_wrong);
    const Json* key = StringMember(source, "key", &is_wrong);
    const Json* value = source.Find("value");
    const Json* otherwise = source.Find("default");
    if (is_wrong) {
        return Invalid(column.name, "has a \"path\" or a \"key\" that is no text");
    }
    for (const auto& [member, ignored] : source.object()) {
        if (member != "path" && member != "key" && member != "value" && member != "default") {
            return Invalid(column.name, "has an unknown member " + Quoted(member));
        }
    }
    if (value != nullptr) {
        if (source.object().size() != 1) {
            return Invalid(column.name, "has a constant \"value\" beside something else");
        }
        column.source = MappedColumn::Source::kConstant;
        column.value = *value;
        columns_.push_back(std::move(column));
        return Ok();
    }
    if (path == nullptr) {
        if (key == nullptr || otherwise != nullptr || !IsLevel(key->string())) {
            return Invalid(column.name, "has no \"path\"");
        }
        return AddKey(std::move(column), key->string());
    }
    Result<std::vector<std::string>> tokens = ParseJsonPointer(path->string());
    if (!tokens.ok()) {
        return Invalid(column.name, "has a bad \"path\": " + std::string(tokens.error().what()));
    }
    column.path = std::move(tokens).value();
    if (otherwise != nullptr) {
        column.value = *otherwise;
    }
    if (key != nullptr) {
        if (const Status added = AddOther(&column, key->string()); !added.ok()) {
            return added.error();
        }
    }
    columns_.push_back(std::move(column));
    return Ok();
}

Status Mapping::AddKey(MappedColumn column, std::string_view text) {
    if (!key_) {
        if (text != kWholeKeyName) {
            return Invalid(column.name, "names level " + Quoted(text) +
                                            " where the whole key, or nothing, identifies the row");
        }
        column.source = MappedColumn::Source::kWholeKey;
    } else {
        const std::optional<size_t> index = key_->IndexOf(text.substr(1, text.size() - 2));
        if (!index) {
            return Invalid(column.name, "names level " + Quoted(text) + ", which the pattern does not have");
        }
        column.source = MappedColumn::Source::kLevel;
        column.index = *index;
    }
    columns_.push_back(std::move(column));
    return Ok();
}

// An event of the other key has to tell which row it concerns, so both have the same names.
Status Mapping::AddOther(MappedColumn* column, std::string_view text) {
    Result<KeyTemplate> other = KeyTemplate::Parse(text);
    if (!other.ok()) {
        return Invalid(column->name, "has a \"key\" that is none: " + std::string(other.error().what()));
    }
    const std::vector<std::string>& names = other.value().names();
    if (!key_ ||
        !std::is_permutation(names.begin(), names.end(), key_->names().begin(), key_->names().end())) {
        return Invalid(column->name, "has a \"key\" without the same {names} as the pattern");
    }
    column->source = MappedColumn::Source::kOtherPath;
    const auto found = std::find_if(other_keys_.begin(), other_keys_.end(),
                                    [&](const KeyTemplate& known) { return known.pattern().text() == text; });
    column->index = static_cast<size_t>(found - other_keys_.begin());
    if (found == other_keys_.end()) {
        other_keys_.push_back(std::move(other).value());
    }
    return Ok();
}

std::optional<std::vector<std::string>> Mapping::KeyValues(std::string_view key) const {
    return key_ ? key_->Values(key) : std::optional(std::vector<std::string>{std::string(key)});
}

std::optional<std::string> Mapping::KeyOf(const std::vector<std::string>& values) const {
    if (key_) {
        return key_->Format(values);
    }
    const bool is_key = pattern_.Matches(values.front()) && ValidateKey(values.front()).ok();
    return is_key ? std::optional(values.front()) : std::nullopt;
}

std::optional<std::string> Mapping::OtherKey(size_t index, const std::vector<std::string>& values) const {
    const KeyTemplate& other = other_keys_[index];
    std::vector<std::string> ordered;
    for (const std::string& name : other.names()) {
        ordered.push_back(values[*key_->IndexOf(name)]);
    }
    return other.Format(ordered);
}

std::optional<std::string> Mapping::KeyOfOther(size_t index, std::string_view other) const {
    const KeyTemplate& known = other_keys_[index];
    const std::optional<std::vector<std::string>> values = known.Values(other);
    if (!values) {
        return std::nullopt;
    }
    std::vector<std::string> ordered;
    for (const std::string& name : key_->names()) {
        ordered.push_back((*values)[*known.IndexOf(name)]);
    }
    return key_->Format(ordered);
}

Status Mapping::RequireWritable() const {
    for (size_t i = 0; i < columns_.size(); i++) {
        if (columns_[i].source == MappedColumn::Source::kOtherPath) {
            return Error(ErrorCode::kInvalidArgument,
                         "column " + Quoted(columns_[i].name) +
                             " comes from another key, so that rows cannot be made into documents",
                         "Bind it with direction to_table.");
        }
        for (size_t j = 0; j < i; j++) {
            if (columns_[i].source == MappedColumn::Source::kPath &&
                columns_[j].source == MappedColumn::Source::kPath &&
                Overlap(columns_[i].path, columns_[j].path)) {
                return Error(ErrorCode::kInvalidArgument,
                             "columns " + Quoted(columns_[j].name) + " and " + Quoted(columns_[i].name) +
                                 " come from the same part of the document",
                             "Bind them with direction to_table.");
            }
        }
    }
    return Ok();
}

Result<Json> ChangePaths(std::optional<Json> document, std::vector<PathChange> changes) {
    Json result = document ? std::move(*document) : Json::FromObject({});
    for (PathChange& change : changes) {
        if (!change.value) {
            if (!change.path->empty()) {
                if (!Remove(&result, *change.path)) {
                    return HasNoPlace(*change.path, "cannot be without");
                }
                continue;
            }
            change.value = Json();
        }
        Json* place = Reach(&result, *change.path);
        if (place == nullptr) {
            return HasNoPlace(*change.path, "has no place for");
        }
        *place = std::move(*change.value);
    }
    return result;
}

}  // namespace kvs
