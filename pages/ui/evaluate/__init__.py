"""The parts of the evaluate page."""
