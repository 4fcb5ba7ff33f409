#include <nanobind/nanobind.h>

void bind_integers(nanobind::module_&) {}
