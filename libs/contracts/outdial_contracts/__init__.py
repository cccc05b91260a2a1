"""The contract in Python: event types, topics, codec and rpc stubs, generated from schemas/"""
