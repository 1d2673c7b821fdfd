// The document as a data structure: access, comparison, text.
#include "kvs/json/json.h"

#include "core/json/decimal.h"

namespace kvs {

namespace {

void AppendText(std::string& out, const Json& json) {
    switch (json.kind()) {
        case Json::Kind::kNull:
            out += "null";
            return;
        case Json::Kind::kBool:
            out += json.bool_value() ? "true" : "false";
            return;
        case Json::Kind::kNumber:
            out += json.number_text();
            return;
        case Json::Kind::kString:
            AppendQuotedJson(out, json.string());
            return;
        case Json::Kind::kArray: {
            char separator = '[';
            for (const Json& item : json.array()) {
                out += separator;
                AppendText(out, item);
                separator = ',';
            }
            out += separator == '[' ? "[]" : "]";
            return;
        }
        case Json::Kind::kObject: {
            char separator = '{';
            for (const auto& [key, value] : json.object()) {
                out += separator;
                AppendQuotedJson(out, key);
                out += ':';
                AppendText(out, value);
                separator = ',';
            }
            out += separator == '{' ? "{}" : "}";
            return;
        }
    }
}

}  // namespace

// Not in the header, where each use would expand the whole recursion over the kinds.
Json::Json() = default;
Json::~Json() = default;
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;

Json Json::Bool(bool value) {
    Json json;
    json.value_.emplace<bool>(value);
    return json;
}

Json Json::Integer(int64_t value) {
    Json json;
    json.value_.emplace<NumberText>(NumberText{std::to_string(value)});
    return json;
}

Json Json::String(std::string value) {
    Json json;
    json.value_.emplace<std::string>(std::move(value));
    return json;
}

Json Json::FromArray(Array items) {
    Json json;
    json.value_.emplace<Array>(std::move(items));
    return json;
}

Json Json::FromObject(Object members) {
    Json json;
    json.value_.emplace<Object>(std::move(members));
    return json;
}

Result<Json> Json::Number(std::string text) {
    if (Status status = ValidateNumber(text); !status.ok()) {
        return status.error();
    }
    Json json;
    json.value_.emplace<NumberText>(NumberText{std::move(text)});
    return json;
}

std::string Json::ToText() const {
    std::string text;
    AppendText(text, *this);
    return text;
}

const Json* Json::Find(std::string_view key) const {
    const Object* members = std::get_if<Object>(&value_);
    if (members == nullptr) {
        return nullptr;
    }
    auto member = members->find(key);
    return member == members->end() ? nullptr : &member->second;
}

Json* Json::Find(std::string_view key) {
    return const_cast<Json*>(std::as_const(*this).Find(key));
}

bool Json::operator==(const Json& other) const {
    return value_ == other.value_;
}

bool SameValue(const Json& left, const Json& right) {
    if (left.kind() != right.kind()) {
        return false;
    }
    switch (left.kind()) {
        case Json::Kind::kNumber:
            return left.number_text() == right.number_text() ||
                   ParseDecimal(left.number_text()) == ParseDecimal(right.number_text());
        case Json::Kind::kArray: {
            const Json::Array& items = left.array();
            const Json::Array& others = right.array();
            if (items.size() != others.size()) {
                return false;
            }
            for (size_t i = 0; i < items.size(); i++) {
                if (!SameValue(items[i], others[i])) {
                    return false;
                }
            }
            return true;
        }
        case Json::Kind::kObject: {
            const Json::Object& members = left.object();
            const Json::Object& others = right.object();
            if (members.size() != others.size()) {
                return false;
            }
            auto other = others.begin();
            for (auto member = members.begin(); member != members.end(); ++member, ++other) {
                if (member->first != other->first || !SameValue(member->second, other->second)) {
                    return false;
                }
            }
            return true;
        }
        default:
            return left == right;
    }
}

void AppendQuotedJson(std::string& out, std::string_view text) {
    constexpr char kHexDigits[] = "0123456789abcdef";
    out += '"';
    size_t plain = 0;  // where the characters begin that need no escape and are not yet in `out`
    for (size_t i = 0; i < text.size(); i++) {
        auto c = static_cast<uint8_t>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        out.append(text, plain, i - plain);
        plain = i + 1;
        out += '\\';
        switch (c) {
            case '"':
            case '\\':
                out += static_cast<char>(c);
                break;
            case '\b':
                out += 'b';
                break;
            case '\t':
                out += 't';
                break;
            case '\n':
                out += 'n';
                break;
            case '\f':
                out += 'f';
                break;
            case '\r':
                out += 'r';
                break;
            default:
                out += "u00";
                out += kHexDigits[c >> 4];
                out += kHexDigits[c & 0x0f];
        }
    }
    out.append(text, plain, std::string_view::npos);
    out += '"';
}

}  // namespace kvs
