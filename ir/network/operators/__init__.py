"""The operators of the mcc domain, one file each."""
