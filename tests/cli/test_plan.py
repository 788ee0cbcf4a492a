"""`itda plan`: its JSON, its table, its errors."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.conftest import ROOT, Cli

KEYS = {
    *("model", "parameters", "checkpoint_bytes", "stored_dtype", "dtype", "d_model", "n_layers", "layers", "tokens"),
    *("context", "windows", "positions", "atoms", "k", "forward_operations", "pursuit_operations", "machine", "best"),
    *("ways", "notes"),
}
WAY_KEYS = {
    *("name", "bytes_read", "hidden_bytes", "host_memory", "device_memory", "read_seconds"),
    *("move_seconds", "forward_seconds", "growth_seconds", "seconds", "bottleneck", "fits"),
}


def test_json_holds_the_plan(itda: Cli) -> None:
    options = ["--layers", "3,5-6", "--context", 64, "--atoms", 2000, "--gpu", "h100", "--disk", 7, "--ram", 256]
    code, out, err = itda("plan", "llama-3.1-8b", "--tokens", 100_000, *options, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert set(found) == KEYS
    assert (found["parameters"], found["layers"], found["n_layers"]) == (8_030_261_248, [3, 5, 6], 32)
    assert (found["tokens"], found["context"], found["atoms"], found["k"]) == (100_000, 64, 2000, 40)
    assert found["positions"] == found["windows"] * 64 >= 100_000
    machine = found["machine"]
    assert (machine["disk_read"], machine["host_memory"], machine["device"]) == (7e9, 256 * 10**9, "cuda")
    assert [way["name"] for way in found["ways"]] == ["memory", "stream", "offload"]
    for way in found["ways"]:
        assert set(way) == WAY_KEYS
        assert way["seconds"] > 0
    stream = found["ways"][1]
    assert stream["bytes_read"] == 2 * (128_256 * 4_096 + 7 * 218_112_000)
    assert found["best"] in ("memory", "stream")


def test_the_table_names_every_way(itda: Cli) -> None:
    code, out, _ = itda("plan", "llama-3.1-70b", "--tokens", 1_000_000, "--gpu", "4090")
    assert code == 0
    assert "70.6 billion parameters, 141 GB, 80 blocks of width 8,192" in out
    rows = {line.split("  ")[0].strip(): line for line in out.splitlines()}
    assert rows["whole model in memory"].rstrip().endswith("no")
    assert rows["streamed layer by layer"].rstrip().endswith("yes")
    assert "139 GB" in rows["streamed layer by layer"]
    assert "TB" in rows["accelerate's disk offload"]


def test_errors_are_one_sentence(itda: Cli) -> None:
    for arguments, said in (
        (("llama-3.1-8b", "--tokens", 0), "tokens=0 is less than 1"),
        (("llama-3.1-8b", "--tokens", 5, "--gpu", "tpu"), "GPU 'tpu' is unknown; choose one of h200, h100"),
        (("llama-3.1-8b", "--tokens", 5, "--layers", "40"), "no layer 40"),
        (("llama-3.1-8b", "--tokens", 5, "--disk", -2), "disk=-2 GB/s"),
        (("./nothing", "--tokens", 5), "does not exist"),
        (("llama-3.1-8b",), "Missing option '--tokens'"),
    ):
        code, out, err = itda("plan", *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert said in err
        assert err.count("\n") == 1


def test_help_loads_no_torch() -> None:
    program = (
        "import sys\nfrom itda_core.cli.main import main\n"
        "try:\n    main(['plan', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
