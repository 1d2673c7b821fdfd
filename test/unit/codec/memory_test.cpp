// Where memory ends inside a codec, it says so by std::bad_alloc and works again afterwards: no call of the
// compression library goes on without the memory that it asked for, and nothing takes its failure for damage.
//
// This program's malloc and calloc fail when they are told to. Sanitizers bring their own.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>

#include "documents.h"
#include "kvs/codec/frame.h"
#include "kvs/codec/pack.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

thread_local int allocations_left = -1;  // until one fails; -1: none does
thread_local bool stays_out = false;     // whether all fail after it
thread_local bool has_failed = false;

bool Fails() {
    if (allocations_left != 0) {
        allocations_left -= allocations_left > 0 ? 1 : 0;
        return false;
    }
    allocations_left = stays_out ? 0 : -1;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

}  // namespace

extern "C" {
void* __libc_malloc(size_t);          // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(size_t, size_t);  // NOLINT(bugprone-reserved-identifier)

void* malloc(size_t size) {
    return Fails() ? nullptr : __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
    return Fails() ? nullptr : __libc_calloc(count, size);
}
}

namespace kvs {
namespace {

// Runs `body` again and again, each time with one more allocation that succeeds, until it gets through.
void FailEachAllocation(const std::function<void()>& body) {
    for (const bool lasting : {false, true}) {
        bool through = false;
        for (int n = 0; !through; n++) {
            ASSERT_LT(n, 10000);
            allocations_left = n;
            stays_out = lasting;
            has_failed = false;
            bool thrown = false;
            try {
                body();
            } catch (const std::bad_alloc&) {
                thrown = true;
            }
            allocations_left = -1;
            through = !has_failed;
            ASSERT_EQ(thrown, has_failed) << "allocation " << n << " failed unnoticed";
            ASSERT_NO_THROW(body()) << "after allocation " << n;
        }
    }
}

TEST(Memory, EndsInAFrame) {
    MapDictionaries source;
    const Dictionary trained = Trained(1);
    const std::string large = std::string(size_t{1} << 20, 'x') + Version(1);
    for (const bool dictionary : {false, true}) {
        for (const int level : {-5, 3, 19}) {
            const std::string raw = dictionary ? Samples(5000, 1)[0] : large;
            FailEachAllocation([&] {
                MapDictionaries fresh;
                fresh.dictionaries.emplace(1, Dictionary(1, std::string(trained.bytes())));
                FrameCodec codec;
                const std::string frame =
                    codec.Encode(raw, level, dictionary ? &fresh.dictionaries.at(1) : nullptr);
                if (codec.Decode(frame, &fresh).OrThrow() != raw) {
                    throw std::logic_error("other bytes");
                }
            });
        }
    }
}

// The contexts are kept, and grow with what they compress.
TEST(Memory, EndsInAKeptCodec) {
    FrameCodec codec;
    std::string raw = Version(1);
    FailEachAllocation([&] {
        raw += raw.substr(0, 5000);
        if (codec.Decode(codec.Encode(raw, static_cast<int>(raw.size() / 5000 % 10) + 1)).OrThrow() != raw) {
            throw std::logic_error("other bytes");
        }
    });
}

TEST(Memory, EndsInAPack) {
    const Dictionary trained = Trained(1);
    for (const bool dictionary : {false, true}) {
        for (const uint32_t versions : {2u, 120u}) {
            Pack pack;
            for (uint32_t i = 0; i < versions; i++) {
                pack.Add(Version(i));
            }
            FailEachAllocation([&] {
                MapDictionaries fresh;
                fresh.dictionaries.emplace(1, Dictionary(1, std::string(trained.bytes())));
                PackCodec codec;
                const std::string bytes =
                    codec.Encode(pack, 3, dictionary ? &fresh.dictionaries.at(1) : nullptr);
                if (codec.Decode(bytes, &fresh).OrThrow().Member(0) != pack.Member(0)) {
                    throw std::logic_error("other bytes");
                }
            });
        }
    }
}

}  // namespace
}  // namespace kvs

#endif
