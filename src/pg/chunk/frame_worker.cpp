#include "pg/chunk/frame_worker.h"

#include "kvs/codec/varint.h"
#include "pg/wall/entry_point.h"
#include "pg/wall/guard.h"

extern "C" {
#include "postmaster/bgworker.h"
#include "tcop/tcopprot.h"

PGDLLEXPORT void kvs_frame_worker_main(Datum segment);
}

namespace kvs::pg {

namespace {

// A process is started after so much: some milliseconds of compression, as long as its start takes.
constexpr size_t kWorthwhile = size_t{2} << 20;
constexpr size_t kBatch = size_t{32} << 10;
constexpr size_t kMaxSent = 16;

// A batch is closed when it reaches kBatch, so that it exceeds that by less than kMaxChunk; a frame is at
// most a byte longer than its chunk. Twice of what is sent, because who reads a queue gives room back late:
// up to a quarter of the queue, and the message in hand.
constexpr size_t kQueue = 2 * kMaxSent * (kBatch + FrameWorker::kMaxChunk);
constexpr size_t kSegment = 2 * kQueue;

void* QueueToWorker(dsm_segment* segment) {
    return dsm_segment_address(segment);
}

void* QueueFromWorker(dsm_segment* segment) {
    return static_cast<char*>(dsm_segment_address(segment)) + kQueue;
}

// Calls `use` with each of the sized byte strings.
template <typename Use>
void ForEach(ByteReader reader, const Use& use) {
    uint32_t size;
    while (reader.ReadFixed(&size)) {
        use(reader.rest().substr(0, size));
        reader = ByteReader(reader.rest().substr(size));
    }
}

template <typename Use>
void CompressEach(FrameCodec* codec, std::string_view message, const Use& use) {
    ByteReader reader(message);
    int32_t level;
    if (!reader.ReadFixed(&level)) {
        return;
    }
    ForEach(reader, [&](std::string_view raw) { use(codec->Encode(raw, level)); });
}

void AppendSized(std::string* out, std::string_view bytes) {
    AppendFixed(*out, static_cast<uint32_t>(bytes.size()));
    out->append(bytes);
}

struct Received {
    shm_mq_result result;
    Size size;
    void* data;

