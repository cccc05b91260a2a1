"""The outside world of outdial: carrier, callees, agents and a CRM. Wire protocols only; it imports no service."""
