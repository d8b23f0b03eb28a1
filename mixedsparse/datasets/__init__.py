"""Bundled data sets: real experiments and surveys, with their sources.

Examples
--------
>>> from mixedsparse import datasets
>>> datasets.load("sleepstudy").head(2)
   Reaction  Days Subject
0  249.5600     0     308
1  258.7047     1     308
"""

from mixedsparse.datasets.catalogue import Column, Description, describe, load, names

__all__ = ["Column", "Description", "describe", "load", "names"]
