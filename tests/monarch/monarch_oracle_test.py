"""Monarch matrices against numpy: the DFT, singular values, projections and rectangular products.

Needs the program tests/monarch/monarch_probe of the build directory (M2_BUILD_DIR, by default
build/release).
"""

import os
import pathlib
import subprocess

import numpy
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROBE = ROOT / os.environ.get("M2_BUILD_DIR", "build/release") / "tests/monarch/monarch_probe"


def probe(command, sizes, *arrays):
    words = [PROBE, command, *map(str, sizes)]
    done = subprocess.run(words, input=b"".join(a.tobytes() for a in arrays), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def random_array(seed, *shape, dtype=complex):
    random = numpy.random.default_rng(seed)
    real = random.standard_normal(shape)
    return real + 1j * random.standard_normal(shape) if dtype is complex else real


def error(found, expected):
    return numpy.linalg.norm(found - expected) / numpy.linalg.norm(expected)


@pytest.mark.parametrize("radices", [[1], [2], [3], [17], [4, 4], [3, 7], [2, 3, 5], [2] * 10, [16, 16, 16]])
def test_dft(radices):
    x = random_array(1, numpy.prod(radices))
    found = numpy.frombuffer(probe("dft", radices, x), dtype=complex)
    assert error(found, numpy.fft.fft(x)) < 1e-14
    if len(x) > 2:  # as long as the inverse is another matrix
        assert error(found, numpy.fft.ifft(x) * len(x)) > 0.1


@pytest.mark.parametrize("rows, columns", [(1, 1), (1, 4), (5, 2), (3, 8), (32, 32)])
def test_singular_values(rows, columns):
    a = random_array(2, rows, columns)
    found = numpy.frombuffer(probe("values", [rows, columns], a))
    expected = numpy.linalg.svd(a, compute_uv=False)
    assert numpy.abs(found - expected).max() < 1e-13 * expected[0]


def shape_blocks(shape, axis):
    """For each block of a factor, the numbers that it reads (axis 1) or writes (axis 2), in order."""
    outer, inner = shape[0], shape[3]
    numbers = numpy.arange(outer * shape[axis] * inner).reshape(outer, shape[axis], inner)
    return numbers.transpose(0, 2, 1).reshape(outer * inner, -1)


def nearest(a, first, second):
    """Block by block: numpy's SVD cut to as many triples as both blocks share middle numbers."""
    result = numpy.zeros_like(a)
    for reads, rows in zip(shape_blocks(second, 1), shape_blocks(second, 2)):
        for columns, writes in zip(shape_blocks(first, 1), shape_blocks(first, 2)):
            rank = len(set(reads) & set(writes))
            u, s, v = numpy.linalg.svd(a[numpy.ix_(rows, columns)], full_matrices=False)
            result[numpy.ix_(rows, columns)] = (u[:, :rank] * s[:rank]) @ v[:rank]
    return result


SHAPES = [
    ((4, 4, 4, 1), (1, 4, 4, 4)),  # square, order 2
    ((3, 5, 5, 1), (1, 3, 3, 5)),
    ((1, 7, 7, 1), (1, 7, 7, 1)),
    ((3, 2, 4, 1), (1, 3, 5, 4)),  # rectangular
    ((2, 5, 9, 1), (1, 6, 4, 3)),  # three middle numbers a pair
    ((6, 3, 2, 1), (1, 3, 5, 4)),  # none, or one
    ((2, 5, 6, 1), (1, 3, 5, 4)),  # one, or two
    ((1, 9, 2, 1), (1, 2, 8, 1)),  # low rank
    ((2, 3, 4, 5), (4, 5, 3, 2)),  # both strided
]


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("first, second", SHAPES)
def test_projection(first, second, dtype):
    rows, columns = second[0] * second[2] * second[3], first[0] * first[1] * first[3]
    a = random_array(3, rows, columns, dtype=dtype)
    output = probe("project-real" if dtype is float else "project-complex", [*first, *second], a)
    found = numpy.frombuffer(output[:-8], dtype=dtype).reshape(rows, columns)
    distance = numpy.frombuffer(output[-8:])[0]
    expected = nearest(a, first, second)
    assert error(found, expected) < 1e-13
    assert abs(distance - numpy.linalg.norm(a - expected)) < 1e-12 * numpy.linalg.norm(a)


def test_projecting_another_way_round_is_noticed():
    first, second = (3, 5, 5, 1), (1, 3, 3, 5)
    a = random_array(4, 15, 15)
    other = nearest(a.T, first, second).T
    assert error(nearest(a, first, second), other) > 0.1


@pytest.mark.parametrize("sizes", [(3, 4, 2, 4, 5, 3), (2, 9, 5, 6, 2, 3), (1, 1, 1, 1, 1, 1), (7, 3, 5, 21, 1, 1)])
@pytest.mark.parametrize("columns", [1, 3])
def test_rectangular_product(sizes, columns):
    k, q, p, l, s, r = sizes
    w1, w2 = random_array(5, k, q, p, dtype=float), random_array(6, l, s, r, dtype=float)
    x = random_array(7, k * p, columns, dtype=float)
    found = numpy.frombuffer(probe("rectangular", [*sizes, columns], w1, w2, x)).reshape(s * l, columns)
    middle = numpy.einsum("kqp,kpc->kqc", w1, x.reshape(k, p, columns)).reshape(r, l, columns)
    expected = numpy.einsum("lsr,rlc->slc", w2, middle).reshape(s * l, columns)
    assert error(found, expected) < 5e-7  # fp32: 6e-8·√9 and inputs rounded, for each factor
