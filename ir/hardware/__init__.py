"""The hardware language: what a target is."""
