// A process beside an import that turns chunks into frames, so that both processors of a small machine work.
//
// The backend hashes nodes and builds the tree, since a node's address must be known before its parent is
// written; compression nobody waits for. Chunks go to a background worker in batches through shared memory,
// and come back as frames. The worker has no database and no transaction: it sees bytes, and nothing else.
//
// The backend never waits for the worker while there is something left to do: a batch that comes while
// kMaxSent of them are with it, or before it has come, or because the server has no room for one, or after it
// was ended, is compressed here. So is everything where max_parallel_maintenance_workers or
// max_parallel_workers is 0, and what is too little to start a process for.
//
//     Add, Add, ...  open_ --full--> sent_ (the worker has it)  --> done_ --TakeDone-->
//                              \---> compressed here -----------/
//
// Invariant: a batch that is sent fits into its queue, and its frames into theirs, beside all that are sent
// and not taken back: neither side ever waits for room. The queues give frames back in the order of the
// chunks. Ownership: what the server holds of it belongs to the current resource owner and memory context,
// and goes with them in case of an error; the worker ends when it sees that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvs/codec/frame.h"
#include "kvs/hash.h"
#include "pg/wall/server.h"

extern "C" {
#include "storage/dsm.h"
#include "storage/shm_mq.h"
}

namespace kvs::pg {

class FrameWorker {
  public:
    using Frame = std::pair<Hash, std::string>;

    // Larger chunks are compressed by the caller.
    static constexpr size_t kMaxChunk = size_t{32} << 10;

    // Takes a copy of a chunk of at most kMaxChunk bytes, to be compressed with this level.
    void Add(const Hash& address, std::string_view raw, int level);

    // The frames that have come since, in no certain order.
    std::vector<Frame> TakeDone() { return std::exchange(done_, {}); }

    // Waits until the frame of everything that was added has come.
    void Drain();

    // The same, and lets the worker go. To be called on the normal way out.
    void Finish();

  private:
    struct Batch {
        std::string message;  // the level, then chunks, each behind its size
        std::vector<Hash> addresses;
    };

    void CloseBatch();
    void Start();
    bool HasWorker() const;
    void Send();
    void Receive(bool wait);
    void CompressHere(const Batch& batch);
    void TakeFrames(const Batch& batch, std::string_view frames);
    void Detach();

    size_t added_bytes_ = 0;
    bool tried_to_start_ = false;
    Batch open_;
    std::deque<Batch> sent_;
    std::vector<Frame> done_;
    FrameCodec codec_;

    // Null without a worker.
    dsm_segment* segment_ = nullptr;
    shm_mq_handle* to_worker_ = nullptr;
    shm_mq_handle* from_worker_ = nullptr;
};

}  // namespace kvs::pg
