"""Memory broker, virtual clock and the contract cases every broker and port must pass"""
