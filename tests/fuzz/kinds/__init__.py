"""What is damaged, one module for each room."""
