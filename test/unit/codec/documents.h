// Documents, dictionaries trained on them, and what is expected of damage: for the tests of codecs.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "kvs/codec/dictionary.h"
#include "kvs/error.h"

namespace kvs {

struct MapDictionaries : DictionarySource {
    std::map<uint32_t, Dictionary> dictionaries;

    const Dictionary* FindDictionary(uint32_t id) override {
        const auto found = dictionaries.find(id);
        return found == dictionaries.end() ? nullptr : &found->second;
    }
};

// A chunk of documents, of which each version changes one.
inline std::string Document(uint32_t seed) {
    std::mt19937 random(seed);
    return "{\"name\": \"user " + std::to_string(random()) + "\", \"role\": \"editor\", \"token\": \"" +
           std::to_string(random()) + std::to_string(random()) + "\"}";
}
inline std::string Version(uint32_t version) {
    std::string raw("\x01\x00", 2);
    for (uint32_t i = 0; i < 30; i++) {
        raw += Document(i == version % 30 ? 1000 + version : i);
    }
    return raw;
}

inline std::vector<std::string> Samples(uint32_t first, size_t count) {
    std::vector<std::string> samples;
    for (uint32_t i = first; i < first + count; i++) {
        std::string raw("\x01\x00", 2);
        for (uint32_t j = 0; j < 5; j++) {
            raw += Document(i * 5 + j);
        }
        samples.push_back(raw);
    }
    return samples;
}

inline Dictionary Trained(uint32_t id, uint32_t first = 0) {
    std::optional<std::string> bytes = TrainDictionary(Samples(first, 300), 8192);
    EXPECT_TRUE(bytes);
    return Dictionary(id, bytes.value_or(""));
}

template <typename T>
void ExpectCorrupt(const Result<T>& raw, std::string_view part) {
    ASSERT_FALSE(raw.ok());
    EXPECT_EQ(raw.error().code(), ErrorCode::kCorruption);
    EXPECT_NE(std::string_view(raw.error().what()).find(part), std::string_view::npos) << raw.error().what();
}

}  // namespace kvs
