"""Decides which lead is called next: intake, dedupe, schedule, retries, supply"""
