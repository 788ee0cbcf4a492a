"""Trainings that can go on: their state on disk, and what they begin with."""
