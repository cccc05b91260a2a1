"""What lead-router decides, without I/O, time or chance: `now` is always an argument."""
