#include <nanobind/nanobind.h>

namespace nb = nanobind;

// Each file of this folder that offers functions to Python binds its own.
void bind_bit_planes(nb::module_& module);
void bind_integers(nb::module_& module);
void bind_levels(nb::module_& module);

NB_MODULE(_kernels, module) {
  module.doc() = "Native kernels of the runtime.";
  bind_bit_planes(module);
  bind_integers(module);
  bind_levels(module);
}
