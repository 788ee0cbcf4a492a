"""A model's tokenizer: loaded as its file says, after a trial in a process of its own."""
