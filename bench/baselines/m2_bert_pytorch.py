"""M2-BERT in PyTorch, fp32, from the weights that `m2 init` writes.

"published" computes what the published code computes, in its way: channels-first convolutions by
torch.fft at twice the text's length, filters evaluated at each call, block-diagonal products as
batched matrix products. "compiled" keeps each length's filter spectra and has torch.compile make
one layer's code, which all layers share.
"""
import safetensors.torch
import torch
from torch import nn
from torch.nn import functional

MIXER_NORM_EPS = 1e-5  # of the norm that hyena_training_additions puts before the mixer


class Sine(nn.Module):
    def __init__(self, width, w_mod):
        super().__init__()
        self.freq = nn.Parameter(torch.empty(1, width))
        self.w_mod = w_mod

    def forward(self, x):
        return torch.sin(self.w_mod * self.freq * x)


class FilterPositions(nn.Module):
    def __init__(self, length, features):
        super().__init__()
        self.z = nn.Parameter(torch.empty(1, length, features))
        self.t = nn.Parameter(torch.empty(1, length, 1))


class Modulation(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.deltas = nn.Parameter(torch.empty(1, 1, width))

    def forward(self, t, taps):
        return taps * torch.exp(-t * self.deltas.abs())


class HyenaFilter(nn.Module):
    """The filter of a long convolution; names and shapes are the checkpoint's."""

    def __init__(self, config):
        super().__init__()
        width, order = config["hidden_size"], config["hyena_filter_order"]
        features = config["hyena_emb_dim"]
        self.bias = nn.Parameter(torch.empty(width))
        self.pos_emb = FilterPositions(config["long_conv_l_max"], features)
        self.modulation = Modulation(width)
        sine = Sine(order, config.get("hyena_w_mod", 1))
        self.implicit_filter = self.network(features, order, width, sine)
        self.implicit_filter_rev = (
            self.network(features, order, width, sine) if config.get("bidirectional", True) else None)

    @staticmethod
    def network(features, order, width, sine):
        return nn.Sequential(nn.Linear(features, order), sine, nn.Linear(order, order), sine,
                             nn.Linear(order, order), sine, nn.Linear(order, width, bias=False))

    def taps(self, network, length):
        """[H][L]"""
        z, t = self.pos_emb.z[:, :length], self.pos_emb.t[:, :length]
        return self.modulation(t, network(z))[0].transpose(0, 1)

    def spectrum(self, length):
        """[H][L + 1], of the circular kernel of 2L points: taps up from 0, reverse taps down from 2L - 1."""
        kernel = functional.pad(self.taps(self.implicit_filter, length), (0, length))
        if self.implicit_filter_rev is not None:
            reverse = self.taps(self.implicit_filter_rev, length).flip(-1)
            kernel = kernel + functional.pad(reverse, (length, 0))
        return torch.fft.rfft(kernel, n=2 * length)

    def forward(self, x, spectrum):
        """The long convolution of x [B][H][L]."""
        length = x.shape[-1]
        product = torch.fft.rfft(x, n=2 * length) * spectrum
        return torch.fft.irfft(product, n=2 * length)[..., :length] + x * self.bias[:, None]


class SequenceMixer(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config["hidden_size"]
        self.layernorm = (nn.LayerNorm(width, eps=MIXER_NORM_EPS)
                          if config.get("hyena_training_additions") else nn.Identity())
        self.in_linear = nn.Linear(width, 3 * width)
        self.short_filter = nn.Conv1d(3 * width, 3 * width, 3, groups=3 * width, padding=2)
        self.out_linear = nn.Linear(width, width)
        self.filter_fn = HyenaFilter(config)
        self.filter_fn2 = HyenaFilter(config) if config.get("residual_long_conv") else None

    def spectra(self, length):
        filters = (self.filter_fn, self.filter_fn2)
        return [f.spectrum(length) for f in filters if f is not None]

    def forward(self, hidden, spectra):
        hidden = self.layernorm(hidden)
        projected = self.in_linear(hidden).transpose(1, 2)
        x1, x2, v = self.short_filter(projected)[..., :hidden.shape[1]].chunk(3, dim=1)
        mixed = self.filter_fn(x1 * v, spectra[0]) * x2
        if self.filter_fn2 is not None:
            mixed = mixed + self.filter_fn2(hidden.transpose(1, 2), spectra[1])
        return self.out_linear(mixed.transpose(1, 2))


class BlockDiagonal(nn.Module):
    def __init__(self, inputs, outputs, blocks, bias):
        super().__init__()
        if inputs % blocks or outputs % blocks:
            raise ValueError(f"{blocks} blocks do not divide a {inputs} x {outputs} matrix evenly")
        self.weight = nn.Parameter(torch.empty(blocks, outputs // blocks, inputs // blocks))
        self.bias = nn.Parameter(torch.empty(outputs)) if bias else None

    def forward(self, x):
        blocks = self.weight.shape[0]
        pieces = x.reshape(-1, blocks, self.weight.shape[2]).transpose(0, 1)
        product = torch.bmm(pieces, self.weight.transpose(1, 2)).transpose(0, 1)
        product = product.reshape(*x.shape[:-1], -1)
        return product if self.bias is None else product + self.bias


class GatedMlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, inner = config["hidden_size"], config["intermediate_size"]
        blocks = config.get("monarch_mlp_nblocks", 4)
        self.gated_layers = BlockDiagonal(width, 2 * inner, blocks, bias=False)
        self.wo = BlockDiagonal(inner, width, blocks, bias=True)
        self.layernorm = nn.LayerNorm(width, eps=config.get("layer_norm_eps", 1e-12))

    def forward(self, hidden):
        gate, value = self.gated_layers(hidden).chunk(2, dim=-1)
        return self.layernorm(self.wo(functional.gelu(gate) * value) + hidden)


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = SequenceMixer(config)
        self.mlp = GatedMlp(config)

    def forward(self, hidden, spectra):
        return self.mlp(self.attention(hidden, spectra))


class Embeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config["hidden_size"]
        self.word_embeddings = nn.Embedding(-(-config["vocab_size"] // 8) * 8, width)
        self.position_embeddings = (nn.Embedding(config["max_position_embeddings"], width)
                                    if config.get("use_positional_encodings") else None)
        self.token_type_embeddings = nn.Embedding(config.get("type_vocab_size", 2), width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.get("layer_norm_eps", 1e-12))

    def forward(self, ids):
        hidden = self.word_embeddings(ids) + self.token_type_embeddings(torch.zeros_like(ids))
        if self.position_embeddings is not None:
            hidden = hidden + self.position_embeddings.weight[:ids.shape[1]]
        return self.LayerNorm(hidden)


class M2Bert(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(config) for _ in range(config["num_hidden_layers"]))

    def forward(self, ids):
        """Mean-pooled vectors [B][H]."""
        hidden = self.embeddings(ids)
        for layer in self.encoder.layer:
            hidden = layer(hidden, layer.attention.spectra(ids.shape[1]))
        return hidden.mean(dim=1)


class CompiledM2Bert(M2Bert):
    def __init__(self, config):
        super().__init__(config)
        torch._dynamo.config.recompile_limit = 256  # a compilation a shape
        self.compiled_layer = torch.compile(Layer.forward, dynamic=False)
        self.kept_spectra = {}

    def forward(self, ids):
        length = ids.shape[1]
        if length not in self.kept_spectra:
            self.kept_spectra[length] = [layer.attention.spectra(length) for layer in self.encoder.layer]
        hidden = self.embeddings(ids)
        for layer, spectra in zip(self.encoder.layer, self.kept_spectra[length]):
            hidden = self.compiled_layer(layer, hidden, spectra)
        return hidden.mean(dim=1)


def load_weights(model, path):
    """Every weight of the model from the file, but for what a filter's sines share and heads."""
    tensors = {name.removeprefix("bert."): tensor.float()
               for name, tensor in safetensors.torch.load_file(path).items()}
    missing, surplus = model.load_state_dict(tensors, strict=False, assign=True)
    missing = [name for name in missing
               if not name.endswith(".freq") or name.endswith("implicit_filter.1.freq")]
    surplus = [name for name in surplus if not name.startswith(("pooler.", "classifier.", "cls."))]
    if missing or surplus:
        raise ValueError(f"{path}: missing weights {missing[:3]}, unknown weights {surplus[:3]}")


class Peer:
    dtype = "fp32"
    family = "m2_bert"

    def __init__(self, variant, config, folder):
        for switch in ("monarch_mixer_sequence_mixing", "use_glu_mlp", "use_monarch_mlp"):
            if not config.get(switch):
                raise ValueError(f"{folder}: this peer runs M2-BERT alone, and {switch} is not set there")
        how = {"published": "M2-BERT as published", "compiled": "M2-BERT, filters kept, torch.compile"}
        self.title = f"PyTorch {torch.__version__.split('+')[0]}, {how[variant]}, fp32"
        self.vocabulary = config["vocab_size"]
        self.max_length = config["long_conv_l_max"]
        self.model = (M2Bert if variant == "published" else CompiledM2Bert)(config)
        load_weights(self.model, folder / "model.safetensors")
        self.model.eval()

    def vectors(self, ids):
        with torch.inference_mode():
            return self.model(torch.from_numpy(ids)).numpy()


def make(variant, threads, config, folder):
    torch.set_num_threads(threads)
    return Peer(variant, config, folder)
