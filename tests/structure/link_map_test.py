"""What the built programs are linked with: m2 with oneDNN and never torch, m2-train with torch and never the system's
oneDNN. Needs M2_BUILD_DIR."""
import os
import re
import subprocess
from pathlib import Path

import pytest

FORBIDDEN = re.compile(r"lib(torch|c10|caffe2|at_)")


def needed(readelf_output):
    """The libraries that a program names itself."""
    return re.findall(r"\(NEEDED\).*\[(.+)\]", readelf_output)


def loaded(ldd_output):
    """The libraries that are loaded with it, directly or not."""
    return [line.split()[0] for line in ldd_output.splitlines() if line.strip()]


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def program():
    path = Path(os.environ.get("M2_BUILD_DIR", "build/release")) / "m2"
    if not path.is_file():
        pytest.skip(f"{path} is not built")
    return str(path)


def test_the_program_links_onednn(program):
    assert any(name.startswith("libdnnl.so") for name in needed(output_of("readelf", "-d", program)))


def test_the_program_loads_all_it_needs_and_no_torch(program):
    output = output_of("ldd", program)
    assert "not found" not in output
    assert [name for name in loaded(output) if FORBIDDEN.search(name)] == []


def test_the_trainer_loads_torch_and_no_onednn(program):
    trainer = program + "-train"
    if not os.path.exists(trainer):
        pytest.skip("m2-train is not built")
    output = output_of("ldd", trainer)
    assert "not found" not in output
    names = loaded(output)
    assert "libtorch_cpu.so" in names and "libm2_torch_ops.so" in names
    assert [name for name in names if name.startswith("libdnnl")] == []


def test_a_program_with_torch_would_be_seen():
    ldd = "\tlibtorch_cpu.so => /usr/lib/libtorch_cpu.so (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n"
    assert [name for name in loaded(ldd) if FORBIDDEN.search(name)] == ["libtorch_cpu.so"]
    readelf = " 0x0001 (NEEDED)   Shared library: [libc10.so]\n 0x0001 (NEEDED)   Shared library: [libc.so.6]\n"
    assert [name for name in needed(readelf) if FORBIDDEN.search(name)] == ["libc10.so"]
