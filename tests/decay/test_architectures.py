"""The account of real architectures against lists of decayed parameters that were written by hand from the papers."""

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTForImageClassification,
)

from gapless import decay


def names(pattern: str, *choices: str | list[str]) -> set[str]:
    """'l.{}.{}.weight' with '0 1', 'q k' -> the four names."""
    options = [choice.split() if isinstance(choice, str) else choice for choice in choices]
    return {pattern.format(*chosen) for chosen in product(*options)}


# --- transformers, built from small configs ------------------------------------------------------------------------


def bert() -> nn.Module:
    sizes: dict[str, Any] = {"vocab_size": 99, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48}
    return BertForMaskedLM(BertConfig(**sizes, num_hidden_layers=2, max_position_embeddings=16, pad_token_id=0))


BERT = (
    names("bert.encoder.layer.{}.attention.self.{}.weight", "0 1", "query key value")
    | names("bert.encoder.layer.{}.{}.dense.weight", "0 1", "attention.output intermediate output")
    | {"cls.predictions.transform.dense.weight"}
)


def vit() -> nn.Module:
    sizes: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48, "image_size": 16}
    return ViTForImageClassification(ViTConfig(**sizes, num_hidden_layers=2, patch_size=4))


VIT = (
    {"vit.embeddings.patch_embeddings.projection.weight", "classifier.weight"}
    | names("vit.layers.{}.attention.{}_proj.weight", "0 1", "q k v o")
    | names("vit.layers.{}.mlp.{}.weight", "0 1", "fc1 fc2")
)


def llama() -> nn.Module:
    sizes: dict[str, Any] = {"vocab_size": 99, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    tokens: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2}
    return LlamaForCausalLM(LlamaConfig(**sizes, **tokens, num_hidden_layers=2, num_key_value_heads=2))


LLAMA = (
    names("model.layers.{}.self_attn.{}_proj.weight", "0 1", "q k v o")
    | names("model.layers.{}.mlp.{}_proj.weight", "0 1", "gate up down")
    | {"lm_head.weight"}  # not tied here: an output layer of its own
)


def t5() -> nn.Module:
    return T5ForConditionalGeneration(T5Config(vocab_size=99, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4))


T5 = (
    names("{}.block.{}.layer.0.SelfAttention.{}.weight", "encoder decoder", "0 1", "q k v o")
    | names("decoder.block.{}.layer.1.EncDecAttention.{}.weight", "0 1", "q k v o")
    | names("encoder.block.{}.layer.1.DenseReluDense.{}.weight", "0 1", "wi wo")
    | names("decoder.block.{}.layer.2.DenseReluDense.{}.weight", "0 1", "wi wo")
)


def gpt2() -> nn.Module:
    tokens: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2}
    return GPT2LMHeadModel(GPT2Config(**tokens, vocab_size=99, n_positions=16, n_embd=32, n_layer=2, n_head=4))


GPT2 = names("transformer.h.{}.{}.weight", "0 1", "attn.c_attn attn.c_proj mlp.c_fc mlp.c_proj")


def mamba() -> nn.Module:
    return MambaForCausalLM(MambaConfig(vocab_size=99, hidden_size=32, num_hidden_layers=2, state_size=4))


MAMBA = names("backbone.layers.{}.mixer.{}.weight", "0 1", "conv1d in_proj x_proj dt_proj out_proj")


# --- torch's own modules, and models as people write them ----------------------------------------------------------


def torch_transformer() -> nn.Module:
    return nn.Transformer(16, 2, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=24, batch_first=True)


TORCH_TRANSFORMER = names("{}coder.layers.{}.self_attn.{}", "en de", "0 1", "in_proj_weight out_proj.weight") | (
    names("decoder.layers.{}.multihead_attn.{}", "0 1", "in_proj_weight out_proj.weight")
    | names("{}coder.layers.{}.linear{}.weight", "en de", "0 1", "1 2")
)


