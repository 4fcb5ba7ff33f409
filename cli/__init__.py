"""The command line and the driver that composes the layers."""
