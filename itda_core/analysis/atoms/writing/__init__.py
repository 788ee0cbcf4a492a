"""How the files of an atom index come to be: codes merged, sorted by atom, kept segment by segment, put together."""
