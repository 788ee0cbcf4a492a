"""This machine, measured: ours beside what others run and beside the machine's own limit. Nothing here is kept."""
