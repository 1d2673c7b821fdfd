#include "kvs/util/prometheus_text.h"

#include <gtest/gtest.h>

namespace kvs {

namespace {

TEST(PrometheusText, MetricsAndSamples) {
    PrometheusText text("database", "shop");
    text.Begin("kvs_branches", "gauge", "Branches.");
    text.Add("", {}, "3");
    text.Begin("kvs_duration_seconds", "histogram", "Durations.");
    text.Add("_bucket", {{"operation", "get"}, {"le", "+Inf"}}, "2");
    text.Add("_sum", {{"operation", "get"}}, PrometheusText::Number(0.25));
    EXPECT_EQ(text.text(),
              "# HELP kvs_branches Branches.\n"
              "# TYPE kvs_branches gauge\n"
              "kvs_branches{database=\"shop\"} 3\n"
              "# HELP kvs_duration_seconds Durations.\n"
              "# TYPE kvs_duration_seconds histogram\n"
              "kvs_duration_seconds_bucket{database=\"shop\",operation=\"get\",le=\"+Inf\"} 2\n"
              "kvs_duration_seconds_sum{database=\"shop\",operation=\"get\"} 0.25\n");
}

TEST(PrometheusText, EscapesWhatWouldEndALabelOrALine) {
    PrometheusText text("database", "a\"b\\c\nd");
    text.Begin("kvs_branches", "gauge", "A \"quoted\" \\ word\nand a line.");
    text.Add("", {{"branch", "\"\\\n"}}, "1");
    EXPECT_EQ(text.text(),
              "# HELP kvs_branches A \"quoted\" \\\\ word\\nand a line.\n"
              "# TYPE kvs_branches gauge\n"
              "kvs_branches{database=\"a\\\"b\\\\c\\nd\",branch=\"\\\"\\\\\\n\"} 1\n");
}

TEST(PrometheusText, NumbersReadBack) {
    EXPECT_EQ(PrometheusText::Number(0), "0");
    EXPECT_EQ(PrometheusText::Number(0.1), "0.1");
    EXPECT_EQ(PrometheusText::Number(1.024e-6), "1.024e-06");
    EXPECT_EQ(PrometheusText::Number(123456789), "123456789");
}

}  // namespace

}  // namespace kvs
