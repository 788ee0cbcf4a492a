"""Pursuits written for one kind of machine; they agree with the plain ones in every choice they make."""
