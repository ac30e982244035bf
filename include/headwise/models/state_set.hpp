#pragma once
// Everything that a model remembers of one sequence.

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "headwise/flow/state.hpp"

namespace hw {

namespace detail {

// A part's state behind one virtual call, whatever its type.
class AnyState {
 public:
  virtual ~AnyState() = default;
  virtual index_t reach(index_t n) const noexcept = 0;
  virtual void truncate(index_t n) noexcept = 0;
  virtual void hold(index_t n) = 0;
  virtual void release(index_t n) = 0;
  virtual void reserve(index_t n) = 0;
  virtual std::unique_ptr<AnyState> fork() const = 0;
  virtual std::size_t bytes() const = 0;
  virtual void save(Writer& w) const = 0;
  virtual void load(Reader& r) = 0;
};

template <State S>
class StateOf final : public AnyState {
 public:
  explicit StateOf(S state) : value(std::move(state)) {}
  index_t reach(index_t n) const noexcept override { return value.reach(n); }
  void truncate(index_t n) noexcept override { value.truncate(n); }
  void hold(index_t n) override { value.hold(n); }
  void release(index_t n) override { value.release(n); }
  void reserve(index_t n) override { value.reserve(n); }
  std::unique_ptr<AnyState> fork() const override { return std::make_unique<StateOf>(value.fork()); }
  std::size_t bytes() const override { return value.bytes(); }
  void save(Writer& w) const override { value.save(w); }
  void load(Reader& r) override { value.load(r); }
  S value;
};

}  // namespace detail

/// The state of one sequence: the parts' states, the ids seen so far, and which model they belong to. Made by
/// Model::make_state(). One thread at a time; different states of one model may be used by different threads. While a forward runs with a
/// state, every other call on it is an error where it is noticed (from a tap, say, or by mistake from another thread), except destruction.
class StateSet {
 public:
  StateSet() = default;
  /// The state that was moved from belongs to no model: using it is an error, assigning to it is not.
  StateSet(StateSet&& other) noexcept { *this = std::move(other); }
  StateSet& operator=(StateSet&& other) noexcept {
    fingerprint_ = std::exchange(other.fingerprint_, 0);
    regime_ = std::exchange(other.regime_, 0);
    source_size_ = std::exchange(other.source_size_, 0);
    ids_ = std::exchange(other.ids_, {});
    parts_ = std::exchange(other.parts_, {});
    return *this;
  }

  /// Tokens in it.
  index_t size() const noexcept { return static_cast<index_t>(ids_.size()); }
  /// Their ids; -1 for rows that were given as vectors.
  std::span<const std::int32_t> ids() const noexcept { return ids_; }

  /// Rows of the source that its decoder reads (Model::encode); 0: none.
  index_t source_size() const noexcept { return source_size_; }

  /// An independent copy that shares memory until one of the two changes. A snapshot is a fork, to restore is to assign.
  StateSet fork() const;

  /// The largest m <= n to which truncate can go now without recomputation. Errors: n outside of [0, size()].
  index_t reach(index_t n) const;
  /// Forgets all tokens from n on. Errors: n outside of [0, size()]; a part cannot go back there (reach(n) < n; Model::rewind
  /// replays instead). The state is untouched then.
  void truncate(index_t n);
  /// Promises that reach(n) == n for n = the present size, until release(n).
  void hold();
  void release(index_t n);
  /// Makes room for n more tokens, so that adding them allocates nothing.
  void reserve(index_t n);
  /// Memory held, shared pages included.
  std::size_t bytes() const;

  /// As bytes: versioned, with the model's fingerprint and a checksum. Model::load_state reads them.
  std::vector<std::byte> save() const;
  /// To a file, as a whole or not at all (write_file). Errors: with the path and what the system says.
  void save(const std::string& path) const;

 private:
  template <class...>
  friend class Stack;
  friend class Model;

  void load(std::span<const std::byte> bytes);
  void require_model(const char* what) const;  // and that no forward runs with it

  std::uint64_t fingerprint_ = 0;  // of the model; 0: moved from or never made
  int regime_ = 0;                 // of position policies that depend on the length
  std::atomic<bool> in_use_{false};  // a forward runs with it
  index_t source_size_ = 0;
  std::vector<std::int32_t> ids_;
  std::vector<std::unique_ptr<detail::AnyState>> parts_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/models/state_set.inl.hpp"
#endif
