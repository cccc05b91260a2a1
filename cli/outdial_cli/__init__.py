"""The one command people type"""
