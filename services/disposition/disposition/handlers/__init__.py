"""What is done at each message, tick and request: attempts.py folds them, webhooks.py tells the CRM."""
