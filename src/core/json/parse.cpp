// Reading a document, with nlohmann's SAX parser, which knows the grammar, UTF-8 and the escapes.
#include <nlohmann/json.hpp>
#include <optional>

#include "kvs/entry.h"
#include "kvs/json/json.h"
#include "kvs/util/quote.h"

namespace kvs {

namespace {

// The floating-point type that the parser is told to use. It refuses numbers that overflow this type, but
// only their text is wanted; so the conversion goes into a double that nobody reads, and the number always
// counts as finite.
class Unread {
  public:
    Unread() = default;
    constexpr Unread(double value) : value_(value) {}
    operator double&() { return value_; }
    operator double() const { return 0; }

  private:
    double value_;
};

using Parser =
    nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int64_t, std::uint64_t, Unread>;

// Receives the parts of a document and puts them together.
class Builder {
  public:
    Json TakeDocument() { return std::move(document_); }
    std::optional<Error>& error() { return error_; }

    bool null() { return Add(Json()); }
    bool boolean(bool value) { return Add(Json::Bool(value)); }

    // The parser calls this for negative integers only, and zero is none of them unless written -0.
    bool number_integer(std::int64_t value) {
        return value == 0 ? AddNumber("-0") : Add(Json::Integer(value));
    }
    bool number_unsigned(std::uint64_t value) { return AddNumber(std::to_string(value)); }

    bool number_float(Unread, const std::string& text) {
        std::string number = text;
        // The parser puts the locale's decimal point into the text, for strtod.
        if (size_t point = number.find_first_not_of("+-0123456789eE"); point != std::string::npos) {
            number[point] = '.';
        }
        return AddNumber(std::move(number));
    }

    bool string(std::string& value) { return Add(Json::String(std::move(value))); }
    bool start_object(std::size_t) { return Open(Json::FromObject({})); }
    bool start_array(std::size_t) { return Open(Json::FromArray({})); }
    bool end_object() { return Close(); }
    bool end_array() { return Close(); }

    bool key(std::string& key) {
        open_.back().key = std::move(key);
        return true;
    }

    // Not called: JSON has no binary values.
    bool binary(Parser::binary_t&) { return false; }

    bool parse_error(std::size_t position, const std::string& last_token, const Parser::exception&) {
        error_ =
            Error(ErrorCode::kInvalidArgument, "document is not JSON: error at byte " +
                                                   std::to_string(position) + ", near " + Quoted(last_token));
        return false;
    }

  private:
    // A container that is not closed yet.
    struct Container {
        Json json;
        std::string key;  // of the member that comes next, if it is an object
    };

    bool Add(Json value) {
        if (open_.empty()) {
            document_ = std::move(value);
            return true;
        }
        Container& container = open_.back();
        if (container.json.IsArray()) {
            container.json.array().push_back(std::move(value));
        } else {
            container.json.object().insert_or_assign(std::move(container.key), std::move(value));
        }
        return true;
    }

    bool AddNumber(std::string text) {
        Result<Json> number = Json::Number(std::move(text));
        if (!number.ok()) {
            error_ = number.error();
            return false;
        }
        return Add(std::move(number).value());
    }

    bool Open(Json container) {
        if (open_.size() >= static_cast<size_t>(kMaxNesting)) {
            error_ =
                Error(ErrorCode::kLimitExceeded, "document is nested too deeply",
                      "Arrays and objects may be nested up to " + std::to_string(kMaxNesting) + " levels.");
            return false;
        }
        open_.push_back({std::move(container), {}});
        return true;
    }

    bool Close() {
        Json closed = std::move(open_.back().json);
        open_.pop_back();
        return Add(std::move(closed));
    }

    std::vector<Container> open_;
    Json document_;
    std::optional<Error> error_;
};

}  // namespace

Result<Json> Json::Parse(std::string_view text) {
    // The parser takes a NUL byte for the end and would not look at what stands behind it.
    if (size_t nul = text.find('\0'); nul != std::string_view::npos) {
        return Error(ErrorCode::kInvalidArgument,
                     "document is not JSON: NUL byte at byte " + std::to_string(nul + 1));
    }
    Builder builder;
    if (!Parser::sax_parse(text.begin(), text.end(), &builder)) {
        return std::move(*builder.error());
    }
    return builder.TakeDocument();
}

}  // namespace kvs
