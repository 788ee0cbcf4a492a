"""Dictionaries built from the same activations in many ways, side by side: seconds, and what each misses."""
