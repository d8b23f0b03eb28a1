"""The virtual environments of the rivals, without making any."""

import sys

from benchmarks.contest import environments


def test_an_environment_is_made_once_for_the_same_requirements(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(environments, "_run", lambda *command: made.append(command))

    def install(requirements):
        (tmp_path / "package").mkdir(exist_ok=True)
        return environments.python_with("package", requirements, tmp_path)

    interpreter = install(("package==1.0",))
    assert install(("package==1.0",)) == interpreter
    (create, fill) = made
    assert (create[0], create[-1]) == (sys.executable, tmp_path / "package")
    assert (fill[0], fill[-1]) == (interpreter, "package==1.0")
    assert install(("package==2.0",)) == interpreter
    assert [command[-1] for command in made[2:]] == [tmp_path / "package", "package==2.0"]