class BasicBlock(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inside, outside, 3, bias=False), nn.BatchNorm2d(outside)
        self.conv2, self.bn2 = nn.Conv2d(outside, outside, 3, bias=False), nn.BatchNorm2d(outside)
        down = inside != outside
        self.downsample = (
            nn.Sequential(nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside)) if down else None
        )


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 7, bias=False), nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(BasicBlock(8, 8), BasicBlock(8, 8))
        self.layer2 = nn.Sequential(BasicBlock(8, 16), BasicBlock(16, 16))
        self.fc = nn.Linear(16, 10)


RESNET = {"conv1.weight", "layer2.0.downsample.0.weight", "fc.weight"} | names(
    "layer{}.{}.conv{}.weight", "1 2", "0 1", "1 2"
)


class Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 12)
        self.lstm = nn.LSTM(12, 1, num_layers=2, bidirectional=True)  # hidden size 1: weights of shape (4, 1)
        self.cell = nn.GRUCell(2, 5)
        self.out = nn.Linear(5, 1)


LSTM = names("lstm.weight_{}_l{}{}", "ih hh", "0 1", ["", "_reverse"]) | {
    "cell.weight_ih",
    "cell.weight_hh",
    "out.weight",
}


class Gain(nn.Module):
    """RMSNorm under a name that says nothing, with its parameter under another."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (1 + self.g)


class RmsBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before = Gain(16)
        self.heads = Gain(4, 1, 4)  # one scale for each head: two dimensions longer than 1, yet a norm
        self.qkv, self.out = nn.Linear(16, 48, bias=False), nn.Linear(16, 16, bias=False)


class TiedRms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([RmsBlock(), RmsBlock()])
        self.last = Gain(16)
        self.head = nn.Linear(16, 50, bias=False)
        self.words = nn.Embedding(50, 16)
        self.words.weight = self.head.weight  # tied, and the output layer comes first


TIED_RMS = names("blocks.{}.{}.weight", "0 1", "qkv out")


class ChannelsFirst(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        mean, var = x.mean(1, keepdim=True), x.var(1, keepdim=True, unbiased=False)
        return (x - mean) / (var + 1e-6).sqrt() * self.weight[:, None, None] + self.bias[:, None, None]


class ConvNeXtBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dw, self.norm = nn.Conv2d(8, 8, 7, padding=3, groups=8), nn.LayerNorm(8)
        self.pw1, self.pw2 = nn.Linear(8, 32), nn.Linear(32, 8)
        self.gamma = nn.Parameter(torch.full((8, 1, 1), 1e-6))


class ConvNeXt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), ChannelsFirst(8))
        self.blocks = nn.Sequential(ConvNeXtBlock(), ConvNeXtBlock())
        self.grn_gamma = nn.Parameter(torch.zeros(1, 1, 1, 32))
        self.head = nn.Linear(8, 10)


CONVNEXT = {"stem.0.weight", "head.weight"} | names("blocks.{}.{}.weight", "0 1", "dw pw1 pw2")


def mlp_batchnorm() -> nn.Module:
    return nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.PReLU(16), nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Linear(16, 1)
    )


MLP = {"0.weight", "3.weight", "5.weight"}


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.same = nn.MultiheadAttention(8, 2, add_bias_kv=True)
        self.cross = nn.MultiheadAttention(8, 2, kdim=6, vdim=5)
        self.temperature = nn.Parameter(torch.tensor(0.07))


ATTENTION = names("{}.out_proj.weight", "same cross") | {"same.in_proj_weight"} | names("cross.{}_proj_weight", "q k v")


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weighted = parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
        self.spectral = parametrizations.spectral_norm(nn.Linear(4, 4))
        self.orthogonal = parametrizations.orthogonal(nn.Linear(4, 1, bias=False))  # a weight, though a vector by shape


NORMED = names("{}.parametrizations.weight.original", "spectral orthogonal") | {
    "weighted.parametrizations.weight.original1"
}


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.norm = nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8)
        self.up, self.norm2 = nn.ConvTranspose2d(8, 4, 2), nn.InstanceNorm2d(4, affine=True)
        self.whole, self.out = nn.LayerNorm([4, 6, 6]), nn.Conv2d(4, 1, 1)


UNET = {"down.weight", "up.weight", "out.weight"}


class Experts(nn.Module):
    """Stacked experts of a mixture, with biases of two dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_up_proj, self.gate_up_proj_bias = (
            nn.Parameter(torch.randn(4, 8, 12)),
            nn.Parameter(torch.zeros(4, 12)),
        )
        self.down = nn.ParameterList([nn.Parameter(torch.randn(12, 8)) for _ in range(2)])
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(2, 8)) for _ in range(2)])
        self.table = nn.ParameterDict({"embed": nn.Parameter(torch.zeros(5, 8))})


