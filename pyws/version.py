"""The one home of the version: the wheel, the header `User-Agent` and `pyws.__version__` take it from here.

https://peps.python.org/pep-0440/
"""

__version__ = "0.1.0"
