"""Deliberate bugs: each is a patch in sim/world/bugs that the world must find. `python -m outdial_world.bugs`."""
