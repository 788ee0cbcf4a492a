"""Commands about one prompt."""
