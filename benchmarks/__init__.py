"""Benchmarks of snnc and its peers: ``python -m benchmarks`` in a checkout.

`cells` lists the cases; a peer is a module of `peers` that offers ways to compute a
cell; `measure` checks that each way gives the same spikes and then times them in turn, in one
process per number of threads (`worker`). `report` and `picture` show the results, the cells that
snnc loses like the others. `python -m benchmarks.callgrind` counts instructions instead.
"""
