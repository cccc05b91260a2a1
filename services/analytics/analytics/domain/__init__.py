"""Pure: the fact row of an attempt, and rates over rows."""
