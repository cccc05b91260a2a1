"""What people type: one module per group of words."""
