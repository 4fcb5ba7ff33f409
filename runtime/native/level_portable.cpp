#define MCC_LEVEL portable
#define MCC_WIDTH 16
#include "analog_kernel.hpp"
#include "bit_planes_kernel.hpp"
#include "elementwise_kernel.hpp"
#include "integers_kernel.hpp"
