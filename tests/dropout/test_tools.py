"""An attached model under torch's own tools: compile, export, mixed precision, memory formats, functional_call."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gapless.dropout import DropBlock, Dropout, DropPath, LockedDropout, WeightDrop, attach, detach

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning"),  # torch's compiler imports it
    pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def cnn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 2)
    )


def attached_cnn() -> nn.Sequential:
    model = cnn()
    attach(model, hidden=0.3, channel=0.2, input=0.1)
    return model


def test_compile_traces_the_whole_model() -> None:
    """One graph without breaks; random while training, the plain output in evaluation mode."""
    model, x = attached_cnn(), torch.randn(4, 3, 8, 8)
    plain = model.eval()(x)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), plain)
    model.train()
    first = compiled(x)
    assert not torch.equal(first, compiled(x))
    first.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_compile_traces_the_layers_and_a_new_rate() -> None:
    layers = nn.Sequential(Dropout(0.5), DropBlock(0.3, 3), DropPath(0.3), WeightDrop(nn.Conv2d(2, 2, 1), ["weight"]))
    compiled = torch.compile(layers, backend="eager", fullgraph=True)
    x = torch.ones(4, 2, 6, 6)
    assert not torch.equal(compiled(x), compiled(x))
    for layer in layers:
        setattr(layer, "p", 0.0)  # noqa: B010
    assert torch.equal(compiled(x), compiled(x))


@pytest.mark.parametrize("strict", [True, False])
def test_export_in_evaluation_mode_is_the_plain_model(strict: bool) -> None:
    model, x = attached_cnn().eval(), (torch.randn(4, 3, 8, 8),)
    exported = torch.export.export(model, x, strict=strict)
    torch.testing.assert_close(exported.module()(*x), model(*x))
    detach(model)
    nodes = [[n.target for n in torch.export.export(m, x).graph.nodes] for m in (model, cnn().eval())]
    assert nodes[0] == nodes[1]


def test_export_in_training_mode_keeps_the_noise() -> None:
    model, x = attached_cnn().train(), (torch.randn(4, 3, 8, 8),)
    exported = torch.export.export(model, x).module()
    assert not torch.equal(exported(*x), exported(*x)), "one mask was baked into the graph"


def test_mixed_precision_and_channels_last() -> None:
    model: Any = attached_cnn()
    model.to(memory_format=torch.channels_last)
    x = torch.randn(4, 3, 8, 8).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(x)
    assert out.dtype is torch.bfloat16
    out.float().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())
    whole = attached_cnn().bfloat16()
    assert whole(x.bfloat16()).dtype is torch.bfloat16


def test_functional_call_and_per_sample_gradients() -> None:
    model, x = attached_cnn().eval(), torch.randn(3, 3, 8, 8)
    parameters: dict[str, Tensor] = dict(model.named_parameters())
    buffers = dict(model.named_buffers())

    def loss(weights: dict[str, Tensor], sample: Tensor) -> Tensor:
        return torch.func.functional_call(model, (weights, buffers), (sample[None],)).square().sum()

    gradients = torch.func.vmap(torch.func.grad(loss), (None, 0), randomness="different")
    assert gradients(parameters, x)["0.weight"].shape == (3, 8, 3, 3, 3)
    model.get_submodule("6").train()
    noisy = [gradients(parameters, x)["6.weight"] for _ in range(2)]
    assert not torch.equal(noisy[0], noisy[1])


@pytest.mark.parametrize("build", [cnn, attached_cnn])
def test_loads_into_the_plain_class_and_back(build: Callable[[], nn.Module]) -> None:
    source, target = build().eval(), cnn().eval()
    target.load_state_dict(source.state_dict(), strict=True)
    source.load_state_dict(target.state_dict(), strict=True)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(source(x), target(x))


def test_data_parallel_wrapping_after_attaching_trains(tmp_path: object) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        model = nn.parallel.DistributedDataParallel(attached_cnn())
        model(torch.randn(4, 3, 8, 8)).sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
    finally:
        torch.distributed.destroy_process_group()


def test_a_state_dict_of_a_compiled_model_has_the_plain_names() -> None:
    model = attached_cnn()
    compiled: Any = torch.compile(model, backend="eager")
    assert [key.removeprefix("_orig_mod.") for key in compiled.state_dict()] == list(cnn().state_dict())


def test_locked_dropout_inside_a_sequence_model_exports() -> None:
    model = nn.Sequential(LockedDropout(0.4), nn.Linear(4, 2)).train()
    exported = torch.export.export(model, (torch.randn(2, 5, 4),)).module()
    x = torch.randn(2, 5, 4)
    assert not torch.equal(exported(x), exported(x))
