"""The command line, `itda`."""
