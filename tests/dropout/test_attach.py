"""Attaching dropout: where it goes, that the model stays itself, and that undo gives it back."""

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any, TypedDict

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from gapless.dropout import ChannelDropout, Dropout, attach, detach
from gapless.dropout.dropped import Dropped
from gapless.errors import UsageError
from gapless.surgery import Change, additions


class Rates(TypedDict, total=False):
    """The rates that attach takes."""

    hidden: float
    channel: float
    input: float


class LastStep(nn.Module):
    """An LSTM that reads embedded words and a linear head on its last step."""

    def __init__(self, layers: int = 2) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 6)
        self.lstm = nn.LSTM(6, 8, layers, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.lstm(self.embed(ids))[0][:, -1])


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))


def cnn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 2)
    )


def transformer() -> nn.Sequential:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(8, 3))


def places(attached: Change) -> dict[str, str]:
    return {p.path: p.what for p in attached.account}


def noise(module: nn.Module) -> Dropout | ChannelDropout:
    (addition,) = additions(module)
    assert isinstance(addition, Dropped)
    return addition.noise


def hooks(module: nn.Module) -> tuple[int, int]:
    return len(vars(module)["_forward_pre_hooks"]), len(vars(module)["_forward_pre_hooks_with_kwargs"])


def ignore(*_: object) -> None:
    """A hook that does nothing."""


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor], Rates]] = {
    "mlp": (mlp, lambda: torch.randn(5, 4), {"hidden": 0.3, "input": 0.1}),
    "cnn": (cnn, lambda: torch.randn(5, 3, 8, 8), {"hidden": 0.3, "channel": 0.2, "input": 0.1}),
    "lstm": (LastStep, lambda: torch.randint(50, (5, 7)), {"hidden": 0.3, "input": 0.1}),
    "transformer": (transformer, lambda: torch.randn(5, 6, 8), {"hidden": 0.3, "input": 0.1}),
}


@pytest.fixture(params=MODELS, ids=str)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor, Rates]:
    torch.manual_seed(0)
    build, sample, rates = MODELS[request.param]
    return build(), sample(), rates


def test_parameters_and_state_dict_do_not_change(case: tuple[nn.Module, Tensor, Rates]) -> None:
    model, _, rates = case
    names = [name for name, _ in model.named_parameters()]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    attach(model, **rates)
    assert [name for name, _ in model.named_parameters()] == names
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_drops_while_training_and_only_then(case: tuple[nn.Module, Tensor, Rates]) -> None:
    model, x, rates = case
    plain = model.eval()(x)
    attach(model, **rates)
    assert torch.equal(model(x), plain)
    model.train()
    assert not torch.equal(model(x), model(x))
    torch.manual_seed(1)
    first = model(x)
    torch.manual_seed(1)
    assert torch.equal(model(x), first)


def test_undo_gives_back_the_same_model(case: tuple[nn.Module, Tensor, Rates]) -> None:
    model, x, rates = case
    twin = copy.deepcopy(model)
    attached = attach(model, **rates)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(ignore)  # a hook of the user's stays
    attached.undo()
    attached.undo()
    assert str(model) == str(twin)
    for module, other in zip(model.modules(), twin.modules(), strict=True):
        assert hooks(module) == (1 if isinstance(module, nn.Linear) else 0, 0)
        assert set(vars(module)) == set(vars(other))
    torch.manual_seed(1)
    first = model.train()(x)
    torch.manual_seed(1)
    assert torch.equal(twin.train()(x), first)


def test_twice_is_once_with_the_new_rates(case: tuple[nn.Module, Tensor, Rates]) -> None:
    model, x, rates = case
    twin = copy.deepcopy(model)
    others: Any = dict.fromkeys(rates, 0.77)
    attach(model, **others)
    account = attach(model, **rates).account
    assert account == attach(twin, **rates).account
    assert str(model) == str(twin)
    torch.manual_seed(1)
    first = model(x)
    torch.manual_seed(1)
    assert torch.equal(twin(x), first)


@pytest.mark.parametrize("how", ["deepcopy", "pickle", "save"])
def test_a_copy_has_dropouts_of_its_own(case: tuple[nn.Module, Tensor, Rates], how: str) -> None:
    model, x, rates = case
    kinds = copy.deepcopy(model)
    plain = kinds.eval()(x)
    attach(model, **rates)
    if how == "deepcopy":
        copied = copy.deepcopy(model)
    elif how == "pickle":
        copied = pickle.loads(pickle.dumps(model))
    else:
        buffer = io.BytesIO()
        torch.save(model, buffer)
        buffer.seek(0)
        copied = torch.load(buffer, weights_only=False)
    model.eval()
    copied.train()
    assert not torch.equal(copied(x), copied(x))
    assert torch.equal(model(x), plain)
    detach(copied)
    copied.load_state_dict(model.state_dict())  # batch norm has seen batches
    assert torch.equal(copied.eval()(x), plain)
    assert not any(additions(module) for module in copied.modules())
    assert [type(module) for module in copied.modules()] == [type(module) for module in kinds.modules()]


