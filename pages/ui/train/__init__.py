"""The parts of the train page."""
