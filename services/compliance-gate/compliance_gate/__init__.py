"""Decides whether a call may be placed: clearance, redeem, suppression, ledger"""