def test_rate_zero_leaves_a_kind_as_it_is() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.25), nn.Linear(4, 4), nn.Dropout2d(0.5))
    attached = attach(model, hidden=0.0, channel=0.0)
    assert attached.account == ()
    assert [model[1].p, model[3].p] == [0.25, 0.5]


def test_places_in_an_mlp_and_a_cnn() -> None:
    assert places(attach(mlp(), hidden=0.5, input=0.2)) == {"2": "hidden", "4": "hidden", "0": "input"}
    model = cnn()
    assert places(attach(model, hidden=0.5, channel=0.1, input=0.2)) == {"6": "hidden", "3": "channel", "0": "input"}
    assert isinstance(noise(model[3]), ChannelDropout)
    assert isinstance(noise(model[6]), Dropout)
    assert str(model[6]) == "Linear(in_features=128, out_features=2, bias=True, Dropout before it, p=0.5)"


def test_own_dropouts_take_the_rate_and_get_nothing_beside_them() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.25), nn.Linear(4, 4), nn.Conv1d(1, 1, 1), nn.Linear(4, 2))
    attached = attach(model, hidden=0.5, channel=0.1)
    assert {p.path: p.what for p in attached.account} == {"1": "hidden", "3": "channel"}
    assert model[1].p == 0.5
    assert "was 0.25" in str(attached)
    attach(model, hidden=0.125)
    assert model[1].p == 0.125 and not list(model[3].children())
    detach(model)
    assert model[1].p == 0.25


def test_attention_recurrent_and_transformer_layers_take_their_own_rate() -> None:
    model = transformer()
    found = places(attach(model, hidden=0.4, input=0.2))
    assert {path for path, what in found.items() if what == "hidden"} == {
        "1",
        *(f"0.layers.{i}.{name}" for i in (0, 1) for name in ("self_attn", "dropout", "dropout1", "dropout2")),
    }
    assert [path for path, what in found.items() if what == "input"] == ["0.layers.0"]
    assert model.get_submodule("0.layers.1.self_attn").dropout == 0.4
    lstm = LastStep()
    attached = attach(lstm, hidden=0.4, input=0.2)
    assert [(p.path, p.what) for p in attached.account] == [("lstm", "hidden"), ("head", "hidden"), ("lstm", "input")]
    assert lstm.lstm.dropout == 0.4
    detach(lstm)
    assert lstm.lstm.dropout == 0.0


def test_an_rnn_of_one_layer_has_nowhere_to_drop() -> None:
    model = LastStep(layers=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert places(attach(model, hidden=0.4)) == {"head": "hidden"}


def test_transformer_in_evaluation_is_untouched_by_its_fast_path() -> None:
    torch.manual_seed(0)
    model, x = transformer(), torch.randn(2, 6, 8)
    attach(model, hidden=0.5)
    with torch.no_grad():
        assert torch.allclose(model.eval()(x), model(x))
        assert not torch.allclose(model.train()(x), model(x))


def test_packed_sequences_and_keyword_arguments() -> None:
    torch.manual_seed(0)
    lstm = nn.LSTM(6, 8)
    attach(lstm, input=0.5)
    packed = pack_sequence([torch.ones(4, 6), torch.ones(2, 6)])
    assert not torch.equal(lstm(packed)[0].data, lstm(packed)[0].data)
    head = nn.Linear(4, 4)
    attach(head, input=0.5)
    assert not torch.equal(head(input=torch.ones(3, 4)), head(input=torch.ones(3, 4)))


def test_self_attention_sees_one_dropped_tensor() -> None:
    seen: list[Tensor] = []

    class Watched(nn.MultiheadAttention):
        def forward(self, *args: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            seen.extend(args)
            return super().forward(*args)

    attention = Watched(4, 1, batch_first=True)
    attach(attention, input=0.5)
    x = torch.ones(2, 3, 4)
    attention(x, x, torch.ones(2, 3, 4))
    assert seen[0] is seen[1] and seen[0] is not x
    assert torch.equal(seen[2], torch.ones(2, 3, 4))


def test_channel_dropout_without_a_batch() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 64, 1), nn.Conv2d(64, 64, 1, groups=64, bias=False))
    attach(model, channel=0.5)
    nn.init.ones_(model[1].get_parameter("weight"))
    seen = model(torch.randn(1, 4, 4))
    per_map = (seen != 0).flatten(1).float().mean(1)
    assert set(per_map.tolist()) == {0.0, 1.0}


def test_a_kind_without_a_place_is_noted() -> None:
    attached = attach(mlp(), hidden=0.5, channel=0.5)
    assert attached.paths == ("2", "4")
    assert [(p.path, p.what, p.p) for p in attached.account] == [
        ("2", "hidden", 0.5),
        ("4", "hidden", 0.5),
        ("", "channel", 0.0),
    ]
    assert "no Conv1d, Conv2d or Conv3d" in str(attached)


