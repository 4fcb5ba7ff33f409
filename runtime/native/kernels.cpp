#include <nanobind/nanobind.h>

namespace nb = nanobind;

// Each file of this folder that offers functions to Python binds its own.
void bind_analog(nb::module_& module);
void bind_bit_planes(nb::module_& module);
void bind_cells(nb::module_& module);
void bind_clock(nb::module_& module);
void bind_elementwise(nb::module_& module);
void bind_integers(nb::module_& module);
void bind_levels(nb::module_& module);
void bind_windows(nb::module_& module);
void bind_wires(nb::module_& module);

NB_MODULE(_kernels, module) {
  module.doc() = "Native kernels of the runtime.";
  bind_analog(module);
  bind_bit_planes(module);
  bind_cells(module);
  bind_clock(module);
  bind_elementwise(module);
  bind_integers(module);
  bind_levels(module);
  bind_windows(module);
  bind_wires(module);
}
