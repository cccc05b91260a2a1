"""Memory broker, virtual clock and the contract cases every broker and port must pass"""

from outdial_testing.memory_broker import MemoryBroker
from outdial_testing.memory_runtime import MemoryRuntime, run_in_memory
from outdial_testing.virtual_clock import SeededChance, VirtualClock

__all__ = ["MemoryBroker", "MemoryRuntime", "SeededChance", "VirtualClock", "run_in_memory"]
