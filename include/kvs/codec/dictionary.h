// Trained dictionaries: what small chunks of one class have in common, said once instead of in each of them.
//
// A dictionary has an id that is never given to another one, because frames name it (kvs/codec/frame.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvs {

// Chunks that look alike, as far as their own bytes tell.
enum class ChunkClass : uint8_t { kLeaf, kInternal, kBlob };
constexpr int kChunkClasses = 3;

// The class of a raw chunk; nullopt if it is too short to be one.
std::optional<ChunkClass> ClassOfChunk(std::string_view raw);

// "leaf", "internal", "blob".
const char* ChunkClassName(ChunkClass chunk_class);

// Larger chunks say enough in common with themselves.
constexpr size_t kMaxDictionaryChunkSize = size_t{64} << 10;

constexpr size_t kMaxDictionarySize = size_t{1} << 20;

// A dictionary, with the forms that the library makes of it at first use. Not for two threads at once.
class Dictionary {
  public:
    Dictionary(uint32_t id, std::string bytes);
    ~Dictionary();
    Dictionary(Dictionary&&) noexcept;
    Dictionary& operator=(Dictionary&&) noexcept;

    uint32_t id() const { return id_; }
    std::string_view bytes() const;

    // About how much memory it takes.
    size_t MemorySize() const;

  private:
    friend class FrameCodec;
    friend class PackCodec;
    struct Forms;

    uint32_t id_;
    std::unique_ptr<Forms> forms_;
};

// Where frames find the dictionaries that they name.
class DictionarySource {
  public:
    virtual ~DictionarySource() = default;

    // Null if there is none of that id. It stays until the next call.
    virtual const Dictionary* FindDictionary(uint32_t id) = 0;
};

// Trains a dictionary of at most `capacity` bytes on raw chunks; nullopt if they are too few or too much
// alike for it. zstd 1.5.4 crashes here when memory ends: not to be called in a process that must not.
std::optional<std::string> TrainDictionary(const std::vector<std::string>& samples, size_t capacity);

}  // namespace kvs
