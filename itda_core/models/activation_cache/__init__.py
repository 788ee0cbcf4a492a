"""Activations of a model kept on disk, and read from there the next time."""
