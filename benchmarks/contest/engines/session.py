"""A running worker of an engine."""

from __future__ import annotations

from benchmarks.contest.engines.base import Reply, TableReply
from benchmarks.shared.workers import Worker, WorkerError

__all__ = ["Session"]


class Session(Worker):
    """A worker that has loaded its data: it has greeted with the engine's `version` and the number `n` of rows.

    Parameters
    ----------
    command : list of str
        Command line of the worker.
    threads : int
        Limit for all its thread pools.
    limit : float
        Seconds to wait for any one answer.

    Raises
    ------
    WorkerError
        The worker did not start, or could not read its data.
    """

    def __init__(self, command: list[str], *, threads: int, limit: float) -> None:
        super().__init__(command, threads=threads, limit=limit)
        try:
            greeting = self.answer()
        except WorkerError:
            self.close()
            raise
        self.version: str = greeting["version"]
        self.n: int = greeting["n"]

    def fit(self) -> Reply:
        """Have the worker fit once.

        Raises
        ------
        WorkerError
            The fit failed or took longer than the limit.
        """
        return Reply(**self.ask("fit"))

    def table(self) -> TableReply:
        """Have the worker fit once and print the table of fixed effects; raises as `fit` does."""
        return TableReply(**self.ask("table"))
