"""The frame of every page: shell, navigation, address, server, and the engine's cached calls."""
