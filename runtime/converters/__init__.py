"""Real converters: what levels drivers drive, and where the codes of a converter change.

Each kind of analog-to-digital converter has a file with one function that turns the errors of its
elements into a staircase. References are exact there: elements share them, so what all elements
have in common does not show. Offset, gain and non-linearity are laid over it in `bank.py`. Noise is
no part of a staircase; it joins that of the read.
"""
