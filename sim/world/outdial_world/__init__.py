"""The deterministic world: all services in one process on the memory broker, virtual time, one seed for everything."""
