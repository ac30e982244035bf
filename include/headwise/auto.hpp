#pragma once
// The front door: any checkpoint of a stock family, by its path.
//
//     auto model = hw::load("SmolLM2-135M-Instruct.Q4_1.gguf");
//     for (const std::string& piece : model.chat("Name three prime numbers.")) std::cout << piece << std::flush;
//
// Light against headwise::compiled. Header-only it compiles every family: a program that wants to compile quickly names its own
// (headwise/families/load.hpp).

#include "headwise/families/load.hpp"
#include "headwise/families/stock.hpp"

namespace hw {

/// hw::load with all stock families.
inline TextModel load(const std::string& path, const LoadOptions& options = {}) { return load(path, stock_zoo(), options); }

}  // namespace hw
