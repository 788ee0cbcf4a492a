"""How far the labels of dictionaries overlap: Jaccard, with chance, intervals and what can be compared."""
