"""A Dask cluster: one that runs already, or processes of this machine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from arguments import positive
from distributed import Client, LocalCluster

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `connect` asks for."""
    parser.add_argument("--workers", type=positive, default=2, help="processes to start (2)")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a cluster that runs, as tcp://host:8786"
    )


@contextmanager
def connect(scheduler: str | None, workers: int) -> Iterator[Client]:
    """Connect to the scheduler at an address, or to one that lives as long as the block."""
    if scheduler is not None:
        with Client(scheduler) as client:
            yield client
        return
    # Each worker occupies a core, so neither its tasks nor snnc's runs share it among threads.
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",  # any free port
            env={"SNNC_NUM_THREADS": "1"},
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
