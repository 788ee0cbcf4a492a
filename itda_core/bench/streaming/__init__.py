"""A model streamed from the disk beside accelerate's offload."""
