"""statsmodels' own tests of its mixed models, run on the look-alike: nothing but the import is another one."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

# Tests of statsmodels' own linear algebra, which they import beside the model: they would test statsmodels.
INTERNAL = "not SMW"

# Tests that fail, and why; those that are not here have to pass, and those that are have to fail.
PENALTIES = "Fits with penalties on the fixed effects are not offered."
EXPECTED = {
    "TestMixedLM::test_pastes_vcomp": "AIC and BIC after REML are numbers here, as in lme4; NaN there.",
    "TestMixedLM::test_regularized": PENALTIES,
    **{
        f"TestMixedLMSummaryRegularized::{name}": PENALTIES
        for name in ("test_summary", "test_summary_xname_fe", "test_summary_xname_re", "test_summary_title")
    },
    "test_summary_col": "It prints standard errors, sigma (X'V_0^-1 X)^-1/2 here; by the joint Hessian, there, they "
    "are larger by up to a half in 15 rows.",
    "test_singular": "The variance is inside its range, so there is nothing to warn of.",
    "test_summary_after_remove_data": "The summary is of a class of this package.",
}
# Second differences of a log-likelihood near -2300, by statsmodels' numdiff, keep about three digits, and three are
# asked for.
EITHER = {f"TestMixedLM::test_compare_numdiff[False-{reml}-False]" for reml in (False, True)}
TESTS = 91


@pytest.fixture(scope="module")
def passed(tmp_path_factory):
    """Whether each test passes, by class and name."""
    tests = pytest.importorskip("statsmodels.regression.tests")
    path = Path(tests.__file__).parent / "test_lme.py"
    if not (path.parent / "results" / "lme00.csv").exists():
        pytest.skip("statsmodels is installed without its tests")
    folder = tmp_path_factory.mktemp("suite")
    ini, report = folder / "pytest.ini", folder / "report.xml"
    ini.write_text("[pytest]\nmarkers =\n    slow\n    smoke\n    high_memory\n")
    plugins = ["-p", "tests.compat.substitution", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", str(path), "-c", str(ini), "-k", INTERNAL, *plugins]
    run = subprocess.run([*command, f"--junitxml={report}"], capture_output=True, text=True, timeout=900, check=False)
    assert report.exists(), run.stdout + run.stderr
    out = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        owner = case.attrib["classname"].rpartition(".")[2]
        name = case.attrib["name"] if not owner.startswith("Test") else f"{owner}::{case.attrib['name']}"
        out[name] = not any(part.tag in ("failure", "error") for part in case)
    return out


@pytest.mark.slow
def test_their_tests_pass_but_for_those_that_are_known(passed):
    failed = {name for name, good in passed.items() if not good}
    assert failed - EITHER == set(EXPECTED)


@pytest.mark.slow
def test_all_of_their_tests_are_run(passed):
    assert len(passed) >= TESTS
    assert sum(passed.values()) >= TESTS - len(EXPECTED) - len(EITHER)
