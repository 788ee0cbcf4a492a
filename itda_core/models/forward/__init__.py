"""Forward passes: hooks, batches, and what a batch may hold."""
