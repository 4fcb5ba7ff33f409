"""Network and hardware to program."""
