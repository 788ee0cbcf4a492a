"""What an atom does, drawn on any page that shows a prompt."""
