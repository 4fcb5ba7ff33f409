"""Graphs for the host."""
