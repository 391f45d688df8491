"""Hostile files and names: nothing in them is run, nothing is fetched, nothing leaves its folder."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from deepspine_sct.cli import import_original, label
from deepspine_sct.errors import DeepspineError
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model import seal
from deepspine_sct.model.checkpoint import load_checkpoint, save_checkpoint
from deepspine_sct.model.export import export
from deepspine_sct.model.hourglass import StackedHourglass
from deepspine_sct.model.hourglass_config import HourglassConfig
from deepspine_sct.model.runtime import SHIPPED, SHIPPED_ONNX, load_runtime
from deepspine_sct.quality_control.render import SCRIPTS

ROOT = Path(__file__).resolve().parent.parent
SCAN = ROOT / "data_test" / "t2_sim.nii.gz"


class Exploit:
    """Unpickling this makes a file: the real thing, with a harmless command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


def write_exploits(folder: Path, marker: Path) -> list[Path]:
    """Write the payload as every kind of file that pickles come in, under harmless names too."""
    payload = pickle.dumps({"model_weights": Exploit(marker)}, protocol=2)
    plain = [folder / f"plain{suffix}" for suffix in (".pkl", ".pth", ".safetensors", ".onnx", "")]
    for path in plain:
        path.write_bytes(payload)
    archive = folder / "torch.pt"
    torch.save({"model_weights": Exploit(marker)}, archive)
    arrays = folder / "arrays.npz"
    np.savez(arrays, weights=np.array([Exploit(marker)], dtype=object))
    disguised = [shutil.copy(archive, folder / f"torch{end}") for end in (".safetensors", ".onnx")]
    return [*plain, archive, arrays, *map(Path, disguised)]


