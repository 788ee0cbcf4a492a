"""The frame of every page: shell, navigation, address, and the engine's cached calls."""
