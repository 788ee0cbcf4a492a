"""What the pages share: shell, address, cached engine calls, and the drawn parts."""
