"""Decides when to dial, from which number, and which agent takes the answer"""
