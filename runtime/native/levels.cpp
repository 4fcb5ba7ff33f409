#include <nanobind/nanobind.h>

void bind_levels(nanobind::module_&) {}
