"""tools/check_ladder.py finds each kind of violation, and nothing in a clean tree."""
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "check_ladder.py"

CLEAN = {
    "CMakeLists.txt": "# No -march=native here.\nproject(m2)\n",
    "include/m2/m2.h": '#include <string>\n#include "m2/version.h"\n',
    "src/core/log.h": "#include <string>\n",
    "src/core/log.cpp": '#include "core/log.h"\n\n#include <spdlog/spdlog.h>\n',
    "src/config/config.h": '#include "checkpoint/json.h"\n#include "core/log.h"\n',
    "src/kernels/cpu/gelu.cpp": '#include <hwy/highway.h>\n#include "kernels/cpu/gelu-inl.h"\n',
    "src/ops/gemm/gemm.cpp": '#include <dnnl.hpp>\n#include "core/log.h"\nextern "C" void omp_set_num_threads(int);\n',
    "src/apps/m2/main.cpp": '#include "serve/server.h"\n#include "apps/m2/embed.h"\n',
    "src/torch_ops/ops.cpp": '#include <torch/library.h>\n#include "kernels/cpu/gelu-inl.h"\n',
    "src/apps/m2_train/main.cpp": '#include "train/loop.h"\n',
    "src/tokenizer/unicode_tables.cpp": "\n" * 600,
    "tests/core/log_test.cpp": "// about omp_get_max_threads\n" + "\n" * 498,
}

# What is wrong: path, text, the line it must be found at, a word of the finding.
VIOLATIONS = {
    "upward": ("src/core/a.cpp", '\n#include "ops/gelu.h"\n', 2, "does not stand above"),
    "upward from the common ground to training": (
        "src/data/a.cpp", '#include "train/loop.h"\n', 1, "does not stand above"),
    "sideways": ("src/tokenizer/a.h", '#include "checkpoint/json.h"\n', 1, "does not stand above"),
    "sideways at the bottom": ("src/plot/a.h", '#include "cli/bar.h"\n', 1, "does not stand above"),
    "engine from training": ("src/train/a.cpp", '#include "ops/gelu.h"\n', 1, "does not stand above"),
    "training from the engine": (
        "src/serve/a.cpp", '#include "torch_ops/ops.h"\n', 1, "does not stand above"),
    "a program from a program": (
        "src/apps/m2/a.cpp", '#include "apps/m2_train/a.h"\n', 1, "does not stand above"),
    "spaces in the directive": (
        "src/core/a.cpp", '  #  include   "layers/norm.h"\n', 1, "does not stand above"),
    "relative": ("src/core/a.cpp", '#include "log.h"\n', 1, "start at src/"),
    "relative upward": ("src/core/a.cpp", '#include "../ops/gelu.h"\n', 1, "start at src/"),
    "unknown folder included": ("src/core/a.cpp", '#include "util/a.h"\n', 1, "no rung"),
    "unknown folder": ("src/util/a.cpp", "int a;\n", 1, "no rung"),
    "file outside a rung": ("src/a.cpp", "int a;\n", 1, "no rung"),
    "oneDNN outside gemm": ("src/ops/gelu.cpp", "#include <dnnl.hpp>\n", 1, "oneDNN"),
    "oneDNN in quotes": ("src/layers/a.h", '#include "oneapi/dnnl/dnnl.h"\n', 1, "oneDNN"),
    "oneDNN in training": ("src/train/a.cpp", "#include <dnnl.h>\n", 1, "oneDNN"),
    "torch in the engine": ("src/models/a.cpp", "#include <torch/torch.h>\n", 1, "know torch"),
    "ATen in the common ground": ("src/kernels/a.h", "#include <ATen/ATen.h>\n", 1, "know torch"),
    "spdlog in a low header": ("src/core/a.h", "#include <spdlog/spdlog.h>\n", 1, "common ground"),
    "fmt in a low header": ("src/evaluation/a.h", "#include <fmt/format.h>\n", 1, "common ground"),
    "omp.h": ("src/ops/gemm/a.cpp", "#include <omp.h>\n", 1, "OpenMP"),
    "omp pragma": ("src/kernels/a.cpp", "\n\n#pragma omp parallel for\n", 3, "OpenMP"),
    "omp call": ("src/core/a.cpp", "int n = omp_get_max_threads();\n", 1, "OpenMP"),
    "private header in the facade": ("include/m2/a.h", '#include "core/log.h"\n', 1, "private"),
    "torch in the facade": ("include/m2/a.h", "#include <torch/torch.h>\n", 1, "public header"),
    "too long": ("src/core/a.cpp", "int a;\n" * 500, 500, "lines"),
    "too long a script": ("tools/a.py", "a = 1\n" * 700, 500, "lines"),
    "to do": ("src/core/a.cpp", "\n// TODO: later\n", 2, "unfinished"),
    "fix me in a test": ("tests/core/a_test.cpp", "// FIXME\n", 1, "unfinished"),
    "switched off": ("src/core/a.h", "int a;\n#if 0\nint b;\n#endif\n", 2, "switched-off"),
    "native": ("cmake/a.cmake", "add_compile_options(-march=native)\n", 1, "-march=native"),
    "fast math": ("CMakePresets.json", '{"CMAKE_CXX_FLAGS": "-ffast-math"}\n', 1, "-ffast-math"),
    "fast math in a source": (
        "src/core/a.cpp", '#pragma GCC optimize("-ffast-math")\n', 1, "-ffast-math"),
}


def write(tree, files):
    for path, text in files.items():
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def run(tree):
    return subprocess.run([sys.executable, SCRIPT, tree], capture_output=True, text=True, check=False)


def test_a_clean_tree_has_no_findings(tmp_path):
    write(tmp_path, CLEAN)
    result = run(tmp_path)
    assert result.returncode == 0, result.stdout
    assert "0 findings" in result.stdout


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_is_found_alone_and_at_its_line(tmp_path, name):
    path, text, line, word = VIOLATIONS[name]
    write(tmp_path, CLEAN | {path: text})
    result = run(tmp_path)
    assert result.returncode == 1
    *findings, _ = result.stdout.splitlines()
    assert len(findings) == 1, findings
    assert findings[0].startswith(f"{path}:{line}: ")
    assert word in findings[0]


def test_a_folder_that_is_no_tree_is_an_error(tmp_path):
    assert run(tmp_path).returncode == 2


def test_this_tree_is_clean():
    result = run(ROOT)
    assert result.returncode == 0, result.stdout