EXPERTS = {"gate_up_proj", "down.0", "down.1"}


class Clip(nn.Module):
    """The bare parameters of CLIP and of vision transformers by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.class_embedding, self.positional_embedding = nn.Parameter(torch.randn(8)), nn.Parameter(torch.randn(5, 8))
        self.queries = nn.Parameter(torch.randn(1, 7, 8))
        self.relative_position_bias_table = nn.Parameter(torch.zeros(49, 2))
        self.text_projection, self.logit_scale = nn.Parameter(torch.randn(8, 8)), nn.Parameter(torch.ones([]))
        self.bag, self.bilinear = nn.EmbeddingBag(9, 8), nn.Bilinear(8, 8, 2)


CLIP = {"text_projection", "bilinear.weight"}


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
        self.right = self.left
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.out = nn.Linear(8, 1)


SIAMESE = {"left.0.weight", "out.weight"}

ZOO: dict[str, tuple[Callable[[], nn.Module], set[str]]] = {
    "bert": (bert, BERT),
    "vit": (vit, VIT),
    "llama": (llama, LLAMA),
    "t5": (t5, T5),
    "gpt2": (gpt2, GPT2),
    "mamba": (mamba, MAMBA),
    "torch_transformer": (torch_transformer, TORCH_TRANSFORMER),
    "resnet": (ResNet, RESNET),
    "lstm": (Lstm, LSTM),
    "tied_rms": (TiedRms, TIED_RMS),
    "convnext": (ConvNeXt, CONVNEXT),
    "mlp_batchnorm": (mlp_batchnorm, MLP),
    "attention": (Attention, ATTENTION),
    "parametrized": (Normed, NORMED),
    "unet": (UNet, UNET),
    "experts": (Experts, EXPERTS),
    "clip": (Clip, CLIP),
    "siamese": (Siamese, SIAMESE),
}


@cache
def built(key: str) -> nn.Module:
    """The model of this name, built once; no test changes it."""
    torch.manual_seed(0)
    return ZOO[key][0]()


@pytest.mark.parametrize("key", ZOO)
def test_exactly_the_listed_parameters_decay(key: str) -> None:
    account = decay.account(built(key), 0.1)
    assert {row.name for row in account if row.decay == 0.1} == ZOO[key][1]
    assert {row.decay for row in account} == {0.0, 0.1}


@pytest.mark.parametrize("key", ZOO)
def test_nothing_twice_and_nothing_missing(key: str) -> None:
    model = built(key)
    grouped = [p for group in decay.groups(model, 0.1) for p in group["params"]]
    assert len({id(p) for p in grouped}) == len(grouped)
    assert {id(p) for p in grouped} == {id(p) for p in model.parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(decay.groups(model, 0.1), lr=1e-3, fused=True)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(grouped)


@pytest.mark.parametrize("key", ZOO)
def test_no_norm_and_no_bias_decays(key: str) -> None:
    """A second opinion that shares no code with the rules: class names and parameter names as a reader sees them."""
    model = built(key)
    decayed = {row.name for row in decay.account(model, 0.1) if row.decay > 0}
    for path, module in model.named_modules():
        if "norm" in type(module).__name__.lower() or type(module).__name__ in ("Gain", "ChannelsFirst"):
            own = {f"{path}.{name}" for name, _ in module.named_parameters(recurse=False)}
            assert not own & decayed, f"{type(module).__name__} at {path}"
    assert not {name for name in decayed if name.endswith(("bias", "biases"))}


@pytest.mark.parametrize("key", ZOO)
def test_looking_at_a_model_changes_nothing_in_it(key: str) -> None:
    model = built(key)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.random.get_rng_state()
    decay.account(model, 0.1)
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
