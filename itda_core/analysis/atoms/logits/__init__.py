"""What atoms write into a model's logits."""
