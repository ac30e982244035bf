#pragma once
// Marian's binary models, with matrices of 8 bits or of floats.                        https://github.com/marian-nmt/marian-dev, version 1

#include <memory>
#include <string>
#include <vector>

#include "headwise/io/json.hpp"
#include "headwise/io/weight_source.hpp"

namespace hw {

/// A model file, little-endian:  u64 version (1), u64 n;  n x (u64 bytes of the name with its NUL, u64 type, u64 rank, u64 bytes of data);
/// the names;  the shapes, i32 each;  u64 m, m bytes of padding;  the data of each item.
/// Types: 0x404 f32; 0x4101 i8, the bytes of a matrix and then an f32 q: its values are byte / q; 0x101 text (`special:model.yml`).
class MarianFile {
 public:
  /// Errors: no such file; another version; counts, lengths and sizes that go past the end of the file or do not fit one another; more than
  /// 8 dimensions; a type that is not listed; a name that is empty, without its NUL at the end or there twice; a q that is not above 0;
  /// bytes behind the last item; no `special:model.yml`, or a line of it that is neither `key: value`, `key:` nor `  - value`.
  static MarianFile open(const std::string& path, MappedFile::Access access = MappedFile::Access::map);

  /// Does a file begin as one of Marian's does (others call theirs model.bin, too)?
  static bool begins(const std::string& path);

  /// The tensors, as f32 and under their names, in which `_lN_` is `.layer.N-1.` (`encoder_l1_self_Wq` is `encoder.layer.0.self_Wq`).
  /// Matrices come as (out, in), as Marian keeps those of 8 bits, whose shapes it gives the other way round; Wemb is (words, width).
  /// (1, n) is a vector. What quantises activations (`*_QuantMultA`) is left out.
  WeightSource weights() const;

  /// `special:model.yml`, and `model_type`: "marian-" and its `type`.
  Json config() const;

 private:
  std::string path_;
  std::shared_ptr<const MappedFile> file_;
  std::vector<RawTensor> tensors_;
  std::string settings_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/marian.inl.hpp"
#endif
