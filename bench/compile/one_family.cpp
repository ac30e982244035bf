// budget: header-only 30, compiled 2.5
// Loads checkpoints of one family.
#include "headwise/families/llama.hpp"
#include "headwise/families/zoo.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto model = hw::Zoo{}.add<hw::families::Llama>().load(argv[1]);
  return model->info().vocab_size > 0 ? 0 : 1;
}
