"""The parts of the decompose page."""
