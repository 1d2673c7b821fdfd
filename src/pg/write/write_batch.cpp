#include "pg/write/write_batch.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "pg/wall/convert.h"
#include "pg/wall/guard.h"

namespace kvs::pg {

namespace {

// Of a write that may have been asked for in vain, while the store is as it should be.
bool IsRefusal(const Error& error) {
    switch (error.code()) {
        case ErrorCode::kInvalidArgument:
        case ErrorCode::kNullValue:
        case ErrorCode::kWrongType:
        case ErrorCode::kNotFound:
        case ErrorCode::kStaleVersion:
        case ErrorCode::kWrongState:
        case ErrorCode::kLimitExceeded:
            return true;
        default:
            return false;
    }
}

BatchAnswer RunOne(Writer* writer, const BatchWrite& write) {
    BatchAnswer answer;
    try {
        answer.written = writer->Update(write.key, write.request, write.value);
        answer.status = answer.written.outcome == Written::Outcome::kBusy ? BatchAnswer::Status::kBusy
                                                                          : BatchAnswer::Status::kDone;
    } catch (const Error& error) {
        if (!IsRefusal(error)) {
            throw;
        }
        answer.status = BatchAnswer::Status::kRefused;
        answer.refusal = error;
    }
    return answer;
}

// One run of a batch. The answers of what is not reached stay kNotApplied.
class Run {
  public:
    Run(const std::vector<BatchWrite>& writes, std::vector<BatchAnswer>* answers)
        : writes_(writes), answers_(*answers), order_(writes.size()) {
        reads_items_ = std::any_of(writes.begin(), writes.end(), [](const BatchWrite& write) {
            return write.request.kind == WriteKind::kPatch || write.request.kind == WriteKind::kTouch;
        });
        std::iota(order_.begin(), order_.end(), size_t{0});
        std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return Key(a) < Key(b); });
    }

    // False if a write was not done and `atomic` asks for all: then the transaction is to be rolled back.
    bool Go(std::string_view branch, bool atomic, Writer::Waiting waiting) {
        Writer writer(branch, waiting);
        if (!writer.has_branch()) {
            for (BatchAnswer& answer : answers_) {
                answer.status = BatchAnswer::Status::kBusy;
            }
            return !atomic;
        }
        for (size_t i = 0; i < order_.size(); i++) {
            if (i % Writer::kKeysAtOnce == 0) {
                writer.Expect(KeysFrom(i), reads_items_);
            }
            BatchAnswer& answer = answers_[order_[i]];
            answer = RunOne(&writer, writes_[order_[i]]);
            if (atomic && answer.status != BatchAnswer::Status::kDone) {
                return false;
            }
        }
        writer.Finish();
        return true;
    }

  private:
    std::string_view Key(size_t i) const { return Contents(DatumGetPointer(writes_[i].key)); }

    // The different ones among the next.
    std::vector<Datum> KeysFrom(size_t begin) const {
        std::vector<Datum> keys;
        const size_t end = std::min(begin + Writer::kKeysAtOnce, order_.size());
        keys.reserve(end - begin);
        for (size_t i = begin; i < end; i++) {
            if (i == begin || Key(order_[i]) != Key(order_[i - 1])) {
                keys.push_back(writes_[order_[i]].key);
            }
        }
        return keys;
    }

    const std::vector<BatchWrite>& writes_;
    std::vector<BatchAnswer>& answers_;
    std::vector<size_t> order_;
    bool reads_items_;
};

// The answers of a batch that was rolled back.
void TakeBack(std::vector<BatchAnswer>* answers) {
    for (BatchAnswer& answer : *answers) {
        if (answer.status == BatchAnswer::Status::kDone) {
            answer = {};
        }
    }
}

}  // namespace

std::vector<BatchAnswer> RunBatch(std::string_view branch, const std::vector<BatchWrite>& writes, bool atomic,
                                  Writer::Waiting waiting) {
    std::vector<BatchAnswer> answers(writes.size());
    if (!atomic || writes.size() < 2) {
        Run(writes, &answers).Go(branch, false, waiting);
    } else if (!KeepSubtransaction([&] { return Run(writes, &answers).Go(branch, true, waiting); })) {
        TakeBack(&answers);
    }
    return answers;
}

Written WriteKey(std::string_view branch, Datum key, const WriteRequest& request,
                 const ValueFunction& value) {
    Writer writer(branch);
    Written written = writer.Update(key, request, value);
    writer.Finish();
    return written;
}

}  // namespace kvs::pg
