"""What the tests of the clients ask for, and how vectors are compared."""

import numpy

NAME = "togethercomputer/m2-bert-80M-32k-retrieval"
KEY = "a-key-of-the-tests"
TEXTS = ["The gate was open.", "a", "She said: naïve café, 東京!", "The gate was shut, and nobody came. " * 4]


def check_bits(found, expected):
    """Numbers as a client gives them, read as float32: the vectors to the bit."""
    found = numpy.array(found, dtype=numpy.float32)
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()
