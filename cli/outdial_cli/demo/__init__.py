"""`outdial demo`: a real campaign end to end, then a report that says whether the books balance."""