def refusal(capsys, *arguments: str) -> str:
    """Run the labelling, which has to fail; return its one line."""
    assert label.main(["-i", str(SCAN), "-c", "t2", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_the_payload_is_real(tmp_path):
    """What the other tests refuse does run where a pickle is loaded carelessly."""
    marker = tmp_path / "owned"
    code = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"
    path, *_ = write_exploits(tmp_path, marker)
    subprocess.run([sys.executable, "-c", code, path], check=True)
    assert marker.exists()


def test_a_pickle_given_as_a_network_never_runs(tmp_path, capsys):
    """Whatever it is called and however it is packed, it is refused in one line."""
    marker = tmp_path / "owned"
    for path in write_exploits(tmp_path, marker):
        line = refusal(capsys, "-model", str(path), "-ofolder", str(tmp_path / "out"))
        assert line.startswith(f"sct_deepspine_label: error: {path}: not a ")
        assert not marker.exists(), path
    assert not (tmp_path / "out").exists()


def test_an_original_checkpoint_is_read_without_running_it(tmp_path, capsys):
    """The importer of the original's pickles, which has to open them, does not run them either."""
    marker = tmp_path / "owned"
    for path in write_exploits(tmp_path, marker):
        assert import_original.main(["-i", str(path), "-o", str(tmp_path / "new.safetensors")]) == 1
        assert not marker.exists(), path
    assert "Traceback" not in capsys.readouterr().err
    assert not (tmp_path / "new.safetensors").exists()


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A small network as a checkpoint and as its export, both sealed."""
    folder = tmp_path_factory.mktemp("sealed")
    torch.manual_seed(0)
    network = StackedHourglass(HourglassConfig(n_stacks=2, n_features=8, depth=2))
    description = {"spacing_mm": 2.0, "thickness_mm": 5.0, "loss": "cross_entropy"}
    save_checkpoint(folder / "small.safetensors", network, description)
    export(folder / "small.safetensors", folder / "small.onnx")
    return folder / "small.safetensors", folder / "small.onnx"


def test_a_sealed_network_is_what_it_was(sealed):
    """Both formats carry their checksum, are intact, and still load with the other libraries."""
    for path in sealed:
        content = path.read_bytes()
        assert seal.KEY.encode() in content and seal.UNSEALED.encode() not in content
        assert seal.is_intact(content) and seal.seal(content) == content
        assert load_runtime(path).multiple > 0
    assert len(load_file(sealed[0])) > 10


@pytest.mark.parametrize("place", [0, 1], ids=["safetensors", "onnx"])
def test_any_changed_byte_of_a_network_is_noticed(sealed, place, tmp_path):
    """A flipped bit anywhere, in the weights above all, is refused before the network runs."""
    content = sealed[place].read_bytes()
    path = tmp_path / sealed[place].name
    for at in np.random.default_rng(0).integers(0, len(content), 25).tolist():
        damaged = bytearray(content)
        damaged[at] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(DeepspineError) as caught:
            Predictor.load(path)
        assert "\n" not in str(caught.value)
    weight = len(content) - 50 if place == 0 else len(content) // 2
    path.write_bytes(content[:weight] + bytes([content[weight] ^ 1]) + content[weight + 1 :])
    with pytest.raises(DeepspineError, match="was damaged or changed, its checksum does not fit"):
        Predictor.load(path)


def test_weights_of_another_shape_are_refused(sealed, tmp_path):
    """A description of another architecture than the weights have is named as such."""
    weights = load_file(sealed[0])
    path = tmp_path / "other.safetensors"
    for change in ({"n_features": 16}, {"n_stacks": 3}, {"n_discs": 11}, {"colour": "red"}):
        _, description = load_checkpoint(sealed[0])
        description["network"] |= change
        save_file(weights, path, metadata={"deepspine_sct": json.dumps(description)})
        with pytest.raises(DeepspineError, match="weights do not fit the architecture .*get the file"):
            load_checkpoint(path)


@pytest.mark.parametrize("size", ["n_stacks", "n_blocks", "n_features", "depth", "n_discs"])
def test_an_architecture_without_bound_is_refused_before_it_is_built(sealed, tmp_path, size):
    """A few bytes must not ask for all of the memory: refused in no time, with the size named."""
    _, description = load_checkpoint(sealed[0])
    description["network"] |= {size: 10**6}
    path = tmp_path / "vast.safetensors"
    save_file(load_file(sealed[0]), path, metadata={"deepspine_sct": json.dumps(description)})
    with pytest.raises(DeepspineError, match=f"do not fit the architecture .{size} = 1000000, allowed are"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "description",
    [
        "[]", "3", "null", "{}", '{"format": 1}', '{"format": 1, "network": 7}', '{"format": 9}', "{",
        '{"format": 1, "network": {"n_stacks": "two"}}', '{"format": 1, "network": {"n_features": -8}}',
    ],
)  # fmt: skip
def test_a_description_that_is_none_is_refused(sealed, tmp_path, description):
    """Whatever stands where the description should be, the answer is one line."""
    path = tmp_path / "odd.safetensors"
    save_file(load_file(sealed[0]), path, metadata={"deepspine_sct": description})
    with pytest.raises(DeepspineError) as caught:
        Predictor.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [{"spacing_mm": 1e-9}, {"spacing_mm": None}, {"thickness_mm": "thick"}, {"prior": {"x": 1}}, {"prior": 3}],
)
def test_a_network_that_asks_for_nonsense_is_refused(sealed, tmp_path, change):
    """Its own preprocessing must not be a way to exhaust the memory, nor a traceback."""
    network, description = load_checkpoint(sealed[0])
    path = tmp_path / "odd.safetensors"
    save_checkpoint(path, network, description | change)
    with pytest.raises(DeepspineError, match="description cannot be used"):
        Predictor.load(path)


def test_the_shipped_networks_are_intact():
    """Neither file was damaged, and the export is that of the checkpoint."""
    for path in (SHIPPED, SHIPPED_ONNX):
        assert seal.is_intact(path.read_bytes())
    assert load_runtime(SHIPPED_ONNX).checksum == load_runtime(SHIPPED).checksum


def test_a_pipe_given_as_a_network_does_not_hang(tmp_path, capsys):
    """Nor does a folder or a missing file do more than give one line."""
    os.mkfifo(tmp_path / "pipe.safetensors")
    os.mkfifo(tmp_path / "pipe.onnx")
    for name in ("pipe.safetensors", "pipe.onnx", "", "missing.onnx"):
        assert "no such network; check -model" in refusal(capsys, "-model", str(tmp_path / name))


def test_the_command_touches_no_network(tmp_path):
    """With all of its outputs the command opens no socket and asks for no address."""
    code = """
import sys
def refuse(event, details):
    if event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.")):
        raise RuntimeError(f"{event} {details}")
sys.addaudithook(refuse)
from deepspine_sct.cli.label import main
sys.exit(main(sys.argv[1:]))
"""
    outputs = ["-json", "r.json", "-overlay", "p.png", "-qc", "qc"]
    done = subprocess.run(
        [sys.executable, "-c", code, "-i", str(SCAN), "-c", "t2", *outputs],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "qc" / "deepspine.html").exists()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_library_touches_the_network_either(tmp_path):
    """Seen by the system: no thread of any library makes a socket, as ONNX Runtime's reports would."""
    trace = tmp_path / "trace.txt"
    watch = ["strace", "-f", "-qq", "-e", "trace=%network", "-o", str(trace)]
    if subprocess.run([*watch, "true"], capture_output=True).returncode:
        pytest.skip("this system lets no process be watched")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "CI"))}
    done = subprocess.run(
        [*watch, sys.executable, "-m", "deepspine_sct.cli.label", "-i", str(SCAN), "-c", "t2", "-v", "0"],
        cwd=tmp_path, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert trace.read_text() == ""


def test_onnx_runtime_is_told_to_be_silent_before_it_is_loaded():
    """The variable that it reads only once is set by the module that imports it, whoever imports that."""
    code = (
        "import os, sys\n"
        "class Watch:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'onnxruntime':\n"
        "            print(os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        "sys.meta_path.insert(0, Watch())\n"
        "import deepspine_sct.model.onnx_runtime"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert said.stdout.split() == ["1"]


def test_the_page_fetches_nothing_and_obeys_no_name(tmp_path, monkeypatch):
    """Names from outside appear as data only, and the page's policy forbids every other script."""
    attack = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    folder = tmp_path / "s" / attack.replace("/", "-")
    folder.mkdir(parents=True)
    scan = shutil.copy(SCAN, folder / "t2'\"><svg onload=alert(1)>.nii.gz")
    names = ["-qc-subject", attack, "-qc-dataset", "../../../" + attack]
    monkeypatch.chdir(tmp_path)
    assert label.main(["-i", str(scan), "-c", "t2", "-qc", "qc", "-v", "0", "-ofolder", "out", *names]) == 0
    html = (tmp_path / "qc" / "deepspine.html").read_text(encoding="utf-8")
    n_scripts = 1 + len(SCRIPTS)  # the entries and the page's own
    assert html.count("<script") == n_scripts == html.count("</script>")
    assets = files("deepspine_sct.quality_control") / "assets"
    own = html.replace((assets / SCRIPTS[0]).read_text(encoding="utf-8"), "").replace("http://www.w3.org/2000/svg", "")
    for foreign in ("<img src=x", "<svg onload", "<script>alert", "http://", "https://"):
        assert foreign not in own
    assert "script-src &#39;sha256-" in html
    inside = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert inside == {"s", "qc", "out"}


def test_no_archive_is_unpacked_by_name(tmp_path, capsys):
    """A zip file with names that climb out of the folder is no network and writes nothing."""
    path = tmp_path / "deep" / "slip.safetensors"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escaped.txt", "out")
    refusal(capsys, "-model", str(path))
    assert not (tmp_path / "escaped.txt").exists() and not (tmp_path.parent / "escaped.txt").exists()
