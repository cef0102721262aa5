"""The installed library: what it shows, and that programs outside the tree find it each of the three ways."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
from m2_program import succeed

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples/library"
HEADERS = sorted((ROOT / "include/m2").iterdir())
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Wconversion", "-Wshadow", "-Werror"]


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, **options)
    assert done.returncode == 0, (command, done.stdout.decode(), done.stderr.decode())
    return done.stdout.decode()


@pytest.fixture
def outside(tmp_path):
    """A copy of the examples, away from the tree."""
    folder = tmp_path / "examples"
    shutil.copytree(EXAMPLES, folder)
    return folder


def check_programs(folder, model, environment=None):
    """Both programs print the very bytes of the command line, and nothing else; errors are told."""
    texts = ["The gate was open.", "naïve café, 東京"]
    environment = os.environ | (environment or {})
    for text in texts:
        done = subprocess.run([folder / "embed_c", model, text], capture_output=True, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == succeed("embed", "--model-id", model, text)
    done = subprocess.run([folder / "embed_cpp", model, *texts], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == succeed("embed", "--model-id", model, *texts)
    for program in ("embed_c", "embed_cpp"):
        done = subprocess.run([folder / program, "no-such-model", "text"], capture_output=True, env=environment)
        assert done.returncode != 0 and done.stdout == b""
        assert done.stderr.startswith(b"embed: error: ") and done.stderr.count(b"\n") == 1


# What it shows


def test_public_symbols_alone(prefix):
    shown = [line.split()[-1] for line in run("nm", "-D", "--defined-only", prefix / "lib/libm2.so").splitlines()]
    declared = set()
    for header in HEADERS:
        if header.suffix == ".h":
            declared |= set(re.findall(r"M2_API[^;(]*?\b(m2_\w+)\(", header.read_text()))
    assert sorted(shown) == sorted(declared)
    assert len(shown) > 15


def test_its_name_and_what_it_needs(prefix):
    dynamic = run("readelf", "-d", prefix / "lib/libm2.so")
    assert re.findall(r"\(SONAME\).*\[(.+)\]", dynamic) == ["libm2.so.0"]
    assert (prefix / "lib/libm2.so").resolve().name == "libm2.so.0.1.0"
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic)
    assert not [name for name in needed if re.match(r"lib(torch|c10|spdlog|fmt)", name)]
    assert not re.search(r"\((RPATH|RUNPATH)\)", dynamic)


def test_what_is_installed(prefix):
    files = {path.relative_to(prefix).as_posix() for path in prefix.rglob("*") if path.is_file()}
    assert {f"include/m2/{header.name}" for header in HEADERS} <= files
    assert {"bin/m2", "lib/libm2.so.0.1.0", "lib/pkgconfig/m2.pc", "lib/cmake/m2/m2-config.cmake"} <= files
    for path in (path for path in prefix.rglob("*") if path.suffix in (".cmake", ".pc")):
        assert str(ROOT) not in path.read_text(), path  # may be moved, and to another machine
    version = run(prefix / "bin/m2", "--version")
    assert version.strip() == "m2 0.1.0"


# What its headers ask of a compiler


@pytest.mark.parametrize("header", [h.name for h in HEADERS if h.suffix == ".h"])
def test_a_c_header_stands_alone_in_c99(prefix, tmp_path, header):
    source = tmp_path / "alone.c"
    source.write_text(f"#include <m2/{header}>\n#include <m2/{header}>\nint main(void) {{ return 0; }}\n")
    for compiler in ("gcc", "clang"):
        if shutil.which(compiler):
            run(compiler, "-std=c99", *STRICT, "-Wstrict-prototypes", f"-I{prefix}/include", "-fsyntax-only", source)


def test_the_wrapper_is_cpp17_in_several_files(prefix, tmp_path):
    (tmp_path / "a.cpp").write_text("#include <m2/m2.hpp>\nint other();\nint main() { return other(); }\n")
    (tmp_path / "b.cpp").write_text(
        "#include <m2/m2.hpp>\nint other();\nint other() { m2::set_log({}); return m2_version()[0] == '0' ? 0 : 1; }\n")
    for compiler in ("g++", "clang++"):
        if shutil.which(compiler):
            run(compiler, "-std=c++17", *STRICT, "-Wold-style-cast", f"-I{prefix}/include", tmp_path / "a.cpp",
                tmp_path / "b.cpp", f"-L{prefix}/lib", "-lm2", f"-Wl,-rpath,{prefix}/lib", "-o", tmp_path / "a")
            run(tmp_path / "a")


def names_of(text):
    """Types and functions that a C++ text declares in no class: those that begin a line."""
    types = re.findall(r"^(?:class|struct|enum class|enum|using) (?:M2_API )?(\w+)", text, re.M)
    functions = re.findall(r"^(?!using|return|namespace|class|struct)[A-Za-z][\w:<>,&* ]*?[ &*](\w+)\(", text, re.M)
    return set(types) | set(functions)


def test_no_public_cpp_name_is_one_of_the_inside():
    public = names_of((ROOT / "include/m2/m2.hpp").read_text())
    assert {"EmbeddingModel", "EmbeddingSession", "Exception", "EmbedSettings", "set_log"} <= public
    inside = set()
    for path in (path for path in (ROOT / "src").rglob("*") if path.suffix in (".h", ".cpp")):
        inside |= names_of(path.read_text())
    assert {"Session", "Embedder", "Model", "set_log_sink"} <= inside
    assert not public & inside


# The three ways


def test_pkg_config(prefix, outside, model):
    environment = os.environ | {"PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    run("make", "-C", outside / "pkg_config", env=environment)
    check_programs(outside / "pkg_config", model)
    assert run("pkg-config", "--modversion", "m2", env=environment).strip() == "0.1.0"


def test_find_package(prefix, outside, model):
    run("cmake", "-S", outside / "find_package", "-B", outside / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", outside / "build")
    check_programs(outside / "build", model)


@pytest.mark.parametrize("wanted, found", [("0.1", True), ("0.2", False), ("1.0", False)])
def test_find_package_heeds_the_version(prefix, tmp_path, wanted, found):
    (tmp_path / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.20)\nproject(p NONE)\nfind_package(m2 {wanted} QUIET)\n"
        'message(STATUS "found: ${m2_FOUND}")\n')
    output = run("cmake", "-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}")
    assert f"found: {int(found)}" in output


PARENT = """\
cmake_minimum_required(VERSION 3.25)
project(parent LANGUAGES C CXX)
add_subdirectory(${M2_SOURCE} m2 %s)
add_library(mine SHARED mine.cpp)
target_link_libraries(mine PRIVATE m2::m2)
foreach(name CMAKE_BUILD_TYPE CMAKE_CXX_STANDARD CMAKE_CXX_VISIBILITY_PRESET
    CMAKE_POSITION_INDEPENDENT_CODE CMAKE_CXX_FLAGS)
  message(STATUS "${name}=[${${name}}]")
