"""The commands of `python -m pyws`, which loads one of them: a module for each command, and what it stands on."""
