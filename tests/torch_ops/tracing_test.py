"""The operators within what traces and transforms programs: torch.compile, torch.export, torch.func."""

import pytest

torch = pytest.importorskip("torch")
CompileCounterWithBackend = pytest.importorskip("torch._dynamo.testing").CompileCounterWithBackend

TEXTS, LENGTH, WIDTH, INTERMEDIATE, BLOCKS = 2, 9, 20, 24, 4


def numbers(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator).to(dtype)


def parameters(dtype):
    """Of one layer: the short filter, two long ones, the two linear layers of the MLP."""
    shapes = [(3 * WIDTH, 1, 3), (3 * WIDTH,), *[(LENGTH, WIDTH), (LENGTH, WIDTH), (WIDTH,)] * 2,
              (BLOCKS, 2 * INTERMEDIATE // BLOCKS, WIDTH // BLOCKS), (BLOCKS, WIDTH // BLOCKS, INTERMEDIATE // BLOCKS),
              (WIDTH,)]
    return [numbers(*shape, seed=i, dtype=dtype).requires_grad_() for i, shape in enumerate(shapes)]


def layer(operators, x, lengths, short, short_bias, t1, r1, b1, t2, r2, b2, gated, wo, bias):
    x1, x2, v = operators.short_conv(x.repeat(1, 1, 3), short, short_bias).chunk(3, -1)
    y = operators.long_conv(x1, x2, v, t1, r1, b1, x, t2, r2, b2, lengths)
    h = operators.gelu_gate(operators.block_diagonal_linear(y, gated, None, 2 * INTERMEDIATE), 0.1, 7, 3)
    y = operators.counter_dropout(operators.block_diagonal_linear(h, wo, bias, WIDTH), 0.1, 8, 3)
    return y + operators.gated_mlp(y, gated, wo, bias, INTERMEDIATE)


def value_and_gradients(function, x, lengths, leaves):
    value = function(x, lengths, *leaves)
    return [value.detach(), *torch.autograd.grad((value * numbers(*value.shape, seed=1, dtype=value.dtype)).sum(), leaves)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_compiled_layer_is_the_same(operators, dtype):
    """In one graph and to the bit, the gradients too; the second and third shape are compiled for any size."""
    torch.compiler.reset()

    def eager(*operands):
        return layer(operators, *operands)
    compiled = torch.compile(eager, backend="aot_eager", fullgraph=True)
    leaves = parameters(dtype)
    for texts, length in ((2, LENGTH), (3, LENGTH - 2), (4, LENGTH - 1)):
        x, lengths = numbers(texts, length, WIDTH, dtype=dtype), torch.tensor([length - 1, 2, 0, 1][:texts])
        found, expected = (value_and_gradients(f, x, lengths, leaves) for f in (compiled, eager))
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
        with torch.no_grad():
            assert torch.equal(compiled(x, lengths, *leaves), expected[0])


def test_a_compiled_program_still_looks_at_lengths(operators):
    torch.compiler.reset()
    compiled = torch.compile(lambda *t: layer(operators, *t), backend="aot_eager", fullgraph=True)
    x, leaves = numbers(TEXTS, LENGTH, WIDTH), parameters(torch.float32)
    compiled(x, torch.tensor([1, LENGTH]), *leaves)
    with pytest.raises(RuntimeError, match="from 0 to the 9 rows"):
        compiled(x, torch.tensor([-1, LENGTH]), *leaves)


def test_a_compiled_dropout_serves_every_step(operators):
    """Its key changes at each: the second may be compiled for any number, the others must not be compiled again."""
    torch.compiler.reset()
    backend = CompileCounterWithBackend("aot_eager")

    def eager(h, key):
        return operators.counter_dropout(operators.gelu_gate(h, 0.5, key, 3), 0.5, key, 4)
    compiled = torch.compile(eager, backend=backend, fullgraph=True)
    h = numbers(3, 8)
    for key in (5, 6, 7, 2**62 + 1, 1 - 2**63):
        assert torch.equal(compiled(h, key), eager(h, key))
    assert backend.frame_count == 2
    assert torch.equal(compiled(h.bfloat16(), 5), eager(h.bfloat16(), 5))


def test_a_mask_is_fp32_whatever_it_multiplies(operators):
    x = numbers(3, 8).bfloat16()
    for found in (operators._dropout_mask(x, 0.5, 7, 1), operators._dropout_mask(x.to("meta"), 0.5, 7, 1)):
        assert (found.shape, found.dtype) == (x.shape, torch.float32)


def test_an_exported_layer_is_the_same(operators):
    class Layer(torch.nn.Module):
        def forward(self, *operands):
            return layer(operators, *operands)
    operands = (numbers(TEXTS, LENGTH, WIDTH), torch.tensor([3, 9]), *parameters(torch.float32))
    program = torch.export.export(Layer(), operands).module()
    assert torch.equal(program(*operands), Layer()(*operands))


def operands_of(dtype):
    """Of each operator, with all that is optional and without."""
    def leaf(*shape, seed=0):
        return numbers(*shape, seed=seed, dtype=dtype).requires_grad_()
    mixed = [leaf(TEXTS, LENGTH, WIDTH, seed=i) for i in range(4)]
    filters = [[leaf(LENGTH, WIDTH, seed=i), leaf(LENGTH, WIDTH, seed=i + 1), leaf(WIDTH, seed=i)] for i in (4, 6)]
    mlp = [leaf(BLOCKS, 2 * INTERMEDIATE // BLOCKS, 5), leaf(BLOCKS, 5, INTERMEDIATE // BLOCKS), leaf(WIDTH)]
    return {
        "long_conv": (*mixed[:3], *filters[0], mixed[3], *filters[1], torch.tensor([3, LENGTH])),
        "long_conv causal": (*mixed[:3], filters[0][0], None, filters[0][2]),
        "short_conv": (mixed[0], leaf(WIDTH, 1, 3), leaf(WIDTH)),
        "gelu_gate": (mixed[0], 0.2, 7, 1),
        "counter_dropout": (mixed[0], 0.2, 7, 1),
        "block_diagonal_linear": (mixed[0], leaf(3, 6, 7), leaf(17), 17),
        "block_diagonal_linear plain": (mixed[0], leaf(BLOCKS, 6, 5), None, 24),
        "gated_mlp": (mixed[0], *mlp, INTERMEDIATE),
    }


@pytest.mark.parametrize("name", operands_of(torch.float32))
def test_pytorchs_own_checks_of_an_operator(operators, name):
    """Schemas, autograd's registration, shapes without numbers, ahead-of-time compilation for any sizes."""
    operator = getattr(operators, name.split()[0]).default
    for dtype in (torch.float32, torch.float64):
        torch.library.opcheck(operator, operands_of(dtype)[name])


@pytest.mark.parametrize("name", operands_of(torch.float32))
def test_shapes_on_the_meta_device(operators, name):
    operator, operands = getattr(operators, name.split()[0]), operands_of(torch.bfloat16)[name]
    expected = operator(*operands)
    found = operator(*(t.to("meta") if isinstance(t, torch.Tensor) else t for t in operands))
    assert found.is_meta and (found.shape, found.dtype) == (expected.shape, expected.dtype)


def test_transformed_operators_are_differentiated_and_batched(operators):
    """Within torch.func's transforms by libtorch's own expressions: fp32's rounding apart."""
    x, gate = numbers(5, 3, WIDTH), numbers(WIDTH, 1, 3)
    bias = numbers(WIDTH)

    def loss(x, gate):
        return (operators.gelu_gate(operators.short_conv(x, gate, bias)) ** 2).sum()

    def close(found, expected):
        return (found - expected).norm() <= 1e-5 * expected.norm()
    leaves = [x.clone().requires_grad_(), gate.clone().requires_grad_()]
    expected = torch.autograd.grad(loss(*leaves), leaves)
    found = torch.func.grad(loss, argnums=(0, 1))(x, gate)
    assert all(close(a, b) for a, b in zip(found, expected, strict=True))
    batched = torch.func.vmap(lambda row: operators.gelu_gate(row))(x)
    assert close(batched, operators.gelu_gate(x))
