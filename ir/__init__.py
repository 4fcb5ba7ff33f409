"""The three languages, their diagnostics and the reference executor."""
