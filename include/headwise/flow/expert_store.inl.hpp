#pragma once
#include <algorithm>
#include <utility>

#include "headwise/flow/expert_store.hpp"

namespace hw {

HEADWISE_LOAD_TIME void PackedWeights::pack(const MatrixSource& source, Executor& executor) {
  const index_t size = kernels::packed_bytes(matrix.type, matrix.rows, matrix.cols);
  if (bytes.size() != size) {
    bytes = AlignedBuffer<std::byte>(size, Unset{});
    use_large_pages({bytes.data(), static_cast<std::size_t>(size)});
  }
  parallel_ranges(executor, matrix.panels(), 4 * executor.threads(),
                  [&](index_t begin, index_t end) { source.pack(matrix.type, begin, end, bytes.data()); });
  matrix.data = bytes.data();
  source.advise(MappedFile::Advice::not_needed);
}

HEADWISE_LOAD_TIME ExpertStatistics ExpertStore::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

HEADWISE_LOAD_TIME index_t ExpertStore::add_bank(index_t experts) {
  Bank& bank = banks_.emplace_back();
  bank.first = size();
  bank.count = experts;
  bank.chosen.reserve(static_cast<std::size_t>(experts));
  experts_.resize(experts_.size() + static_cast<std::size_t>(experts));
  return static_cast<index_t>(banks_.size()) - 1;
}

HEADWISE_LOAD_TIME void ExpertStore::add(index_t bank, index_t number, std::shared_ptr<PackedWeights> weights, const MatrixSource& source,
                                         std::function<MatrixSource()> read) {
  Expert& e = expert(bank, static_cast<std::size_t>(number));
  const index_t bytes = kernels::packed_bytes(weights->matrix.type, weights->matrix.rows, weights->matrix.cols);
  MatrixSource place;
  place.source = source.source;
  place.file_bytes = source.file_bytes;
  e.matrices.push_back({std::move(weights), std::move(read), std::move(place)});
  e.bytes = checked_add(e.bytes, bytes, source.name);
  statistics_.total_bytes = checked_add(statistics_.total_bytes, bytes, source.name);
}

HEADWISE_LOAD_TIME void ExpertStore::check() const {
  index_t least = 0;
  for (const Expert& e : experts_) least = std::max(least, e.bytes);
  if (budget_ < least) fail("expert_budget", concat("at least ", least, " bytes, those of the largest expert"), std::to_string(budget_));
}

HEADWISE_LOAD_TIME void ExpertStore::note_choice(index_t number, std::span<const Need> needs, std::span<const int> last_row) {
  const std::lock_guard lock(mutex_);
  for (std::size_t e = 0; e < needs.size(); ++e) {
    Expert& x = expert(number, e);
    const bool foreseen = std::exchange(x.foreseen, false);
    if (needs[e] == Need::none) continue;
    const bool here = x.place == Expert::Place::memory;
    ++(here ? statistics_.hits : statistics_.misses);
    statistics_.foreseen += !here && foreseen;
  }
  std::vector<index_t>& chosen = banks_[static_cast<std::size_t>(number)].chosen;
  chosen.clear();
  for (const int e : last_row)
    if (std::cmp_less(e, needs.size()) && chosen.size() < needs.size()) chosen.push_back(e);
}

HEADWISE_LOAD_TIME std::span<ExpertStore::Expert* const> ExpertStore::foresee(index_t bank, const Step& step) {
  const index_t next = (bank + 1) % std::ssize(banks_);
  const std::vector<index_t>& chosen = banks_[static_cast<std::size_t>(next)].chosen;
  if (next == bank) return {};
  const auto out = step.arena.take<Expert*>(std::ssize(chosen));
  std::size_t count = 0;
  for (const index_t e : chosen) {
    Expert& x = expert(next, static_cast<std::size_t>(e));
    if (x.place == Expert::Place::file && !std::exchange(x.foreseen, true)) out[count++] = &x;
  }
  statistics_.prefetches += static_cast<index_t>(count);
  return out.first(count);
}

// Gives up idle experts, the least recently used first, until `bytes` fit. False, and nothing is given up, where they never would.
HEADWISE_LOAD_TIME bool ExpertStore::make_room(index_t bytes, Spare& spare) {
  index_t& resident = statistics_.resident_bytes;
  index_t idle = 0;
  for (const Expert& e : experts_)
    if (e.idle()) idle += e.bytes;
  if (resident - idle > budget_ - bytes) return false;
  while (resident > budget_ - bytes) {
    Expert* oldest = nullptr;
    for (Expert& e : experts_)
      if (e.idle() && (oldest == nullptr || e.last_used < oldest->last_used)) oldest = &e;
    spare.reserve(spare.size() + oldest->matrices.size());
    for (Matrix& m : oldest->matrices) {
      m.weights->matrix.data = nullptr;
      spare.push_back(std::exchange(m.weights->bytes, {}));
    }
    oldest->place = Expert::Place::file;
    resident -= oldest->bytes;
    ++statistics_.evictions;
  }
  return true;
}

// Reads and packs what belongs to experts that nobody else looks at while they are being loaded: no lock. Where an expert that made room
// left memory of the right size, it is used again; what is left is given back first, so that the budget holds.
HEADWISE_LOAD_TIME void ExpertStore::load(std::span<Expert* const> experts, Spare spare, Executor& executor) {
  for (Expert* const x : experts)
    for (Matrix& m : x->matrices) {
      if (m.place.source) m.place.source->check();
      m.place.advise(MappedFile::Advice::will_need);
      const kernels::PackedMatrix& w = m.weights->matrix;
      const index_t size = kernels::packed_bytes(w.type, w.rows, w.cols);
      const auto found = std::find_if(spare.begin(), spare.end(), [&](const auto& buffer) { return buffer.size() == size; });
      if (found != spare.end()) m.weights->bytes = std::exchange(*found, {});
    }
  spare.clear();
  for (Expert* const x : experts)
    for (Matrix& m : x->matrices) m.weights->pack(m.read(), executor);
}

HEADWISE_LOAD_TIME bool ExpertStore::acquire(index_t bank, std::span<Need> needs, const Step& step) {
  const auto missing = step.arena.take<Expert*>(static_cast<index_t>(needs.size()));
  std::size_t loads = 0, wanted = 0, pinned = 0;
  Spare spare;
  std::span<Expert* const> next;
  {
    std::unique_lock lock(mutex_);
    ++clock_;
    const auto pin = [&](std::size_t e, Expert& x) {
      ++x.pins;
      ++pinned;
      x.last_used = clock_;
      needs[e] = Need::pinned;
    };
    while (true) {
      wanted = 0;
      for (std::size_t e = 0; e < needs.size(); ++e)  // first, so that none of them makes room for another
        if (Expert& x = expert(bank, e); needs[e] == Need::wanted && x.place == Expert::Place::memory) pin(e, x);
      for (std::size_t e = 0; e < needs.size(); ++e) {
        if (needs[e] != Need::wanted) continue;
        Expert& x = expert(bank, e);
        if (x.place != Expert::Place::file || !make_room(x.bytes, spare)) {
          ++wanted;
          continue;
        }
        statistics_.resident_bytes += x.bytes;
        statistics_.peak_bytes = std::max(statistics_.peak_bytes, statistics_.resident_bytes);
        x.place = Expert::Place::loading;
        missing[loads++] = &x;
        pin(e, x);
      }
      if (pinned > 0) break;
      changed_.wait(lock);
    }
    if (wanted == 0) next = foresee(bank, step);  // everything that has to make room has done so
  }
  if (loads > 0) {
    load(missing.first(loads), std::move(spare), step.executor);
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < loads; ++i) {
      missing[i]->place = Expert::Place::memory;
      statistics_.loaded_bytes += missing[i]->bytes;
    }
    statistics_.loads += static_cast<index_t>(loads);
    changed_.notify_all();
  }
  for (const Expert* x : next)
    for (const Matrix& m : x->matrices) m.place.advise(MappedFile::Advice::will_need);
  return wanted > 0;
}

HEADWISE_LOAD_TIME void ExpertStore::release(index_t bank, std::span<Need> needs) noexcept {
  const std::lock_guard lock(mutex_);
  for (std::size_t e = 0; e < needs.size(); ++e) {
    if (needs[e] != Need::pinned) continue;
    needs[e] = Need::none;
    Expert& x = expert(bank, e);
    --x.pins;
    if (x.place != Expert::Place::loading) continue;
    for (Matrix& m : x.matrices) {  // something went wrong
      m.weights->matrix.data = nullptr;
      m.weights->bytes = {};
    }
    x.place = Expert::Place::file;
    statistics_.resident_bytes -= x.bytes;
  }
  changed_.notify_all();
}

}  // namespace hw
