#pragma once
#include <algorithm>

#include "headwise/io/write_file.hpp"
#include "headwise/models/state_set.hpp"

namespace hw {
namespace detail {
inline constexpr std::uint64_t kStateMagic = 0x32657461'74737768u;  // "hwstate2"
}

HEADWISE_INLINE void StateSet::require_model(const char* what) const {
  if (fingerprint_ == 0) fail(what, "the state belongs to no model (it was moved from, or not made by make_state)");
  if (in_use_.load(std::memory_order_relaxed)) fail(what, "a forward is running with this state");
}

HEADWISE_INLINE StateSet StateSet::fork() const {
  require_model("fork");
  StateSet out;
  out.fingerprint_ = fingerprint_;
  out.regime_ = regime_;
  out.source_size_ = source_size_;
  out.ids_ = ids_;
  for (const auto& part : parts_) out.parts_.push_back(part->fork());
  return out;
}

HEADWISE_INLINE index_t StateSet::reach(index_t n) const {
  if (n < 0 || n > size()) fail("reach", concat("a position from 0 to ", size()), std::to_string(n));
  for (index_t before = -1; before != n;) {
    before = n;
    for (const auto& part : parts_) n = part->reach(n);
  }
  return n;
}

HEADWISE_INLINE void StateSet::truncate(index_t n) {
  require_model("truncate");
  if (n < 0 || n > size()) fail("truncate", concat("a position from 0 to ", size()), std::to_string(n));
  if (const index_t m = reach(n); m != n)
    fail("truncate",
         concat("position ", n, " is not kept by a recurrent part; the nearest before it is ", m, " (Model::rewind replays the rest)"));
  for (const auto& part : parts_) part->truncate(n);
  ids_.resize(static_cast<std::size_t>(n));
}

HEADWISE_INLINE void StateSet::hold() {
  require_model("hold");
  for (const auto& part : parts_) part->hold(size());
}

HEADWISE_INLINE void StateSet::release(index_t n) {
  require_model("release");
  for (const auto& part : parts_) part->release(n);
}

HEADWISE_INLINE void StateSet::reserve(index_t n) {
  require_model("reserve");
  if (n < 0) fail("reserve", "a count of at least 0", std::to_string(n));
  const auto need = static_cast<std::size_t>(checked_add(size(), n, "reserve"));
  if (need > ids_.capacity()) ids_.reserve(std::max(need, ids_.capacity() * 2));
  for (const auto& part : parts_) part->reserve(n);
}

HEADWISE_INLINE std::size_t StateSet::bytes() const {
  std::size_t sum = ids_.capacity() * sizeof(ids_[0]);
  for (const auto& part : parts_) sum += part->bytes();
  return sum;
}

HEADWISE_INLINE std::vector<std::byte> StateSet::save() const {
  require_model("save");
  Writer w;
  w.put(detail::kStateMagic);
  w.put(fingerprint_);
  w.put(std::int64_t{regime_});
  w.put(static_cast<std::int64_t>(source_size_));
  w.put(static_cast<std::int64_t>(ids_.size()));
  w.put_span(std::span<const std::int32_t>(ids_));
  w.put(static_cast<std::int64_t>(parts_.size()));
  for (const auto& part : parts_) part->save(w);
  w.put(checksum(w.bytes()));
  return std::move(w.bytes());
}

HEADWISE_INLINE void StateSet::save(const std::string& path) const { write_file(path, save()); }

// Into a fresh state of the right model.
HEADWISE_INLINE void StateSet::load(std::span<const std::byte> bytes) {
  if (bytes.size() < 16) fail("saved state", "a header of 16 bytes", concat(bytes.size(), " bytes"));
  const auto body = bytes.first(bytes.size() - 8);
  if (Reader(body).get<std::uint64_t>("magic") != detail::kStateMagic) fail("saved state", "not a saved state of this version of headwise");
  if (Reader(bytes.last(8)).get<std::uint64_t>("checksum") != checksum(body))
    fail("saved state", "the checksum does not fit: the bytes are damaged or cut");
  Reader r(body.subspan(8));
  if (const auto found = r.get<std::uint64_t>("fingerprint"); found != fingerprint_)
    fail("saved state", concat("the model with fingerprint ", fingerprint_), std::to_string(found));
  regime_ = checked_cast<int>(r.get<std::int64_t>("regime"), "saved state");
  source_size_ = r.get<std::int64_t>("rows of the source");
  ids_.resize(static_cast<std::size_t>(r.get_count(sizeof(std::int32_t), "ids")));
  r.get_span(std::span<std::int32_t>(ids_), "ids");
  r.expect(static_cast<std::int64_t>(parts_.size()), "parts");
  for (const auto& part : parts_) part->load(r);
  if (r.left() != 0) fail("saved state", "nothing after its last part", concat(r.left(), " bytes"));
}

}  // namespace hw
