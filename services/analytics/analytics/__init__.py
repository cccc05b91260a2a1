"""One fact row per attempt, and what is counted from it"""
