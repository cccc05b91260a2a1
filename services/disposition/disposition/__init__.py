"""Folds an attempt into exactly one disposition"""
