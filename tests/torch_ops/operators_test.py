"""The operators on the project's kernels (fp32) against the same in float64 by libtorch's own FFT and GEMMs, and
that against expressions written down here; gradients by finite differences."""

import os
import pathlib
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

# Values and gradients in relative L2. An fp32 transform loses eps·sqrt(log2 N), eps = 6e-8, three or four times over:
# below 1e-6; sums over texts and rows are of as many random signs and add less.
BOUND = 1e-6


def numbers(*shape, seed=0):
    """Random float64 numbers that float32 holds exactly."""
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator).double()


def with_gradients(function, tensors, dtype, seed=1):
    """The value and the gradients of a weighted sum of it, for all tensors that are not None."""
    leaves = [None if t is None else t.detach().to(dtype, copy=True).requires_grad_() for t in tensors]
    value = function(*leaves)
    (value * numbers(*value.shape, seed=seed).to(dtype)).sum().backward()
    unused = [torch.zeros_like(t) if t is not None and t.grad is None else None for t in leaves]
    return [value.detach()] + [u if u is not None else t.grad for t, u in zip(leaves, unused) if t is not None]


def worst(found, expected):
    assert len(found) == len(expected)
    return max(((a.double() - b).norm() / b.norm().clamp_min(0.1)).item() for a, b in zip(found, expected))


def compare(function, *tensors, plain=None):
    """The worst relative error of fp32 against float64, of `plain` if given."""
    return worst(with_gradients(function, tensors, torch.float32),
                 with_gradients(plain or function, tensors, torch.float64))


def convolved(x, taps, reverse_taps, bias):
    """long(x; f) of the header by its sums, O(L²)."""
    length = x.shape[1]
    rows = []
    for t in range(length):
        row = bias * x[:, t]
        for s in range(length):
            if s <= t:
                row = row + taps[t - s] * x[:, s]
            elif reverse_taps is not None:
                row = row + reverse_taps[s - t - 1] * x[:, s]
        rows.append(row)
    return torch.stack(rows, dim=1)


def written_down(x1, x2, v, taps, reverse, bias, u=None, taps2=None, reverse2=None, bias2=None, lengths=None):
    inside = torch.ones(x1.shape[:2], dtype=x1.dtype)
    if lengths is not None:
        inside = (torch.arange(x1.shape[1]) < lengths[:, None]).to(x1.dtype)
    inside = inside.unsqueeze(2)
    y = x2 * convolved(x1 * v * inside, taps, reverse, bias)
    if u is not None:
        y = y + convolved(u * inside, taps2, reverse2, bias2)
    return y * inside


def case(texts, length, width, both, residual, taps=None):
    taps = taps or length
    tensors = [numbers(texts, length, width, seed=i) for i in range(3)]
    filters = [numbers(taps, width, seed=3), numbers(taps, width, seed=4) if both else None, numbers(width, seed=5)]
    second = [numbers(texts, length, width, seed=6), numbers(taps, width, seed=7),
              numbers(taps, width, seed=8) if both else None, numbers(width, seed=9)]
    return tensors + filters + (second if residual else [None] * 4)


@pytest.mark.parametrize("both", [True, False], ids=["both", "causal"])
@pytest.mark.parametrize("residual", [True, False], ids=["pair", "one"])
@pytest.mark.parametrize("texts, length, width", [(2, 1, 3), (1, 2, 16), (3, 7, 20), (2, 127, 33), (1, 129, 70)])
def test_long_conv(operators, texts, length, width, both, residual):
    tensors = case(texts, length, width, both, residual)
    assert compare(operators.long_conv, *tensors) < BOUND
    if length < 10:
        assert compare(operators.long_conv, *tensors, plain=written_down) < BOUND


