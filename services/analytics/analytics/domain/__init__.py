"""Pure: the fact row of an attempt, rates over rows, and windows of rates."""
