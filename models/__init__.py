"""Networks with their training recipes."""
