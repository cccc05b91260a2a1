"""The whole of outdial as child processes on this machine: infrastructure, services, and where each one listens."""
