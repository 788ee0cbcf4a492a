"""Models larger than memory: each block read from the disk once, for a whole corpus."""
