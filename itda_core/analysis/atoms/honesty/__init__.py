"""Does an atom's label say where the atom fires? Measured from an index, beside chance."""
