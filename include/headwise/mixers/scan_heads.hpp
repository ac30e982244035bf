#pragma once
// A scan for every head of every sequence.

#include "headwise/flow/frame.hpp"
#include "headwise/flow/recurrent_state.hpp"
#include "headwise/kernels/scan.hpp"

namespace hw {

/// Heads with a state (keys, values) each: `scan_of(row, head)` gives the scan of a head from that row of the batch on, all but its state.
/// Its `tokens`: how many updates a row makes, 1 where it says 0. Heads are shared out among the threads.
template <class ScanOf>
void scan_heads(const Frame& f, const States<RecurrentState>& states, index_t heads, ScanOf scan_of) {
  const kernels::ScanKernels& kernels = kernels::scan_kernels(f.step.kernels.target);
  const kernels::Scan shape = scan_of(0, 0);
  const index_t size = shape.keys * shape.values;
  for (std::size_t s = 0; s < f.tokens().sequences.size(); ++s) {
    const RowRange rows = f.tokens().sequences[s];
    const RecurrentState::Move move = advance(states, s, rows.size(), heads * size, f.step.arena);
    f.step.parallel_rows(heads, 8 * rows.size() * size, [&](index_t first, index_t last) {
      for (index_t j = first; j < last; ++j) {
        kernels::Scan scan = scan_of(rows.begin, j);
        scan.tokens = rows.size() * (scan.tokens > 0 ? scan.tokens : 1);
        scan.from = move.from + j * size;
        scan.to = move.to + j * size;
        scan.state_stride = scan.values;
        kernels.scan(scan);
      }
    });
  }
}

}  // namespace hw
