"""Anything the user has, to a captured network."""