    std::string_view bytes() const { return {static_cast<const char*>(data), size}; }
};

Received ReceiveFrom(shm_mq_handle* queue, bool wait) {
    return Guarded([&] {
        Received received = {};
        received.result = shm_mq_receive(queue, &received.size, &received.data, !wait);
        return received;
    });
}

// All of what is sent fits into the queue.
bool SendTo(shm_mq_handle* queue, std::string_view message) {
    return Guarded(
        [&] { return shm_mq_send(queue, message.size(), message.data(), false, true) == SHM_MQ_SUCCESS; });
}

// The worker: until the other side is gone.
void Serve(shm_mq_handle* from_backend, shm_mq_handle* to_backend) {
    FrameCodec codec;
    std::string frames;
    for (;;) {
        const Received received = ReceiveFrom(from_backend, true);
        if (received.result != SHM_MQ_SUCCESS) {
            return;
        }
        frames.clear();
        CompressEach(&codec, received.bytes(),
                     [&](const std::string& frame) { AppendSized(&frames, frame); });
        if (!SendTo(to_backend, frames)) {
            return;
        }
    }
}

}  // namespace

void FrameWorker::Add(const Hash& address, std::string_view raw, int level) {
    if (open_.addresses.empty()) {
        AppendFixed(open_.message, static_cast<int32_t>(level));
    }
    open_.addresses.push_back(address);
    AppendSized(&open_.message, raw);
    if (open_.message.size() >= kBatch) {
        CloseBatch();
    }
}

void FrameWorker::CloseBatch() {
    added_bytes_ += open_.message.size();
    if (added_bytes_ > kWorthwhile && !tried_to_start_) {
        tried_to_start_ = true;
        Start();
    }
    if (!sent_.empty()) {
        Receive(false);
    }
    if (sent_.size() < kMaxSent && HasWorker()) {
        Send();
    } else {
        CompressHere(open_);
    }
    open_ = {};
}

void FrameWorker::Start() {
    Guarded([&] {
        if (max_parallel_maintenance_workers == 0) {
            return;
        }
        dsm_segment* segment = dsm_create(kSegment, DSM_CREATE_NULL_IF_MAXSEGMENTS);
        if (segment == nullptr) {
            return;
        }
        shm_mq* to_worker = shm_mq_create(QueueToWorker(segment), kQueue);
        shm_mq* from_worker = shm_mq_create(QueueFromWorker(segment), kQueue);
        shm_mq_set_sender(to_worker, MyProc);
        shm_mq_set_receiver(from_worker, MyProc);
        BackgroundWorker worker = {};
        // One of max_parallel_workers.
        worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_CLASS_PARALLEL;
        worker.bgw_start_time = BgWorkerStart_ConsistentState;
        worker.bgw_restart_time = BGW_NEVER_RESTART;
        worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
        strlcpy(worker.bgw_name, "kvs compressor", sizeof(worker.bgw_name));
        strlcpy(worker.bgw_type, "kvs compressor", sizeof(worker.bgw_type));
        strlcpy(worker.bgw_library_name, "kvs", sizeof(worker.bgw_library_name));
        strlcpy(worker.bgw_function_name, "kvs_frame_worker_main", sizeof(worker.bgw_function_name));
        if (!RegisterDynamicBackgroundWorker(&worker, nullptr)) {
            dsm_detach(segment);
            return;
        }
        to_worker_ = shm_mq_attach(to_worker, segment, nullptr);
        from_worker_ = shm_mq_attach(from_worker, segment, nullptr);
        segment_ = segment;
    });
}

// Whether it has come. Before that nothing is sent: it may never come.
bool FrameWorker::HasWorker() const {
    return segment_ != nullptr && shm_mq_get_receiver(shm_mq_get_queue(to_worker_)) != nullptr;
}

void FrameWorker::Send() {
    sent_.push_back(std::move(open_));
    if (!SendTo(to_worker_, sent_.back().message)) {
        Receive(true);
    }
}

// Takes what has come, or waits for all. A worker that has gone leaves its batches to this process.
void FrameWorker::Receive(bool wait) {
    while (!sent_.empty()) {
        const Received received = ReceiveFrom(from_worker_, wait);
        if (received.result == SHM_MQ_WOULD_BLOCK) {
            return;
        }
        if (received.result == SHM_MQ_DETACHED) {
            for (const Batch& batch : std::exchange(sent_, {})) {
                CompressHere(batch);
            }
            Detach();
            return;
        }
        TakeFrames(sent_.front(), received.bytes());
        sent_.pop_front();
    }
}

void FrameWorker::CompressHere(const Batch& batch) {
    const Hash* address = batch.addresses.data();
    CompressEach(&codec_, batch.message,
                 [&](std::string frame) { done_.emplace_back(*address++, std::move(frame)); });
}

void FrameWorker::TakeFrames(const Batch& batch, std::string_view frames) {
    const Hash* address = batch.addresses.data();
    ForEach(ByteReader(frames), [&](std::string_view frame) { done_.emplace_back(*address++, frame); });
}

void FrameWorker::Drain() {
    Receive(true);
    if (!open_.addresses.empty()) {
        CompressHere(open_);
        open_ = {};
    }
}

void FrameWorker::Finish() {
    Drain();
    Detach();
}

void FrameWorker::Detach() {
    if (segment_ != nullptr) {
        Guarded([&] { dsm_detach(segment_); });
        segment_ = nullptr;
    }
}

}  // namespace kvs::pg

extern "C" void kvs_frame_worker_main(Datum argument) {
    using namespace kvs::pg;
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    dsm_segment* segment = dsm_attach(DatumGetUInt32(argument));
    // The import may be over, or have failed.
    if (segment != nullptr) {
        auto* from_backend = static_cast<shm_mq*>(QueueToWorker(segment));
        auto* to_backend = static_cast<shm_mq*>(QueueFromWorker(segment));
        // In this order: a backend that sees the receiver sends, and waits for answers.
        shm_mq_set_sender(to_backend, MyProc);
        shm_mq_set_receiver(from_backend, MyProc);
        shm_mq_handle* in = shm_mq_attach(from_backend, segment, nullptr);
        shm_mq_handle* out = shm_mq_attach(to_backend, segment, nullptr);
        Enter([&] { Serve(in, out); });
    }
    proc_exit(0);
}
