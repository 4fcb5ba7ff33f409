"""Code for the cores."""
