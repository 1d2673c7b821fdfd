// A JSON document that keeps every number as its digits.
//
// For what has to change or compare documents outside PostgreSQL's jsonb: patches, merges, canonical form,
// the in-memory store. Nothing in it goes through a floating-point number.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "kvs/error.h"

namespace kvs {

class Json {
  public:
    enum class Kind : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };  // in the order of Value

    using Array = std::vector<Json>;
    using Object = std::map<std::string, Json, std::less<>>;  // sorted by the bytes of the keys

    Json();  // null
    ~Json();
    Json(const Json&);
    Json(Json&&) noexcept;
    Json& operator=(const Json&);
    Json& operator=(Json&&) noexcept;

    // Factories rather than constructors: a string literal must not turn into a boolean.
    static Json Bool(bool value);
    static Json Integer(int64_t value);
    static Json String(std::string value);  // UTF-8
    static Json FromArray(Array items);
    static Json FromObject(Object members);

    // `text` must be a number as JSON writes it, else Error(kInvalidArgument); an exponent of more than nine
    // digits is Error(kLimitExceeded).
    static Result<Json> Number(std::string text);

    // RFC 8259, UTF-8. Of equal keys in one object the last wins, as in jsonb. Errors: kInvalidArgument with
    // the position, kLimitExceeded below kMaxNesting levels and for absurd exponents.
    static Result<Json> Parse(std::string_view text);

    // Compact; members in the order of their keys' bytes; numbers as they were written.
    std::string ToText() const;

    Kind kind() const { return static_cast<Kind>(value_.index()); }
    bool IsNull() const { return kind() == Kind::kNull; }
    bool IsNumber() const { return kind() == Kind::kNumber; }
    bool IsString() const { return kind() == Kind::kString; }
    bool IsArray() const { return kind() == Kind::kArray; }
    bool IsObject() const { return kind() == Kind::kObject; }

    // Each requires the kind it names and throws std::bad_variant_access otherwise.
    bool bool_value() const { return std::get<bool>(value_); }
    const std::string& number_text() const { return std::get<NumberText>(value_).text; }
    const std::string& string() const { return std::get<std::string>(value_); }
    const Array& array() const { return std::get<Array>(value_); }
    Array& array() { return std::get<Array>(value_); }
    const Object& object() const { return std::get<Object>(value_); }
    Object& object() { return std::get<Object>(value_); }

    // The member, or nullptr if there is none or this is no object.
    const Json* Find(std::string_view key) const;
    Json* Find(std::string_view key);

    // Equal in structure, numbers by their digits: 2 and 2.0 differ. See SameValue.
    bool operator==(const Json& other) const;

  private:
    struct NumberText {
        std::string text;
        bool operator==(const NumberText&) const = default;
    };
    using Value = std::variant<std::monostate, bool, NumberText, std::string, Array, Object>;

    Value value_;
};

// Equal with numbers compared by their exact values: 2, 2.0 and 0.2e1 are the same.
bool SameValue(const Json& left, const Json& right);

// `text` as a JSON string literal, quotes included, with the escapes of RFC 8785, appended to `out`.
void AppendQuotedJson(std::string& out, std::string_view text);

}  // namespace kvs
