"""What is drawn: rows of tokens, heatmaps, lists of atoms, text that may be anyone's."""
