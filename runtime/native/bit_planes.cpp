#include <nanobind/nanobind.h>

void bind_bit_planes(nanobind::module_&) {}
