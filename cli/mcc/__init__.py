"""The compiler toolchain for memristor compute-in-memory hardware."""
