"""Many dictionaries compared, beside pairwise Python sets."""
