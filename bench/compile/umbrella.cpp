// budget: header-only 5, compiled
// Includes the umbrella and uses nothing of it.
#include "headwise/headwise.hpp"

int main() { return 0; }