def test_long_conv_of_texts_of_several_lengths(operators):
    lengths = torch.tensor([9, 1, 5])
    tensors = case(3, 9, 20, True, True, taps=12)

    def operator(*t):
        return operators.long_conv(*t, lengths)

    def plain(*t):
        return written_down(*t, lengths=lengths)
    assert compare(operator, *tensors) < BOUND
    assert compare(operator, *tensors, plain=plain) < BOUND
    assert compare(operators.long_conv, *tensors, plain=plain) > 0.1  # pads that are mixed in


def test_a_text_of_no_rows_and_lengths_with_a_stride(operators):
    lengths = torch.tensor([4, 9, 0, 9])[::2]
    tensors = case(2, 9, 20, True, True)
    assert compare(lambda *t: operators.long_conv(*t, lengths), *tensors,
                   plain=lambda *t: written_down(*t, lengths=lengths)) < BOUND


def test_thirds_of_one_tensor(operators):
    tensors = case(2, 33, 24, True, True)

    def operator(p, *rest):
        return operators.long_conv(*p.chunk(3, -1), *rest)
    assert compare(operator, torch.cat(tensors[:3], -1), *tensors[3:]) < BOUND


def test_without_gradients_the_same_bits(operators):
    tensors = [t.float() for t in case(2, 65, 40, True, True)]
    with torch.no_grad():
        alone = operators.long_conv(*tensors)
    tensors[0].requires_grad_()
    assert torch.equal(operators.long_conv(*tensors).detach(), alone)


@pytest.mark.parametrize("threads", [1, 3])
def test_bits_do_not_depend_on_threads(operators, threads):
    tensors = case(3, 50, 200, True, True)

    def run():
        return with_gradients(operators.long_conv, tensors, torch.float32)
    before = torch.get_num_threads()
    expected = run()
    torch.set_num_threads(threads)
    try:
        assert all(torch.equal(a, b) for a, b in zip(run(), expected))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("texts, length, channels", [(1, 1, 1), (2, 2, 3), (3, 7, 40), (2, 129, 300), (1, 50, 513)])
def test_short_conv(operators, texts, length, channels):
    def plain(x, weight, bias):
        y = torch.nn.functional.conv1d(x.transpose(1, 2), weight, bias, padding=2, groups=channels)
        return y[..., :length].transpose(1, 2)
    tensors = [numbers(texts, length, channels), numbers(channels, 1, 3, seed=1), numbers(channels, seed=2)]
    assert compare(operators.short_conv, *tensors, plain=plain) < BOUND
    swapped = [tensors[0], tensors[1].flip(2), tensors[2]]
    assert worst(with_gradients(operators.short_conv, swapped, torch.float32)[:1],
                 with_gradients(plain, tensors, torch.float64)[:1]) > 0.1


@pytest.mark.parametrize("shape", [(2,), (3, 7, 34), (64, 600)], ids=str)
def test_gelu_gate(operators, shape):
    def plain(h):
        left, right = h.chunk(2, -1)
        return torch.nn.functional.gelu(left) * right
    assert compare(operators.gelu_gate, numbers(*shape), plain=plain) < BOUND


def test_gelu_gate_drops_within(operators):
    """To the bit what dropout behind it gives, values and gradients, and in any cut of the rows."""
    h = [numbers(2, 9, 66)]

    def within(t):
        return operators.gelu_gate(t, 0.25, 7, 3)

    def behind(t):
        return operators.counter_dropout(operators.gelu_gate(t), 0.25, 7, 3)
    found, expected = (with_gradients(f, h, torch.float32) for f in (within, behind))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert not torch.equal(found[0], operators.gelu_gate(h[0].float(), 0.25, 8, 3))
    assert torch.equal(operators.gelu_gate(h[0][1].float(), 0.25, 7, 3 + 9), found[0][1])
    assert compare(within, *h) < BOUND


def dense(weight, inputs, outputs):
    return torch.block_diag(*weight)[:outputs, :inputs]


