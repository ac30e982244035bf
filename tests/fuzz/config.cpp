// A config.json beside the weights of a small Llama. The first byte picks the family that it is read as; 255 leaves that to the file.

#include "headwise/auto.hpp"
#include "headwise/io/open_weights.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const hw::Zoo zoo = hw::stock_zoo();
  static const std::vector<std::string> families = zoo.known();
  static const auto weights = hw::open_weights(std::string(HEADWISE_SOURCE_DIR) + "/tests/hostile/base/hf");
  if (size == 0) return 0;
  fuzz::lawful([&] {
    hw::Json json = hw::Json::parse(fuzz::text_of(data + 1, size - 1), "config.json");
    if (data[0] != 255 && json.is_object()) {
      hw::JsonBuilder out("config.json");
      out.begin_object().member("model_type", families[data[0] % families.size()]);
      for (const auto& [key, value] : json.members())
        if (key != "model_type") out.key(key).value(value);
      json = out.end_object().finish();
    }
    hw::LoadOptions options;
    options.threads = 1;
    const auto model = zoo.build(hw::HfConfig(json), weights, options);
    const std::vector<std::int32_t> ids{1, 2, 3};
    hw::Output out;
    model->forward({.ids = ids}, out);
  });
  return 0;
}