def test_no_place_at_all_raises_and_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    attach(model, input=0.5)
    with pytest.raises(
        ValueError, match=r"attach: Sequential has no place for dropout \(hidden: there is no Linear after"
    ):
        attach(model, hidden=0.5)
    assert noise(model[0]).p == 0.5
    with pytest.raises(ValueError, match="there is no weight layer"):
        attach(nn.ReLU(), input=0.5)


@pytest.mark.parametrize("p", [1.0, -0.1, 1.5, float("nan")])
@pytest.mark.parametrize("kind", ["hidden", "channel", "input"])
def test_bad_rates(kind: str, p: float) -> None:
    rates: Any = {kind: p}
    with pytest.raises(ValueError, match=rf"attach: {kind} must be in \[0, 1\), got {p}"):
        attach(mlp(), **rates)


def test_patterns_say_where() -> None:
    model = nn.ModuleDict({"body": mlp(), "head": nn.Linear(2, 2)})
    assert places(attach(model, hidden=0.5, input=0.1, where=["head"])) == {"head": "hidden", "body.0": "input"}
    assert places(attach(model, hidden=0.5, where=["body.*"])) == {"body.2": "hidden", "body.4": "hidden"}
    own = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1), nn.Linear(2, 2), nn.Dropout(0.2))
    assert places(attach(own, hidden=0.5, where=["3"])) == {"3": "hidden"}
    assert [own[1].p, own[3].p] == [0.1, 0.5]


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (["hed"], r"where: no module is called 'hed'. Did you mean 'head'\?"),
        ("head", r"where must be a sequence of patterns, got 'head'; write \['head'\]"),
        (
            ["body.1"],
            r"no place for dropout \(hidden: there is no Linear after the first weight layer among where=\['body.1'\]",
        ),
    ],
)
def test_bad_patterns(where: Any, text: str) -> None:
    model = nn.ModuleDict({"body": mlp(), "head": nn.Linear(2, 2)})
    with pytest.raises(ValueError, match=text):
        attach(model, hidden=0.5, where=where)


def test_parametrized_layers_and_gapless_dropouts() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), Dropout(0.25))
    assert places(attach(model, hidden=0.5)) == {"2": "hidden"}
    detach(model)
    model[2] = nn.ReLU()
    attach(model, hidden=0.5)
    twin = copy.deepcopy(model)
    assert not torch.equal(twin(torch.ones(2, 4)), twin(torch.ones(2, 4)))


def test_transformers_from_a_config() -> None:
    transformers = pytest.importorskip("transformers")
    small: Any = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    bert = transformers.BertModel(transformers.BertConfig(vocab_size=30, **small)).eval()
    ids = torch.randint(30, (2, 5))
    plain = bert(ids).last_hidden_state
    attached = attach(bert, hidden=0.3)
    assert all("the model's own Dropout, was 0.1" in p.why for p in attached.account)
    assert {m.p for m in bert.modules() if isinstance(m, nn.Dropout)} == {0.3}
    assert torch.equal(bert(ids).last_hidden_state, plain)
    attached.undo()
    assert {m.p for m in bert.modules() if isinstance(m, nn.Dropout)} == {0.1}
    config = transformers.LlamaConfig(vocab_size=30, num_key_value_heads=2, **small)
    llama = transformers.LlamaForCausalLM(config).train()
    keys = list(llama.state_dict())
    account = attach(llama, hidden=0.3, input=0.1).account
    assert {p.path for p in account if p.what == "hidden"} >= {"lm_head", "model.layers.1.mlp.down_proj"}
    assert [p.path for p in account if p.what == "input"] == ["model.layers.0.self_attn.q_proj"]
    assert list(llama.state_dict()) == keys
    assert not torch.equal(llama(ids).logits, llama(ids).logits)


def test_the_inserted_dropout_starts_in_the_mode_of_its_layer() -> None:
    model = mlp().eval()
    attach(model, hidden=0.5)
    assert not any(module.training for module in model.modules())


def test_compiled_models_are_refused() -> None:
    wrapped: Any = torch.compile(mlp(), backend="eager")
    with pytest.raises(UsageError, match=r"cannot attach dropout: the model has already gone through torch.compile"):
        attach(wrapped, hidden=0.5)
    with pytest.raises(UsageError, match=r"'a' has already gone through torch.compile"):
        attach(nn.ModuleDict({"a": wrapped}), hidden=0.5)
    model = mlp()
    model.compile(backend="eager")
    with pytest.raises(ValueError, match=r"through Module.compile.*attach dropout first"):
        attach(model, hidden=0.5)


def test_a_distributed_model_is_refused(tmp_path: object) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        model = nn.parallel.DistributedDataParallel(mlp())
        with pytest.raises(ValueError, match="the model has already gone through Distr"):
            attach(model, hidden=0.5)
        attach(model.module, hidden=0.5)
    finally:
        torch.distributed.destroy_process_group()
