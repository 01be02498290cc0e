"""Nothing personal is read or kept, and what is not personal stays as it is; the long form: ``tests.long personal``."""

import itertools
import re
from pathlib import Path

import pytest

from bench.cli import options
from bench.machine import owner
from bench.machine.describe import suggest_id
from bench.records import texts

DATA = Path(__file__).parent / "data"
USERS = ("zaphod", "müller", "jane.doe", "x3ng", "李伟")
HOSTS = ("thorin", "gpu-node-17", "a100-01")
FRAMES = (
    "{}",
    "RuntimeError: {}",
    "2 of 5 runs did not finish: {}",
    "the process ended with exit code 3 and no result: {}",
    "{} (error 5)",
)
# No file of the project names such a path.
FOLDERS = {"home": "/" + "home", "users": "/" + "Users", "root": "/" + "root"}


def lines(name: str) -> list[str]:
    """The texts of a corpus: its lines, without its head."""
    return (DATA / name).read_text(encoding="utf-8").split("\n")[1:-1]


def filled(line: str) -> list[tuple[str, str]]:
    """What a line of personal.txt stands for: texts, each with what must not be kept of it."""
    found = []
    users, hosts = USERS if "{user}" in line else ("",), HOSTS if "{host}" in line else ("",)
    for user, host in itertools.product(users, hosts):
        text = line
        for name, value in {"user": user, "host": host, **FOLDERS}.items():
            text = text.replace(f"{{{name}}}", value)
        found.append((re.sub("<(.*?)>", r"\1", text), re.search("<(.*?)>", text)[1]))
    return found


SECRETS = [pair for line in lines("personal.txt") for pair in filled(line)]
HONEST = lines("honest.txt")


def kept(text: str, secret: str) -> bool:
    """Whether a personal text is read, or something of it written."""
    cleaned = texts.clean(text)
    return not texts.problem(text) or secret in cleaned or bool(texts.problem(cleaned))


def changed(text: str) -> bool:
    """Whether a text that tells of nobody is refused or written otherwise."""
    return bool(texts.problem(text)) or text != texts.clean(text)


def count(n: int) -> tuple[dict[str, int], list[str]]:
    """Counts over every text in each of n sentences, and what went wrong."""
    frames = FRAMES[:n]
    personal = [(frame.format(text), secret) for frame in frames for text, secret in SECRETS]
    honest = [frame.format(text) for frame in frames for text in HONEST]
    wrong = [text for text, secret in personal if kept(text, secret)]
    lost = [text for text in honest if changed(text)]
    counts = {"personal": len(personal), "kept": len(wrong), "honest": len(honest), "changed": len(lost)}
    return counts, [f"kept: {text}" for text in wrong] + [f"changed: {text}" for text in lost]


def test_nothing_personal_is_kept_and_nothing_honest_is_lost():
    counts, wrong = count(2)

    assert [] == wrong
    assert counts["personal"] >= 600 and counts["honest"] >= 300


@pytest.mark.parametrize(
    "name", ["alice-laptop", "martins-pc", "zaphod-macbook-pro", "john-smith-2c", "0" * 9 + "1" * 23]
)
def test_a_machine_is_not_named_after_somebody(name: str):
    assert "whose machine" in texts.problem(name, "machine_id")
    with pytest.raises(ValueError, match="--machine-id names a machine on public pages"):
        options.machine_name(name)


@pytest.mark.parametrize("line", [line for line in HONEST if re.match(r"NVIDIA|AMD|Intel\(|Apple", line)])
def test_a_machine_may_be_named_after_its_hardware(line: str):
    assert "" == texts.problem(suggest_id(line, (), 16), "machine_id")


def test_the_names_of_this_machine_are_left_out_wherever_they_stand(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner.socket, "gethostname", lambda: "thorin.example.org")
    monkeypatch.setattr(owner.getpass, "getuser", lambda: "zaphod")
    monkeypatch.setenv("SLURMD_NODENAME", "c0142")
    monkeypatch.setattr(owner.sys, "prefix", r"D:\env")

    for text in ("thorin is slow", "zaphod: no quota", "lost thorin.example.org", "at 'D:\\\\env\\lib'", r"in D:\env",
                 "on Thorin.rack", "to thorin.rack4", "ZAPHOD", "c0142 lost"):  # fmt: skip
        assert not re.search("(?i)thorin|zaphod|env|c0142|rack", owner.impersonal(text)), text
    assert "xthorin thorin-like CUDA" == owner.impersonal("xthorin thorin-like CUDA")


def test_a_host_that_is_named_as_many_are_takes_no_word_out_of_a_message(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner.socket, "gethostname", lambda: "tensorflow")
    monkeypatch.setattr(owner.getpass, "getuser", lambda: "cuda")

    assert "TensorFlow: CUDA error" == owner.impersonal("TensorFlow: CUDA error")
