"""What lies in a model's folder: its config and its weights, by the rules of transformers."""
