#include "kvs/util/prometheus_text.h"

#include <charconv>

namespace kvs {

namespace {

// In a label's value a backslash, a double quote and a line feed are escaped; in a help text the quote is
// not.
std::string Escaped(std::string_view text, bool quotes) {
    std::string escaped;
    for (const char c : text) {
        if (c == '\n') {
            escaped += "\\n";
            continue;
        }
        if (c == '\\' || (quotes && c == '"')) {
            escaped += '\\';
        }
        escaped += c;
    }
    return escaped;
}

std::string LabelText(const PrometheusText::Label& label) {
    return std::string(label.first) + "=\"" + Escaped(label.second, true) + '"';
}

}  // namespace

PrometheusText::PrometheusText(std::string_view label_name, std::string_view label_value)
    : common_label_(LabelText({label_name, label_value})) {}

void PrometheusText::Begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += "# HELP " + name_ + ' ' + Escaped(help, false) + '\n';
    text_ += "# TYPE " + name_ + ' ' + std::string(type) + '\n';
}

void PrometheusText::Add(std::string_view suffix, std::initializer_list<Label> labels,
                         std::string_view value) {
    text_ += name_;
    text_ += suffix;
    text_ += '{' + common_label_;
    for (const Label& label : labels) {
        text_ += ',' + LabelText(label);
    }
    text_ += "} ";
    text_ += value;
    text_ += '\n';
}

std::string PrometheusText::Number(double value) {
    char digits[32];
    const std::to_chars_result end = std::to_chars(digits, digits + sizeof(digits), value);
    return {digits, end.ptr};
}

}  // namespace kvs
