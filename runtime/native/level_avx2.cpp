#define MCC_LEVEL avx2
#define MCC_WIDTH 32
#include "analog_kernel.hpp"
#include "bit_planes_kernel.hpp"
#include "elementwise_kernel.hpp"
#include "integers_kernel.hpp"
