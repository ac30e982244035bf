#pragma once
// Experts whose weights are in memory only while a budget of bytes has room for them.

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "headwise/core/view.hpp"
#include "headwise/flow/frame.hpp"
#include "headwise/io/matrix_source.hpp"
#include "headwise/kernels/packing.hpp"

namespace hw {

/// A weight matrix in the layout that the kernels read. Shared by all parts that use the same tensor.
struct PackedWeights {
  AlignedBuffer<std::byte> bytes;
  kernels::PackedMatrix matrix;  // its data is null while an expert's weights are not in memory

  /// Converts and packs the rows as `matrix` says; of memory that is there already, as much as is needed.
  void pack(const MatrixSource& source, Executor& executor);
};

/// What an ExpertStore holds and has done. An expert counts once in each pass through its layer in which it has rows.
struct ExpertStatistics {
  index_t hits = 0;            // it was in memory
  index_t misses = 0;          // it was not
  index_t loads = 0;           // packed from the file: the misses, but for those that another call was loading already
  index_t evictions = 0;       // given up to make room
  index_t prefetches = 0;      // foreseen: the system was asked to read its bytes of the file
  index_t foreseen = 0;        // misses among them
  index_t loaded_bytes = 0;    // all loads together
  index_t resident_bytes = 0;  // in memory now
  index_t peak_bytes = 0;      // at most so far
  index_t total_bytes = 0;     // of all experts
};

/// The experts of a model that may not fit into memory: at most `budget` bytes of packed weights are there at any time. An expert is read
/// from its file when a row chooses it; to make room, the least recently used are given up. Results have the bits that they have with all
/// experts in memory: where a layer's chosen experts do not fit together they run one group after the other.
///
/// What the previous token chose in the next layer and is not in memory is foreseen: the system reads its part of the file while this layer
/// computes. Packing waits until the router has chosen, so that a wrong guess costs neither the budget nor a thread.
///
/// May be used by several threads. Experts in use are pinned; a call that finds the whole budget pinned by others waits for them, holding
/// none itself. With all chosen experts in memory a layer's pass takes a lock three times, each as long as it takes to count.
class ExpertStore {
 public:
  explicit ExpertStore(index_t budget) : budget_(budget) {}

  index_t budget() const noexcept { return budget_; }
  ExpertStatistics statistics() const;
  /// Experts that are in memory only on demand.
  index_t size() const noexcept { return static_cast<index_t>(experts_.size()); }

  /// While a model is built: a layer with so many experts; returns its number.
  index_t add_bank(index_t experts);
  /// A matrix of a bank's expert, which `read` finds in the file again whenever it is needed. `source` is what it finds.
  void add(index_t bank, index_t expert, std::shared_ptr<PackedWeights> weights, const MatrixSource& source,
           std::function<MatrixSource()> read);
  /// Error: a budget that the largest expert does not fit into.
  void check() const;

  /// Calls run(first, last) for ranges of a bank's experts until every expert with rows ([begin[e], begin[e + 1])) has been in one, each
  /// time with those of the range that have rows in memory. `last_row`: what the last row has chosen. Errors: those of reading; a file that
  /// has become shorter. Nothing is pinned then.
  template <class Run>
  void for_each_resident(index_t bank, std::span<const index_t> begin, std::span<const int> last_row, const Step& step, Run&& run) {
    const auto needs = step.arena.take<Need>(static_cast<index_t>(begin.size()) - 1);
    for (std::size_t e = 0; e < needs.size(); ++e) needs[e] = begin[e] < begin[e + 1] ? Need::wanted : Need::none;
    note_choice(bank, needs, last_row);
    for (bool more = std::find(needs.begin(), needs.end(), Need::wanted) != needs.end(); more;) {
      const Pins pins{*this, bank, needs};
      more = acquire(bank, needs, step);
      for (std::size_t e = 0; e < needs.size(); ++e) {
        if (needs[e] != Need::pinned) continue;
        std::size_t last = e + 1;  // as far as no rows of an expert that is still wanted lie between
        for (std::size_t i = last; i < needs.size() && needs[i] != Need::wanted && (needs[i] == Need::pinned || begin[i] == begin[i + 1]);
             ++i)
          if (needs[i] == Need::pinned) last = i + 1;
        run(static_cast<index_t>(e), static_cast<index_t>(last));
        e = last - 1;
      }
    }
  }

 private:
  enum class Need : std::uint8_t { none, wanted, pinned };
  struct Matrix {
    std::shared_ptr<PackedWeights> weights;
    std::function<MatrixSource()> read;
    MatrixSource place;  // without rows: only where the bytes are
  };
  struct Expert {
    std::vector<Matrix> matrices;
    index_t bytes = 0;
    enum class Place : std::uint8_t { file, loading, memory } place = Place::file;
    bool foreseen = false;
    int pins = 0;
    std::uint64_t last_used = 0;
    bool idle() const noexcept { return place == Place::memory && pins == 0; }
  };
  struct Bank {
    index_t first = 0, count = 0;
    std::vector<index_t> chosen;  // by the last row of the last pass
  };
  using Spare = std::vector<AlignedBuffer<std::byte>>;

  // Lets go of what is pinned, and forgets what was not loaded to the end.
  struct Pins {
    ExpertStore& store;
    index_t bank;
    std::span<Need> needs;
    Pins(ExpertStore& s, index_t b, std::span<Need> n) : store(s), bank(b), needs(n) {}
    Pins(const Pins&) = delete;
    Pins& operator=(const Pins&) = delete;
    ~Pins() { store.release(bank, needs); }
  };

  Expert& expert(index_t bank, std::size_t e) {
    return experts_[static_cast<std::size_t>(banks_[static_cast<std::size_t>(bank)].first) + e];
  }
  // Counts hits and misses.
  void note_choice(index_t bank, std::span<const Need> needs, std::span<const int> last_row);
  // Marks what the next bank's last token chose and is not in memory.
  std::span<Expert* const> foresee(index_t bank, const Step& step);
  // Pins as many of the wanted as fit, at least one. Are others still wanted?
  bool acquire(index_t bank, std::span<Need> needs, const Step& step);
  void release(index_t bank, std::span<Need> needs) noexcept;
  bool make_room(index_t bytes, Spare& spare);
  static void load(std::span<Expert* const> experts, Spare spare, Executor& executor);

  const index_t budget_;
  std::vector<Expert> experts_;
  std::vector<Bank> banks_;

  mutable std::mutex mutex_;  // of what follows, and of the experts' places, pins and banks' choices
  std::condition_variable changed_;
  ExpertStatistics statistics_;
  std::uint64_t clock_ = 0;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/flow/expert_store.inl.hpp"
#endif
