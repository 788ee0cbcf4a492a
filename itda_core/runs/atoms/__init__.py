"""What is kept on this machine of the atoms of dictionaries: one's own notes, maps."""
