"""The only consume loop: subscriptions, ticks, requests and the outbox, with one way out"""
