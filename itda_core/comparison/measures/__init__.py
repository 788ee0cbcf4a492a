"""Measures of similarity between the activations of two sites at the same tokens."""
