# Sourced by examples/quickstart.sh and tests/run.sh: one clear sentence for every failure, and packages that are missing.
# The caller sets `me`, the name that its lines begin with.

say() { printf '%s: %s\n' "$me" "$*"; }
die() { printf '%s: %s\n' "$me" "$*" >&2; exit 1; }

free_megabytes() { df -Pm "$1" 2>/dev/null | awk 'NR == 2 { print $4 }'; }

# need_disk DIR MEGABYTES WHAT_FOR
need_disk() {
  local free
  free=$(free_megabytes "$1")
  [ -z "$free" ] || [ "$free" -ge "$2" ] || die "not enough disk: $3 needs $2 MB in $(cd "$1" && pwd), and $free MB are free"
}

# Whether package $1 is there: what it is for, rather than its name, so that a machine that has it by another way is left alone.
has_package() {
  case $1 in
    g++) [ -n "${CXX:-}" ] || command -v g++ >/dev/null ;;  # need_compiler looks at $CXX
    clang-14) command -v clang++-14 >/dev/null ;;
    cmake) command -v cmake >/dev/null ;;
    ninja-build) command -v ninja >/dev/null ;;
    python3) command -v python3 >/dev/null ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 ;;
    ca-certificates) [ -e /etc/ssl/certs/ca-certificates.crt ] ;;
    libclang-rt-14-dev) compgen -G "/usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.asan*.a" >/dev/null ;;
    libeigen3-dev) has_header eigen3/Eigen/Core Eigen/Core ;;
    nlohmann-json3-dev) has_header nlohmann/json.hpp ;;
    libpcre2-dev) has_header pcre2.h ;;
    libutf8proc-dev) has_header utf8proc.h ;;
    libcli11-dev) has_header CLI/CLI.hpp ;;
    libgtest-dev) has_header gtest/gtest.h ;;
    libbenchmark-dev) has_header benchmark/benchmark.h ;;
    *) return 1 ;;
  esac
}
has_header() {
  local folder name
  for folder in /usr/include /usr/local/include ${CMAKE_PREFIX_PATH:+"${CMAKE_PREFIX_PATH%%:*}/include"}; do
    for name in "$@"; do [ ! -e "$folder/$name" ] || return 0; done
  done
  return 1
}

# need_packages PACKAGE...: installs those that are missing.
need_packages() {
  local package missing=() root=() log words
  for package in "$@"; do has_package "$package" || missing+=("$package"); done
  if [ ${#missing[@]} = 0 ]; then
    say "packages: all there"
    return
  fi
  words="${missing[*]}"
  command -v apt-get >/dev/null || die "missing: $words (names of Debian packages), and there is no apt-get to install them"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "missing: $words; not root and no sudo, so ask root for: apt-get install $words"
    sudo -n true 2>/dev/null || [ -t 0 ] || die "missing: $words; sudo asks for a password and there is no terminal, so run first: sudo apt-get install $words"
    root=(sudo)
  fi
  say "packages: installing $words"
  log=$(mktemp) || die "no space left on the disk for temporary files (${TMPDIR:-/tmp})"
  apt() {
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 \
      -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 "$@" >>"$log" 2>&1 </dev/null
  }
  apt update || true  # one unreachable source out of several is no reason to stop
  if ! apt install -y --no-install-recommends "${missing[@]}"; then
    if grep -qE "No space left|enough free space" "$log"; then
      words="cannot install $words: no space left on the disk"
    elif grep -qE "Temporary failure|Could not (resolve|connect)|Failed to fetch|Connection (refused|timed out|failed)|Network is unreachable" "$log"; then
      words="cannot install $words: no network (apt-get reaches no package source)"
    else
      tail -n 5 "$log" | sed 's/^/    /' >&2
      words="cannot install $words: apt-get failed, its last words are above"
    fi
    rm -f "$log"
    die "$words"
  fi
  rm -f "$log"
  for package in "${missing[@]}"; do has_package "$package" || die "$package is installed, and what it brings is still not found (PATH is $PATH)"; done
}

# A compiler that can do it: ${CXX:-g++}.
need_compiler() {
  local cxx=${CXX:-g++}
  command -v "$cxx" >/dev/null || die "there is no C++ compiler named $cxx"
  echo '#include <concepts>
#include <source_location>
template <std::floating_point T> consteval T half(T x) { return x / 2; }
static_assert(half(1.0) == 0.5);' | "$cxx" -std=c++20 -fsyntax-only -x c++ - 2>/dev/null ||
    die "the compiler $cxx does not compile C++20; headwise needs g++ 12 or clang 14"
}

# As many compilers as there are processors, and 1.5 GB of memory for each.
parallel_jobs() {
  local cpus memory
  cpus=$(nproc 2>/dev/null || echo 1)
  memory=$(awk '/^MemAvailable/ { print int($2 / 1500000) }' /proc/meminfo 2>/dev/null)
  [ "${memory:-$cpus}" -ge 1 ] || memory=1
  echo $((${memory:-$cpus} < cpus ? ${memory:-$cpus} : cpus))
}

# build PRESET TARGETS... : after a configure.
build() {
  local preset=$1
  shift
  cmake --build "build/$preset" -j "$(parallel_jobs)" ${1:+--target "$@"} && return
  [ "$(free_megabytes build)" -ge 20 ] || die "the build stopped: no space left on the disk ($PWD/build)"
  die "the build failed; the compiler's words are above"
}

# configure PRESET OPTIONS...
configure() {
  local log=build/configure.log
  mkdir -p build || die "cannot make the folder $PWD/build"
  cmake --preset "$@" >"$log" 2>&1 && return
  [ "$(free_megabytes build)" -ge 2 ] || die "cmake stopped: no space left on the disk ($PWD/build)"
  sed -n '/CMake Error/,$p' "$log" | head -n 20 >&2
  die "cmake could not set up the build; its words are above and in $log"
}
