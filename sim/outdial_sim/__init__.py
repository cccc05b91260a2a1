"""The outside world, never deployed: carrier, callees, agents, CRM"""
