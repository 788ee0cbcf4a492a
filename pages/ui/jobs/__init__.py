"""Jobs on their pages: progress, buttons, lists."""
