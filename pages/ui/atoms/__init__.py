"""The parts of the Atoms page: one atom, all atoms, their map."""