@pytest.fixture(params=[1, 2, 3], ids=lambda count: f"{count} threads")
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("inputs, outputs, blocks", [(12, 12, 4), (10, 9, 4), (5, 3, 4), (6, 5, 4), (64, 128, 4), (7, 30, 1)])
def test_block_diagonal_linear(operators, inputs, outputs, blocks):
    p, q = -(-outputs // blocks), -(-inputs // blocks)

    def operator(x, weight, bias):
        return operators.block_diagonal_linear(x, weight, bias, outputs)

    def plain(x, weight, bias):
        return torch.nn.functional.linear(x, dense(weight, inputs, outputs), bias)
    tensors = [numbers(2, 5, inputs), numbers(blocks, p, q, seed=1), numbers(outputs, seed=2)]
    assert compare(operator, *tensors, plain=plain) < BOUND


def test_gated_mlp(operators):
    width, intermediate, blocks = 10, 22, 4
    tensors = [numbers(2, 3, width), numbers(blocks, 11, 3, seed=1), numbers(blocks, 3, 6, seed=2), numbers(width, seed=3)]

    def operator(*t):
        return operators.gated_mlp(*t, intermediate)

    def plain(x, gated, wo, bias):
        left, right = (x @ dense(gated, width, 2 * intermediate).T).chunk(2, -1)
        return torch.nn.functional.gelu(left) * right @ dense(wo, intermediate, width).T + bias
    assert compare(operator, *tensors, plain=plain) < BOUND


def test_gradients_by_finite_differences(operators):
    """In float64: what the fp32 kernels are held to is itself right."""
    def leaves(*tensors):
        return [None if t is None else t.requires_grad_() for t in tensors]
    check = torch.autograd.gradcheck
    for both, residual in ((True, True), (False, True), (True, False)):
        assert check(operators.long_conv, leaves(*case(2, 3, 3, both, residual)))
    lengths = torch.tensor([3, 1])
    assert check(lambda *t: operators.long_conv(*t, lengths), leaves(*case(2, 3, 3, True, True, taps=4)))
    assert check(operators.short_conv, leaves(numbers(2, 4, 3), numbers(3, 1, 3), numbers(3)))
    assert check(operators.gelu_gate, leaves(numbers(3, 10)))
    assert check(lambda *t: operators.block_diagonal_linear(*t, 7),
                 leaves(numbers(2, 10), numbers(4, 2, 3), numbers(7)))
    assert check(lambda *t: operators.gated_mlp(*t, 6), leaves(numbers(2, 4), numbers(2, 6, 2), numbers(2, 2, 3), numbers(4)))


def of_each_kernel(operators):
    """Each operator that has kernels of its own, as a function of its first operand, and that operand."""
    taps, weight = numbers(3, 4, seed=1), numbers(4, 1, 3)
    return {
        "long_conv": (lambda x: operators.long_conv(x, x, x, taps.to(x), None, taps[0].to(x)), numbers(2, 3, 4)),
        "short_conv": (lambda x: operators.short_conv(x, weight.to(x), taps[0].to(x)), numbers(2, 3, 4)),
        "gelu_gate": (operators.gelu_gate, numbers(2, 4)),
        "block_diagonal_linear": (lambda x: operators.block_diagonal_linear(x, weight.to(x), None, 4), numbers(2, 12)),
    }


@pytest.mark.parametrize("name", ["long_conv", "short_conv", "gelu_gate", "block_diagonal_linear"])
def test_second_derivatives_are_right_or_refused(operators, name):
    """A gradient penalty that lacks the kernel's part is a wrong number, not an error."""
    function, x = of_each_kernel(operators)[name]
    assert torch.autograd.gradgradcheck(lambda x: function(x) ** 2, x.clone().requires_grad_())
    narrow = x.float().requires_grad_()
    value = (function(narrow) ** 2).sum() + (narrow ** 3).sum()
    with pytest.raises(RuntimeError, match=f"m2::{name}: has no second derivative in fp32; use float64"):
        torch.autograd.grad(value, narrow, create_graph=True)
    value = (function(narrow) ** 2).sum() + (narrow ** 3).sum()
    assert torch.autograd.grad(value, narrow)[0].isfinite().all()


def test_dropout_from_counters(operators):
    x = numbers(6, 40).float().requires_grad_()
    y = operators.counter_dropout(x, 0.25, 7, 0)
    kept = y != 0
    assert torch.equal(y[kept], (x * (1 / 0.75))[kept]) and 0.6 < kept.float().mean() < 0.9
    assert torch.equal(operators.counter_dropout(x[2:], 0.25, 7, 2), y[2:])
    assert not torch.equal(operators.counter_dropout(x, 0.25, 8, 0), y)
    y.sum().backward()
    assert torch.equal(x.grad != 0, kept)
    narrow = operators.counter_dropout(torch.ones(6, 40, dtype=torch.bfloat16), 0.1, 7, 0)
    assert narrow.max() == torch.tensor(1 / 0.9).bfloat16() and narrow.dtype == torch.bfloat16
    odd = torch.full((6, 40), 0.9).bfloat16()
    assert operators.counter_dropout(odd, 0.1, 7, 0).max() == (odd.float() * (1 / 0.9)).bfloat16()[0, 0]
    assert operators.counter_dropout(torch.ones(3, 0), 0.1, 7, 0).shape == (3, 0)


def test_autocast_keeps_the_convolution_in_fp32(operators):
    tensors = [t.float() for t in case(2, 20, 16, True, True)]
    expected = operators.long_conv(*tensors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(operators.long_conv(*tensors), expected)
        gated = operators.block_diagonal_linear(tensors[0], torch.ones(4, 4, 4), None, 16)
    assert gated.dtype == torch.bfloat16


def test_a_bias_does_not_widen_the_product(operators):
    """Under autocast as torch.nn.Linear; the bias and its sum are rounded to 8 bits."""
    x, weight, bias = (t.float() for t in (numbers(5, 16), numbers(4, 4, 4), numbers(16)))
    expected = operators.block_diagonal_linear(x, weight, bias, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = operators.block_diagonal_linear(x, weight, bias, 16)
        assert found.dtype == torch.nn.functional.linear(x, dense(weight, 16, 16), bias).dtype == torch.bfloat16
        assert operators.gated_mlp(x, weight, weight[:, :, :2], bias, 8).dtype == torch.bfloat16
    assert (found - expected).norm() < 2**-7 * expected.norm()
    assert operators.block_diagonal_linear(x, weight, bias.double(), 16).dtype == torch.float32


@pytest.mark.parametrize("wrong, says", [
    (lambda o: o.long_conv(*case(1, 4, 3, True, True, taps=3)), "taps are"),
    (lambda o: o.long_conv(*case(1, 4, 3, True, True), torch.tensor([5])), "from 0 to the 4 rows"),
    (lambda o: o.long_conv(*case(1, 4, 3, True, True), torch.tensor([-1])), "from 0 to the 4 rows"),
    (lambda o: o.short_conv(torch.ones(1, 2, 3), torch.ones(3, 3), torch.ones(3)), "weight is"),
    (lambda o: o.gelu_gate(torch.ones(3)), "2I"),
    (lambda o: o.gelu_gate(torch.ones(3, 0)), "2I"),
    (lambda o: o.block_diagonal_linear(torch.ones(9), torch.ones(2, 4, 4), None, 8), "wider"),
], ids=["taps", "longer than the rows", "below zero", "weight", "odd", "empty", "wider"])
def test_wrong_shapes_are_named(operators, wrong, says):
    with pytest.raises(RuntimeError, match=says):
        wrong(operators)


def test_the_example_trains_a_layer(operators):
    root = pathlib.Path(__file__).resolve().parents[2]
    library = pathlib.Path(os.environ["M2_BUILD_DIR"]) / "libm2_torch_ops.so"
    example = root / "examples/training/one_layer.py"
    lines = subprocess.run([sys.executable, example, library], capture_output=True, text=True, check=True).stdout
    first, *_, last = (float(line.rsplit(" ", 1)[1]) for line in lines.splitlines())
    assert first > 0.2 and last < 0.01, lines
