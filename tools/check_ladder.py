#!/usr/bin/env python3
"""Holds the tree to the rules of its layout and prints what breaks them, a line `path:line: what`.

    tools/check_ladder.py [TREE]

LADDER below is the one table of rungs. A file of src/ may include files of its own folder and of
lower rungs; outside libraries that must not meet are kept to the rungs that may see them. The
script also looks at sizes and at marks of unfinished work. Exit: 0 clean, 1 findings, 2 no tree.
"""
import re
import sys
from pathlib import Path

# From the lowest rung. Folders on one line stand side by side and may not include each other.
COMMON_GROUND = [
    ["core"],
    ["cli", "plot"],
    ["tokenizer", "checkpoint", "hub"],
    ["config"],
    ["monarch"],
    ["kernels"],
    ["documents"],
    ["ranking", "data"],
    ["evaluation"],
]
ENGINE = [["ops"], ["layers"], ["models"], ["inference"], ["embedding"], ["index"], ["serve"], ["library", "apps/m2"]]
TRAINING = [["torch_ops"], ["train"], ["apps/m2_train"]]


def heights(*stacks):
    """Folder to height, of stacks that stand on one another."""
    levels = [level for stack in stacks for level in stack]
    return {folder: height for height, level in enumerate(levels) for folder in level}


COMMON = heights(COMMON_GROUND)
ENGINE_HEIGHTS = heights(COMMON_GROUND, ENGINE)
TRAINING_HEIGHTS = heights(COMMON_GROUND, TRAINING)
RUNGS = ENGINE_HEIGHTS | TRAINING_HEIGHTS
TORCH_RUNGS = {folder for level in TRAINING for folder in level}

MAX_LINES = 500
GENERATED = "unicode_tables"  # in a file's name
CPP = {".cpp", ".h", ".hpp", ".c", ".cu", ".cuh"}
SCRIPTS = {".py", ".sh"}
NOT_OURS = {"__pycache__", ".venv"}  # folders
BUILD_FILES = {"CMakeLists.txt", "CMakePresets.json", "Makefile"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")
DNNL = re.compile(r"^(oneapi/dnnl/|dnnl)")
LOGGING = re.compile(r"^(spdlog|fmt)/")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b|^\s*#\s*if\s+0\b")
OPENMP = re.compile(r"^\s*#\s*pragma\s+omp\b|\bomp_\w+")
FLAGS = re.compile(r"-march=native|-mtune=native|-ffast-math|-Ofast|-funsafe-math-optimizations")


def rung_of(path):
    """The rung of a path below src/, or None: 'apps/m2' for 'apps/m2/embed.cpp'."""
    parts = path.split("/")[:-1]
    for size in (2, 1):
        if "/".join(parts[:size]) in RUNGS:
            return "/".join(parts[:size])
    return None


def may_include(rung, other):
    if rung == other:
        return True
    for table in (ENGINE_HEIGHTS, TRAINING_HEIGHTS):
        if rung in table and other in table:
            return table[other] < table[rung]
    return False  # one is of the engine, the other of training


def knows_dnnl(path):
    return path.startswith("ops/gemm/") or path.startswith("ops/gemm.")


def check_outside_include(path, rung, name):
    """What is wrong with <name> in src/path, or None."""
    if DNNL.match(name) and not knows_dnnl(path):
        return f"includes <{name}>: only ops/gemm knows oneDNN"
    if TORCH.match(name) and rung not in TORCH_RUNGS:
        return f"includes <{name}>: only {', '.join(sorted(TORCH_RUNGS))} know torch"
    if name == "omp.h":
        return "includes <omp.h>: threads are core/threads, the code has no OpenMP"
    if LOGGING.match(name) and path.endswith(".h") and rung in COMMON:
        return f"a header of the common ground includes <{name}>, which torch's own copy would shadow"
    return None


def check_own_include(path, rung, name):
    """What is wrong with "name" in src/path, or None."""
    if "/" not in name or name.startswith("."):
        return f'includes "{name}": includes start at src/, as in "{rung}/{Path(name).name}"'
    other = rung_of(name)
    if other is None:
        return f'includes "{name}": its folder is no rung of the ladder'
    if not may_include(rung, other):
        return f'includes "{name}": {rung} does not stand above {other}'
    return None


def check_source(path, lines):
    """Findings (line, what) of a C++ file at src/path, includes and OpenMP."""
    rung = rung_of(path)
    if rung is None:
        yield 1, "its folder is no rung of the ladder (tools/check_ladder.py has the table)"
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            quote, name = match.groups()
            outside = DNNL.match(name) or TORCH.match(name) or LOGGING.match(name) or name == "omp.h"
            if quote == "<" or outside:
                what = check_outside_include(path, rung, name)
            else:
                what = check_own_include(path, rung, name)
            if what:
                yield number, what
        elif OPENMP.search(without_comment(line, "//")) and not knows_dnnl(path):
            yield number, "uses OpenMP: threads are core/threads (ops/gemm alone sets oneDNN's count)"


def check_facade(lines):
    """Findings of a header of include/, which may show nothing private."""
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match is None:
            continue
        quote, name = match.groups()
        if quote == '"' and not name.startswith("m2/"):
            yield number, f'the public header includes the private "{name}"'
        elif TORCH.match(name) or DNNL.match(name) or LOGGING.match(name) or name.startswith("cuda"):
            yield number, f"the public header includes <{name}>"


def without_comment(line, mark):
    return line.split(mark, 1)[0]


def check_hygiene(path, lines):
    """Findings of any file of ours: size, unfinished work, flags that change what numbers mean."""
    name = Path(path).name
    if len(lines) >= MAX_LINES and GENERATED not in name:
        yield MAX_LINES, f"has {len(lines)} lines; files stay under {MAX_LINES}"
    cpp = Path(path).suffix in CPP
    build = name in BUILD_FILES or Path(path).suffix == ".cmake"
    for number, line in enumerate(lines, 1):
        if (cpp or build) and UNFINISHED.search(line):
            yield number, f"unfinished work or switched-off code: {line.strip()[:60]}"
        if cpp or build:
            match = FLAGS.search(without_comment(line, "#" if build else "//"))
            if match:
                yield number, f"{match.group()} makes the numbers depend on the compiler or the machine"


def ours(tree):
    """The files that the rules are for, relative to the tree, sorted."""
    for folder in ("src", "include", "tests", "bench", "examples", "tools", "cmake"):
        for file in sorted((tree / folder).rglob("*")):
            known = file.suffix in CPP | SCRIPTS | {".cmake"} or file.name in BUILD_FILES
            if known and file.is_file() and not NOT_OURS & set(file.parts):
                yield file.relative_to(tree).as_posix()
    for name in sorted(BUILD_FILES):
        if (tree / name).is_file():
            yield name


def check_tree(tree):
    """All findings as (path, line, what)."""
    for path in ours(tree):
        lines = (tree / path).read_text(encoding="utf-8", errors="replace").splitlines()
        checks = [check_hygiene(path, lines)]
        if Path(path).suffix in CPP and path.startswith("src/"):
            checks.append(check_source(path.removeprefix("src/"), lines))
        if Path(path).suffix in CPP and path.startswith("include/"):
            checks.append(check_facade(lines))
        for check in checks:
            for number, what in check:
                yield path, number, what


def main():
    tree = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    if not (tree / "src").is_dir():
        print(f"{tree}: no src/ here", file=sys.stderr)
        return 2
    findings = list(check_tree(tree))
    for path, number, what in findings:
        print(f"{path}:{number}: {what}")
    files = len(list(ours(tree)))
    print(f"ladder: {files} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
