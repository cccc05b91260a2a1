"""What analytics does with what it is told and asked: facts.py, windows.py."""
