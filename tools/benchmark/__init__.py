"""What `tools/bench.py` is made of: what is measured, by whom, against which servers, and how it is told."""
