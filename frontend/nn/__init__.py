"""Torch modules that stand for hardware primitives."""