endforeach()
get_property(options DIRECTORY PROPERTY COMPILE_OPTIONS)
message(STATUS "options=[${options}]")
get_property(all DIRECTORY ${M2_SOURCE} PROPERTY TESTS)
message(STATUS "tests=[${all}]")
"""


def configure_parent(folder, source_options=""):
    (folder / "CMakeLists.txt").write_text(PARENT % source_options)
    (folder / "mine.cpp").write_text("#include <m2/m2.hpp>\nint mine() { return m2_version()[0]; }\n")
    return run("cmake", "-S", folder, "-B", folder / "b", "-G", "Ninja", f"-DM2_SOURCE={ROOT}",
               "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")


def test_a_parent_project_is_left_as_it_was(tmp_path):
    output = configure_parent(tmp_path)
    for name in ("CMAKE_BUILD_TYPE", "CMAKE_CXX_STANDARD", "CMAKE_CXX_VISIBILITY_PRESET",
                 "CMAKE_POSITION_INDEPENDENT_CODE", "CMAKE_CXX_FLAGS", "options", "tests"):
        assert f"{name}=[]" in output, output
    commands = (tmp_path / "b/compile_commands.json").read_text()
    mine = re.search(r'"command": "([^"]*mine\.cpp[^"]*)"', commands).group(1)
    assert f"{ROOT}/include" in mine
    for flag in ("-Werror", "-Wall", "-std=", "-ffp-contract", "-fvisibility", f"{ROOT}/src", "dnnl", "hwy"):
        assert flag not in mine
    ours = re.search(r'"command": "([^"]*session\.cpp[^"]*)"', commands).group(1)
    assert "-Werror" not in ours and "-O3" in ours
    targets = run("ninja", "-C", tmp_path / "b", "-t", "targets", "all")
    assert "library_test" not in targets and "apps/m2" not in targets and "libm2.so" in targets


def test_a_parent_project_installs_nothing_of_ours(tmp_path):
    configure_parent(tmp_path)
    script = (tmp_path / "b/m2/cmake_install.cmake").read_text()
    assert "libm2" not in script and "include/m2" not in script


@pytest.mark.slow  # compiles the library: 10 s where ccache has it, else minutes
def test_add_subdirectory(outside, model):
    ccache = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    run("cmake", "-S", outside / "add_subdirectory", "-B", outside / "build", "-G", "Ninja", f"-DM2_SOURCE={ROOT}",
        "-DM2_WARNINGS_AS_ERRORS=ON", *ccache)  # as this tree is built, for the cache
    run("cmake", "--build", outside / "build", "-j", "2")
    check_programs(outside / "build", model)
