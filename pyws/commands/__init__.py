"""What only `python -m pyws NAME` loads: a module for each command."""
