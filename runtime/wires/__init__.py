"""Crossbars with resistive wires: see `runtime/wires/README.md`."""
