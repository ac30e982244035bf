#pragma once
// CTranslate2's model.bin: a list of tensors with their names.        https://github.com/OpenNMT/CTranslate2, binary versions 4 to 6

#include <memory>
#include <string>
#include <vector>

#include "headwise/io/json.hpp"
#include "headwise/io/weight_source.hpp"

namespace hw {

/// A model.bin, little-endian:  u32 version, string specification, u32 revision;  u32 n, n tensors;  u32 m, m aliases (string alias,
/// string name).  A tensor: string name, u8 rank, u32 dims[rank], u8 type (0 f32, 1 i8, 2 i16, 3 i32, 4 f16, 5 bf16), u32 bytes, the bytes.
/// A string: u16 length, which counts the NUL at its end, and its bytes.
class CTranslate2 {
 public:
  /// Errors: no such file; another version; counts, lengths and sizes that go past the end of the file or do not fit one another; more than
  /// 8 dimensions; a type that is not listed; strings without their NUL, names that are empty or come twice; an alias of nothing; bytes
  /// behind the last alias; an i8 matrix whose scales are of another number or not above 0.
  static CTranslate2 open(const std::string& path, MappedFile::Access access = MappedFile::Access::map);

  /// What kind of model it is: "WhisperSpec".
  const std::string& specification() const noexcept { return specification_; }

  /// The tensors. A name's segments stand between dots, a number at the end of one is a segment of its own:
  /// `decoder/layer_0/ffn/linear_1/bias` is `decoder.layer.0.ffn.linear.1.bias`. i8 matrices w with scales (`w_scale`, one a row) come as
  /// f32, w / scale. Aliases are left out.
  WeightSource weights() const;

  /// `model_type`: the specification; every tensor without dimensions, by its name in the file: `decoder/num_heads`.
  Json config() const;

 private:
  std::string path_, specification_;
  std::shared_ptr<const MappedFile> file_;
  std::vector<RawTensor> tensors_;  // with the file's names
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/ctranslate2.inl.hpp"
#endif
