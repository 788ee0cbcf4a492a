"""This machine: its processors and memory, the threads that run on it, the streams of its terminal."""
