"""The outside world of outdial: carrier, callees, agents and a CRM. It speaks wire protocols only and imports no service."""
