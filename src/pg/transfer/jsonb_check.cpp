#include "pg/transfer/jsonb_check.h"

#include <cstring>

#include "kvs/entry.h"
#include "pg/wall/server.h"

namespace kvs::pg {

namespace {

constexpr size_t kWord = sizeof(uint32);

// As numeric.c has them: the two highest bits of the first word tell the form.
constexpr uint16 kNumericFormMask = 0xC000;
constexpr uint16 kNumericShort = 0x8000;
constexpr uint16 kNumericSpecial = 0xC000;
constexpr size_t kNumericShortHeader = sizeof(uint16);
constexpr size_t kNumericLongHeader = 2 * sizeof(uint16);
constexpr uint16 kNumericBase = 10000;

template <typename T>
T Read(std::string_view bytes, size_t offset) {
    T value;
    memcpy(&value, bytes.data() + offset, sizeof(value));
    return value;
}

// Where a child's bytes are: its length word-aligned for numbers and containers.
size_t Aligned(size_t offset) {
    return TYPEALIGN(ALIGNOF_INT, offset);
}

const char* FindNumericFault(std::string_view bytes) {
    if (bytes.size() < VARHDRSZ + kNumericShortHeader ||
        Read<uint32>(bytes, 0) != static_cast<uint32>(bytes.size() << 2)) {
        return "a number has not its length";
    }
    const std::string_view body = bytes.substr(VARHDRSZ);
    const uint16 form = Read<uint16>(body, 0) & kNumericFormMask;
    if (form == kNumericSpecial) {
        return "a number is none that JSON knows";
    }
    const size_t header = form == kNumericShort ? kNumericShortHeader : kNumericLongHeader;
    if (body.size() < header || (body.size() - header) % sizeof(uint16) != 0) {
        return "a number is cut off";
    }
    for (size_t offset = header; offset < body.size(); offset += sizeof(uint16)) {
        if (Read<uint16>(body, offset) >= kNumericBase) {
            return "a number has a digit that is none";
        }
    }
    return nullptr;
}

const char* FindTextFault(std::string_view bytes) {
    return pg_verify_mbstr(PG_UTF8, bytes.data(), static_cast<int>(bytes.size()), true)
               ? nullptr
               : "a text is not valid UTF-8";
}

// The order of members: shorter names first, then by bytes.
bool ComesBefore(std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : memcmp(a.data(), b.data(), a.size()) < 0;
}

const char* FindContainerFault(std::string_view bytes, int depth);

const char* FindChildFault(std::string_view bytes, uint32 type, size_t padding, int depth) {
    if ((type == JENTRY_ISNUMERIC || type == JENTRY_ISCONTAINER) && padding > bytes.size()) {
        return "a value is cut off";
    }
    switch (type) {
        case JENTRY_ISSTRING:
            return FindTextFault(bytes);
        case JENTRY_ISNUMERIC:
            return FindNumericFault(bytes.substr(padding));
        case JENTRY_ISBOOL_FALSE:
        case JENTRY_ISBOOL_TRUE:
        case JENTRY_ISNULL:
            return bytes.empty() ? nullptr : "a constant has bytes of its own";
        case JENTRY_ISCONTAINER:
            bytes.remove_prefix(padding);
            if (bytes.size() >= kWord && (Read<uint32>(bytes, 0) & JB_FSCALAR) != 0) {
                return "a scalar stands for a container";
            }
            return FindContainerFault(bytes, depth + 1);
        default:
            return "a value is of no known kind";
    }
}

const char* FindContainerFault(std::string_view bytes, int depth) {
    if (depth > kMaxNesting + 1) {
        return "it is nested too deeply";
    }
    if (bytes.size() < kWord) {
        return "a container is cut off";
    }
    const uint32 header = Read<uint32>(bytes, 0);
    const bool is_object = (header & JB_FOBJECT) != 0;
    const bool is_array = (header & JB_FARRAY) != 0;
    const size_t count = header & JB_CMASK;
    if (is_object == is_array || (header & 0x80000000U) != 0 ||
        ((header & JB_FSCALAR) != 0 && (is_object || count != 1))) {
        return "a container is of no known kind";
    }
    const size_t children = is_object ? 2 * count : count;
    if (children > (bytes.size() - kWord) / sizeof(JEntry)) {
        return "a container is cut off";
    }
    const std::string_view data = bytes.substr(kWord + children * sizeof(JEntry));
    size_t begin = 0;
    std::string_view name_before;
    for (size_t i = 0; i < children; i++) {
        const JEntry entry = Read<JEntry>(bytes, kWord + i * sizeof(JEntry));
        const size_t end = JBE_HAS_OFF(entry) ? JBE_OFFLENFLD(entry) : begin + JBE_OFFLENFLD(entry);
        if (end < begin || end > data.size()) {
            return "a value lies outside";
        }
        const uint32 type = entry & JENTRY_TYPEMASK;
        const std::string_view child = data.substr(begin, end - begin);
        if (const char* fault = FindChildFault(child, type, Aligned(begin) - begin, depth)) {
            return fault;
        }
        if ((header & JB_FSCALAR) != 0 && type == JENTRY_ISCONTAINER) {
            return "a scalar is a container";
        }
        if (is_object && i < count) {
            if (type != JENTRY_ISSTRING || (i > 0 && !ComesBefore(name_before, child))) {
                return "the members of an object are not in order";
            }
            name_before = child;
        }
        begin = end;
    }
    return begin == data.size() ? nullptr : "bytes follow a value";
}

}  // namespace

const char* FindJsonbFault(std::string_view contents) {
    return FindContainerFault(contents, 1);
}

}  // namespace kvs::pg
