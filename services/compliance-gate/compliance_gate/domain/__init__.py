"""Pure decisions of the gate: no time, chance, environment or I/O."""
