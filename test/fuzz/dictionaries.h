// Dictionaries that fuzzed bytes may name: 1 is trained, 2 is bytes of any kind.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kvs/codec/dictionary.h"

namespace kvs {

struct Dictionaries : DictionarySource {
    std::map<uint32_t, Dictionary> dictionaries;

    Dictionaries() {
        std::vector<std::string> samples;
        for (int i = 0; i < 300; i++) {
            samples.push_back("{\"user\": " + std::to_string(i * 7919) +
                              ", \"role\": \"editor\", \"n\": [1, 2, " + std::to_string(i) + "]}");
        }
        dictionaries.emplace(1, Dictionary(1, TrainDictionary(samples, 4096).value()));
        dictionaries.emplace(2, Dictionary(2, "a dictionary without a header"));
    }

    const Dictionary* FindDictionary(uint32_t id) override {
        const auto found = dictionaries.find(id);
        return found == dictionaries.end() ? nullptr : &found->second;
    }
};

}  // namespace kvs
