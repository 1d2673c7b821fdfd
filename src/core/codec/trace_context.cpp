#include "kvs/codec/trace_context.h"

#include <algorithm>

#include "kvs/codec/varint.h"
#include "kvs/util/hex.h"

namespace kvs {

namespace {

constexpr char kForm[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr size_t kTraceIdAt = 3;
constexpr size_t kParentIdAt = 36;
constexpr size_t kFlagsAt = 53;
constexpr size_t kTextSize = sizeof(kForm) - 1;
constexpr uint8_t kSampled = 0x01;

// Whether the text has lower-case hexadecimal digits and dashes where the form has them.
bool HasForm(std::string_view text) {
    for (size_t i = 0; i < kTextSize; i++) {
        const char c = text[i];
        const bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (kForm[i] == '-' ? c != '-' : !is_digit) {
            return false;
        }
    }
    return true;
}

template <size_t kBytes>
std::string_view AsText(const std::array<uint8_t, kBytes>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), kBytes};
}

bool IsZero(std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

}  // namespace

std::string TraceContext::ToTraceparent() const {
    std::string text = "00-";
    text.reserve(kTextSize);
    AppendHex(text, AsText(trace_id));
    text += '-';
    AppendHex(text, AsText(parent_id));
    text += '-';
    AppendHex(text, {reinterpret_cast<const char*>(&flags), 1});
    return text;
}

char* TraceContext::Write(char* out) const {
    out = WriteBytes(out, AsText(trace_id));
    out = WriteBytes(out, AsText(parent_id));
    return WriteFixed(out, flags);
}

TraceContext TraceContext::FromBytes(std::string_view stored) {
    TraceContext trace;
    std::copy_n(stored.begin(), trace.trace_id.size(), trace.trace_id.begin());
    stored.remove_prefix(trace.trace_id.size());
    std::copy_n(stored.begin(), trace.parent_id.size(), trace.parent_id.begin());
    trace.flags = static_cast<uint8_t>(stored.back());
    return trace;
}

const char* ParseTraceparent(std::string_view text, TraceContext* trace) {
    if (text.size() < kTextSize || !HasForm(text)) {
        return "A traceparent reads 00-<32 digits>-<16 digits>-<2 digits>, hexadecimal and in lower case.";
    }
    const std::string_view version = text.substr(0, 2);
    if (version == "ff") {
        return "A traceparent cannot have version ff.";
    }
    if (version == "00" ? text.size() > kTextSize : text.size() > kTextSize && text[kTextSize] != '-') {
        return "A traceparent of this version ends behind its flags.";
    }
    ReadHex(text.substr(kTraceIdAt, 2 * trace->trace_id.size()), trace->trace_id.data());
    ReadHex(text.substr(kParentIdAt, 2 * trace->parent_id.size()), trace->parent_id.data());
    ReadHex(text.substr(kFlagsAt, 2), &trace->flags);
    if (IsZero(AsText(trace->trace_id)) || IsZero(AsText(trace->parent_id))) {
        return "Neither the trace-id nor the parent-id of a traceparent may be zero.";
    }
    if (version != "00") {
        trace->flags &= kSampled;
    }
    return nullptr;
}

}  // namespace kvs
