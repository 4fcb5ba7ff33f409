"""Network to network, one rewrite a file."""
