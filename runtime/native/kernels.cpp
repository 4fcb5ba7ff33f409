#include <nanobind/nanobind.h>

NB_MODULE(_kernels, module) { module.doc() = "Native kernels of the runtime."; }
