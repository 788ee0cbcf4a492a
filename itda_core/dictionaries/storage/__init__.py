"""A dictionary as a folder of files, read and written with a check of every field."""
