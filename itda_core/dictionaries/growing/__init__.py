"""How a dictionary grows: which activations become atoms, while a corpus streams by."""
