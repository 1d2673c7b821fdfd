// Figures in the text exposition format of Prometheus, version 0.0.4:
//
//     # HELP kvs_branches Branches of the store.
//     # TYPE kvs_branches gauge
//     kvs_branches{database="shop"} 3
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace kvs {

// All samples carry one label more, given once. Names are the caller's constants and are not checked.
class PrometheusText {
  public:
    using Label = std::pair<std::string_view, std::string_view>;  // name, value

    PrometheusText(std::string_view label_name, std::string_view label_value);

    // Begins a metric; what is added up to the next belongs to it. `type` is counter, gauge or histogram,
    // `help` a sentence.
    void Begin(std::string_view name, std::string_view type, std::string_view help);

    // A sample of it. `suffix` goes behind its name: empty, or _bucket, _sum or _count of a histogram.
    // `value` is a number as Go reads it.
    void Add(std::string_view suffix, std::initializer_list<Label> labels, std::string_view value);

    const std::string& text() const { return text_; }

    // A number in the fewest digits that read back to it.
    static std::string Number(double value);

  private:
    std::string common_label_;
    std::string name_;
    std::string text_;
};

}  // namespace kvs
