"""Which activations of a sample become atoms: the sample itself, and what is learned from it."""
