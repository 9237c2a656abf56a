"""What can be done with finished adapters: resize, extract, combine, compare, merge into a base.

Everything works on plain AdapterWeights and on files; no network is built here.
"""
