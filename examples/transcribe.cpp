// From a WAV file to text, by Whisper: a Hugging Face folder, or one with CTranslate2's model.bin.
//
//   transcribe --model PATH --audio WAV [--language L] [--task transcribe|translate] [--beams N] [--timestamps] [--json]

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "headwise/auto.hpp"
#include "headwise/generate/transcribe.hpp"
#include "support/program.hpp"

namespace {

// Ids that the checkpoint never lets come up: generation_config.json, config.json in older folders and in those of CTranslate2.
void read_suppressed(const std::string& path, hw::TranscribeOptions& options) {
  for (const char* file : {"/generation_config.json", "/config.json"}) {
    std::error_code none;
    if (!std::filesystem::exists(path + file, none)) continue;
    const hw::Json settings = hw::Json::read(path + file);
    const auto read = [&](std::vector<std::int32_t>& ids, const char* key) {
      if (const auto found = settings.find(key); ids.empty() && found && found->is_array()) ids = found->as<std::vector<std::int32_t>>();
    };
    read(options.suppress_ids, "suppress_tokens");
    read(options.suppress_ids, "suppress_ids");
    read(options.begin_suppress_ids, "begin_suppress_tokens");
    read(options.begin_suppress_ids, "suppress_ids_begin");
  }
  std::erase_if(options.suppress_ids, [](std::int32_t id) { return id < 0; });
}

}  // namespace

int main(int argc, char** argv) {
  std::string path, audio, task = "transcribe";
  int threads = 0;
  bool timestamps = false, json = false;
  hw::TranscribeOptions options;
  CLI::App app{"Sound to text"};
  app.add_option("--model", path, "a folder of Whisper")->required();
  app.add_option("--audio", audio, "a .wav file, of any rate")->required();
  app.add_option("--language", options.language, "en, de, ...; found out where it is left out");
  app.add_option("--task", task, "translate: to English")->check(CLI::IsMember({"transcribe", "translate"}));
  app.add_option("--beams", options.num_beams, "1: greedy")->check(CLI::Range(1, 64));
  app.add_option("--seed", options.seed, "where a window has to be sampled");
  app.add_option("--threads", threads, "0: all");
  app.add_flag("--timestamps", timestamps, "a line for each part, with its times");
  app.add_flag("--json", json, R"({"language", "language_probability", "text", "segments": [{"begin", "end", "text", "ids"}]})");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return program::run("transcribe", [&] {
    const hw::Sound sound = hw::read_wav(audio);
    hw::LoadOptions load;
    load.threads = threads;
    load.progress = program::progress_bar("loading");
    const hw::TextModel model = hw::load(path, load);
    read_suppressed(path, options);
    options.translate = task == "translate";
    options.progress = program::progress_bar("hearing");
    const hw::Transcript heard = hw::transcribe(model.model(), model.tokenizer(), sound, options);
    if (json) {
      hw::JsonBuilder out;
      out.begin_object().member("language", heard.language).member("language_probability", heard.language_probability);
      out.member("text", heard.text()).key("segments").begin_array();
      for (const hw::SpeechSegment& s : heard.segments)
        out.begin_object().member("begin", s.begin).member("end", s.end).member("text", s.text).member("ids", s.ids).end_object();
      out.end_array().end_object();
      std::cout << out.finish().dump() << '\n';
    } else if (timestamps) {
      for (const hw::SpeechSegment& s : heard.segments) std::printf("[%.2f - %.2f]%s\n", s.begin, s.end, s.text.c_str());
    } else {
      std::cout << heard.text() << '\n';
    }
    return 0;
  });
}
