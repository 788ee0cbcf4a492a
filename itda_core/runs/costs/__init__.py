"""What a run will cost, before it starts: measured where a model is loaded, counted where none is."""
