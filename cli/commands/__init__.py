"""The commands: one file each, with a `command`."""
