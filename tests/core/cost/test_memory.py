"""Available memory: what the machine has free, and what control groups leave of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mixedsparse as ms
from mixedsparse.core.choose import memory

GIB = 2.0**30


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def test_a_share_of_what_the_machine_has_free():
    # Nothing is said of machines without limits but that it is some of the memory there is.
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < memory.available_memory() < total


def test_memory_that_can_be_had_without_swapping(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 4194304 kB\nMemFree: 1048576 kB\nMemAvailable:    2097152 kB\n")
    assert memory._free_in_machine(meminfo) == 2 * GIB


def test_a_share_of_all_memory_where_the_system_does_not_say_what_is_free(tmp_path):
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory._SHARE * memory._free_in_machine(tmp_path / "absent") == pytest.approx(0.7 * total)


def test_limits_of_version_2_with_the_files_that_the_kernel_gives_back(tmp_path):
    own = tmp_path / "own"
    own.write_text("0::/slice/job\n")
    write(tmp_path / "slice", memory__max="max", memory__current="5", memory__stat="inactive_file 1")
    write(
        tmp_path / "slice/job",
        memory__max=f"{4 * GIB:.0f}",
        memory__current=f"{3 * GIB:.0f}",
        memory__stat=f"anon 7\ninactive_file {GIB:.0f}",
    )
    assert list(memory._free_in_groups(tmp_path, own)) == [2 * GIB]


def test_limits_of_version_1_of_every_group_above(tmp_path):
    own = tmp_path / "own"
    own.write_text("5:cpu,memory:/a/b\n3:cpuset:/\n")
    for folder, limit in (("memory/a/b", 8), ("memory/a", 2)):
        write(
            tmp_path / folder,
            memory__limit_in_bytes=f"{limit * GIB:.0f}",
            memory__usage_in_bytes=f"{GIB:.0f}",
            memory__stat="total_inactive_file 0",
        )
    assert list(memory._free_in_groups(tmp_path, own)) == [7 * GIB, GIB]


def test_inside_a_container_the_root_of_what_is_mounted_counts(tmp_path):
    own = tmp_path / "own"
    own.write_text("0::/a/path/of/the/host\n")
    write(tmp_path, memory__max="100", memory__current="40", memory__stat="inactive_file 0")
    assert list(memory._free_in_groups(tmp_path, own)) == [60]


def test_what_takes_too_much_is_refused_before_it_is_allocated(monkeypatch):
    fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    monkeypatch.setattr(memory, "available_memory", lambda: 20_000.0)
    assert fit.marginal_cov(slice(5)).shape == (5, 5)
    with pytest.raises(
        ms.BackendError, match="The covariance of 30 rows would take about 21 KiB of memory, and 20 KiB are"
    ):
        fit.marginal_cov(slice(None))
    assert fit.simulate(10, seed=1).shape == (30, 10)
    with pytest.raises(ms.BackendError, match=r"1,000 responses of 30 rows would take about 703 KiB .*: ask for fewer"):
        fit.simulate(1000, seed=1)


def test_without_control_groups_nothing_limits(tmp_path):
    assert list(memory._free_in_groups(tmp_path, tmp_path / "absent")) == []


def test_address_space_that_a_limit_leaves(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    pages = os.sysconf("SC_PAGE_SIZE")
    (tmp_path / "statm").write_text(f"{GIB // pages:.0f} 1 1 1 0 1 0\n")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (int(4 * GIB), int(4 * GIB)))
    assert memory._free_addresses(tmp_path / "statm") == 3 * GIB
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert memory._free_addresses(tmp_path / "statm") == float("inf")
