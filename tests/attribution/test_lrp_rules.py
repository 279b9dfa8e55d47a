"""Every rule of LRP against its formula with all terms written out, in double precision."""

from __future__ import annotations

import pytest
import torch
from relevance_truth import relevance, truth
from torch import nn
from torch.nn import functional as F

from voxplain.attribution.backprop.relevance import Relevance
from voxplain.attribution.backprop.relevance_rules import RULES, Settings
from voxplain.errors import ModelError

LAYERS = {
    "conv1d": (lambda: nn.Conv1d(2, 3, 3, padding=1), (2, 7)),
    "conv2d": (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 5, 6)),
    "conv2d-same": (lambda: nn.Conv2d(2, 3, 3, padding="same"), (2, 5, 4)),
    "conv2d-groups": (
        lambda: nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, dilation=(1, 2), groups=2),
        (4, 6, 7),
    ),
    "conv3d": (lambda: nn.Conv3d(1, 2, 3, stride=(1, 2, 1), padding=1), (1, 4, 5, 3)),
    "conv3d-unbiased": (lambda: nn.Conv3d(2, 2, 2, bias=False), (2, 3, 3, 3)),
    "transposed1d": (lambda: nn.ConvTranspose1d(2, 3, 3, stride=2), (2, 5)),
    "transposed2d-groups": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=(1, 2)),
        (4, 3, 4),
    ),
    "transposed3d": (lambda: nn.ConvTranspose3d(2, 1, 2, stride=2), (2, 2, 3, 2)),
    "linear": (lambda: nn.Linear(5, 4), (5,)),
    "linear-tokens": (lambda: nn.Linear(5, 4), (3, 5)),
}


def drawn(name, positive=False):
    torch.manual_seed(len(name))
    make, shape = LAYERS[name]
    layer = make().double()
    x = torch.randn(2, *shape, dtype=torch.double)
    x = x.abs() if positive else x
    return layer, x, torch.randn_like(layer(x))


@pytest.mark.parametrize("bias", ["absorb", "spread"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", LAYERS)
def test_a_rule_is_its_formula(name, rule, bias):
    layer, x, seed = drawn(name)
    settings = Settings(epsilon=1e-3, gamma=0.4, alpha=1.5, bias=bias)
    found, rules = relevance(layer, x, seed, rule, settings=settings)
    numbers = {"eps": 1e-3, "gamma": 0.4, "alpha": 1.5, "absorb": bias == "absorb"}
    expected = torch.stack(
        [truth(rule, layer, v[None], r[None], **numbers)[0] for v, r in zip(x, seed, strict=True)]
    )
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    for b in range(2):
        account = rules.books.targets[b]
        assert account.missing == pytest.approx(0, abs=1e-10 * float(seed.abs().sum()))
        if bias == "spread":
            assert float(found[b].sum()) + account.dead == pytest.approx(float(seed[b].sum()), rel=1e-9)
            # only this one has outputs that no input reaches
            assert (account.dead != 0) == (name == "transposed2d-groups")
            assert account.bias == account.epsilon == 0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["conv2d", "transposed3d", "linear"])
def test_rules_after_a_rectifier(name, rule):
    """Inputs without negative values take a shorter way."""
    layer, x, seed = drawn(name, positive=True)
    found, _ = relevance(layer, x, seed, rule, settings=Settings(bias="absorb"))
    expected = [truth(rule, layer, v[None], r[None])[0] for v, r in zip(x, seed, strict=True)]
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-8, atol=1e-9)


def test_what_the_bias_takes_by_hand():
    """z = 2·3 + 1·(−1) + 5 = 10; epsilon gives 6/10, −1/10, and 5/10 to the bias, z_plus 6/11 and 5/11."""
    layer = nn.Linear(2, 1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, 1.0]]))
        layer.bias.fill_(5.0)
    x, seed = torch.tensor([[3.0, -1.0]]).double(), torch.tensor([[20.0]]).double()
    tiny = Settings(epsilon=1e-12, bias="absorb")
    found, rules = relevance(layer, x, seed, "epsilon", settings=tiny)
    torch.testing.assert_close(found, torch.tensor([[12.0, -2.0]]).double())
    assert rules.books.targets[0].bias == pytest.approx(10)
    found, rules = relevance(layer, x, seed, "z_plus", settings=tiny)
    torch.testing.assert_close(found, torch.tensor([[120 / 11, 0.0]]).double())
    assert rules.books.targets[0].bias == pytest.approx(100 / 11)
    # spread: 10 of the bias in proportion 6 : 1
    found, _ = relevance(layer, x, seed, "epsilon", settings=Settings(epsilon=1e-12))
    torch.testing.assert_close(found, torch.tensor([[12 + 60 / 7, -2 + 10 / 7]]).double())


def test_where_nothing_contributes_the_inputs_share_alike():
    layer = nn.Conv2d(1, 1, 3, padding=1).double()
    x, seed = torch.zeros(1, 1, 3, 3).double(), torch.zeros(1, 1, 3, 3).double()
    seed[..., 0, 0] = 4.0  # sees the four voxels of a corner
    expected = torch.zeros_like(x)
    expected[..., :2, :2] = 1.0
    for rule in RULES:
        found, _ = relevance(layer, x, seed, rule)
        if rule != "w_square":
            torch.testing.assert_close(found, expected)
        lost, rules = relevance(layer, x, seed, rule, settings=Settings(bias="absorb"))
        if rule not in ("flat", "w_square"):
            assert not lost.any()
            assert rules.books.targets[0].bias + rules.books.targets[0].epsilon == pytest.approx(4)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(2, 4, 3, padding=1), (2, 5, 6)),
        (nn.Conv3d(2, 4, 3, padding=1, bias=False), (2, 3, 4, 3)),
        (nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2), (4, 3, 4)),
        (nn.Linear(5, 4), (5,)),
    ],
)
def test_batch_norm_is_part_of_the_weights_before_it(layer, shape, rule):
    """The same network with the normalisation multiplied into its weights by hand."""
    torch.manual_seed(1)
    layer = layer.double()
    x = torch.randn(2, *shape, dtype=torch.double)
    out = layer(x)
    make = {2: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}[out.dim()]
    norm = make(out.shape[1], eps=0.1).double().eval()
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        tensor.copy_(torch.rand_like(tensor) + 0.2)
    net = nn.Sequential(layer, norm, nn.ReLU())
    seed = torch.randn_like(out)
    found, _ = relevance(net, x, seed, rule, settings=Settings(bias="absorb"))
    for b in range(2):
        own = nn.Sequential(layer, norm)
        folded = _folded(layer, own, x[b : b + 1])
        torch.testing.assert_close(
            found[b : b + 1], truth(rule, folded, x[b : b + 1], seed[b : b + 1]), rtol=1e-8, atol=1e-9
        )


def _folded(layer, both, x):
    """A copy of the layer that answers like both: its weights from both's answers to unit changes, by regression."""
    import copy

    folded = copy.deepcopy(layer)
    norm = both[1]
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = torch.zeros_like(scale) if layer.bias is None else layer.bias
    with torch.no_grad():
        if isinstance(layer, nn.ConvTranspose2d):  # inputs 0, 1 make outputs 0, 1, 2; inputs 2, 3 the others
            for i in range(4):
                for o in range(3):
                    folded.weight[i, o] *= scale[o + 3 * (i // 2)]
        else:
            for o in range(len(scale)):
                folded.weight[o] *= scale[o]
        folded.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias)
    torch.testing.assert_close(folded(x), both(x))
    return folded


@pytest.mark.parametrize("rule", RULES)
def test_an_output_that_is_all_bias_up_to_rounding(rule):
    """z − b of an empty patch is some 10⁻¹⁷, of which no share can be made."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)).double().eval()
    for tensor in (net[1].weight.data, net[1].bias.data, net[1].running_mean, net[1].running_var):
        tensor.copy_(torch.rand_like(tensor) + 0.2)
    x = torch.randn(1, 1, 4, 8, dtype=torch.double)
    x[..., :5] = 0
    seed = torch.rand(1, 64, 4, 8).double()
    found, _ = relevance(net, x, seed, rule)
    assert float(found.sum()) == pytest.approx(float(seed.sum()), rel=1e-9)
    assert float(found.abs().sum()) < 10 * float(seed.sum())


class Encoder(nn.Module):
    """Attention of PyTorch's own, over as many tokens as there are samples."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x):
        return self.layer(x)


@pytest.mark.parametrize("attention", ["constant", "attnlrp"])
def test_the_books_of_each_sample_balance_in_pytorchs_transformer(attention):
    torch.manual_seed(0)
    net = Encoder().double().eval()
    x = torch.randn(3, 3, 8, dtype=torch.double)
    seed = torch.rand_like(x)
    _, rules = relevance(net, x, seed, settings=Settings(bias="absorb"), attention=attention)
    assert all(rules.books.targets[b].gap < 1e-9 for b in range(3))
    assert abs(rules.books.targets[0].bias) > 1e-3
    found, _ = relevance(net, x, seed)
    torch.testing.assert_close(found.flatten(1).sum(1), seed.flatten(1).sum(1), rtol=1e-6, atol=0)


class Net(nn.Module):
    """Any function of the image as a network."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def drawn_image(*shape):
    torch.manual_seed(0)
    return torch.randn(shape, dtype=torch.double)


def test_additions_share_by_magnitude_or_by_value():
    x = drawn_image(2, 3, 4)
    seed = drawn_image(2, 3, 4).flip(-1)
    a, b, c = 2 * x, -3 * x.flip(-1), 0.5

    def three(v):
        return 2 * v - 3 * v.flip(-1) + c

    found, _ = relevance(Net(three), x, seed)
    size = a.abs() + b.abs()
    expected = a.abs() / size * seed + (b.abs() / size * seed).flip(-1)
    torch.testing.assert_close(found, expected)
    # the constant takes c / (|a + b| + c) first, then a and b share as before
    found, rules = relevance(Net(three), x, seed, settings=Settings(bias="absorb"))
    left = seed * (a + b).abs() / ((a + b).abs() + c)
    torch.testing.assert_close(found, a.abs() / size * left + (b.abs() / size * left).flip(-1))
    assert rules.books.targets[0].bias == pytest.approx(float((seed - left)[0].sum()))
    # terms that are all zero share alike
    found, _ = relevance(Net(three), 0 * x, seed)
    torch.testing.assert_close(found, seed / 2 + seed.flip(-1) / 2)
    # by value, as published
    eps = 1e-2
    how = Settings(epsilon=eps, bias="absorb")
    found, rules = relevance(Net(three), x, seed, settings=how, sums="epsilon")

    def stab(v):
        return v + eps * torch.where(v < 0, -1.0, 1.0).double()

    left = seed * (a + b) / stab(a + b + c)
    torch.testing.assert_close(found, a / stab(a + b) * left + (b / stab(a + b) * left).flip(-1))
    assert rules.books.targets[1].gap < 1e-12
    found, _ = relevance(Net(lambda v: c - v), x, seed, settings=how, sums="epsilon")
    torch.testing.assert_close(found, -x / stab(c - x) * seed)
    found, _ = relevance(Net(three), x, seed, sums="epsilon")
    torch.testing.assert_close(found.flatten(1).sum(1), seed.flatten(1).sum(1))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.avg_pool2d(x, 2, ceil_mode=True),
        lambda x: F.adaptive_avg_pool2d(x, (2, 3)),
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
        lambda x: F.interpolate(x, size=(7, 5), mode="nearest"),
        lambda x: x.mean((2, 3)),
        lambda x: torch.sum(x, dim=1, keepdim=True),
        lambda x: x.cumsum(2),
    ],
)
@pytest.mark.parametrize("sums", ["magnitude", "epsilon"])
def test_averages_and_interpolation(function, sums):
    """Shares in proportion to coefficient × |x|, or coefficient × x as published, from the map's own matrix."""
    x = drawn_image(1, 2, 5, 6)
    out = function(x)
    seed = torch.randn_like(out)
    matrix = torch.autograd.functional.jacobian(function, x).reshape(out.numel(), -1)
    terms = matrix * x.flatten()
    if sums == "magnitude":
        shares = terms.abs() / terms.abs().sum(1, keepdim=True)
    else:
        total = terms.sum(1, keepdim=True)
        shares = terms / (total + 1e-6 * torch.where(total < 0, -1.0, 1.0).double())
    how = Settings(bias="absorb")
    found, rules = relevance(Net(function), x, seed, settings=how, sums=sums)
    torch.testing.assert_close(found.flatten(), seed.flatten() @ shares, rtol=1e-8, atol=1e-10)
    assert rules.books.targets[0].missing == pytest.approx(0, abs=1e-9)
    zero = torch.zeros_like(x)
    spread, _ = relevance(Net(function), zero, seed)
    rows = matrix / matrix.sum(1, keepdim=True)
    torch.testing.assert_close(spread.flatten(), seed.flatten() @ rows, rtol=1e-8, atol=1e-10)


def test_what_passes_and_what_takes_all():
    """Activations, normalisations and scaling pass relevance on; of signal and gate the signal takes all."""
    x, seed = drawn_image(2, 4, 3, 3), drawn_image(2, 4, 3, 3).flip(1)
    weight = torch.rand(4).double()
    for function in (
        F.gelu,
        lambda v: F.leaky_relu(v, 0.1),
        lambda v: F.instance_norm(v),
        lambda v: F.group_norm(v, 2, weight),
        lambda v: F.layer_norm(v, (3,)),
        lambda v: F.batch_norm(v, weight, weight, weight, weight),
        lambda v: -2.5 * v / 3,
        lambda v: v * torch.sigmoid(v),
        lambda v: torch.sigmoid(v.mean((2, 3), keepdim=True)).expand(-1, -1, 3, 3) * v,
        lambda v: v * (1 - torch.sigmoid(F.interpolate(v, scale_factor=1.0))),
        lambda v: v / (1 + v.flip(-1).abs()),
        lambda v: v.relu_(),
    ):
        found, rules = relevance(Net(function), x.clone(), seed)
        torch.testing.assert_close(found, seed)
        assert rules.books.targets[1].gap < 1e-12
    found, _ = relevance(Net(lambda v: v * v.flip(-1)), x, seed)
    torch.testing.assert_close(found, (seed + seed.flip(-1)) / 2)


def test_pooling_hands_relevance_to_the_winner():
    x, seed = drawn_image(1, 2, 4, 6), drawn_image(1, 2, 2, 3)
    found, _ = relevance(Net(lambda v: F.max_pool2d(v, 2)), x, seed)
    for c in range(2):
        for i in range(2):
            for j in range(3):
                block = (0, c, slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2))
                winner = x[block] == x[block].max()
                torch.testing.assert_close(found[block], torch.where(winner, seed[0, c, i, j], 0.0))


def attention(v):
    return F.softmax(v[:, 0] @ v[:, 1].transpose(-1, -2), -1) @ v[:, 2]


def test_attention_with_constant_weights_is_an_average_of_values():
    x, seed = drawn_image(2, 3, 4, 5), drawn_image(2, 4, 5)
    found, _ = relevance(Net(attention), x, seed)
    p = F.softmax(x[:, 0] @ x[:, 1].transpose(-1, -2), -1)
    terms = p[..., None] * x[:, 2, None].abs()  # (samples, to, from, features)
    shares = terms / terms.sum(2, keepdim=True)
    torch.testing.assert_close(found[:, 2], (shares * seed[:, :, None]).sum(1))
    assert not found[:, :2].any()


def test_attention_by_attnlrp():
    """Achtibat et al. 2024, eq. 13 to 15, term by term."""
    x, seed = drawn_image(1, 3, 4, 5), drawn_image(1, 4, 5)
    eps = 1e-3
    how = Settings(epsilon=eps, bias="absorb")
    found, rules = relevance(Net(attention), x, seed, settings=how, attention="attnlrp")
    q, k, v = x[0]
    logits = q @ k.T
    p = F.softmax(logits, -1)
    out = p @ v

    def stab(t):
        return t + eps * torch.where(t < 0, -1.0, 1.0).double()

    to_p, to_v = torch.zeros_like(p), torch.zeros_like(v)
    for j in range(4):
        for i in range(4):
            for d in range(5):
                part = p[j, i] * v[i, d] * seed[0, j, d] / (2 * stab(out[j, d]))
                to_p[j, i] += part
                to_v[i, d] += part
    to_logits = torch.zeros_like(p)
    for j in range(4):
        for i in range(4):
            to_logits[j, i] = logits[j, i] * (to_p[j, i] - p[j, i] * to_p[j].sum())
    to_q, to_k = torch.zeros_like(q), torch.zeros_like(k)
    for j in range(4):
        for i in range(4):
            for d in range(5):
                part = q[j, d] * k[i, d] * to_logits[j, i] / (2 * stab(logits[j, i]))
                to_q[j, d] += part
                to_k[i, d] += part
    torch.testing.assert_close(found[0], torch.stack([to_q, to_k, to_v]))
    account = rules.books.targets[0]
    assert account.softmax == pytest.approx(float(to_p.sum() - to_logits.sum()))
    assert account.gap < 1e-10


@pytest.mark.parametrize("bias", ["spread", "absorb"])
def test_a_product_of_matrices_that_are_no_gates_is_shared_in_halves(bias):
    """By terms a_jd b_id over their sum and ε, each half to either factor; ε's part by their magnitudes."""
    x, seed = drawn_image(1, 2, 3, 4), drawn_image(1, 3, 3)
    eps = 0.3
    how = Settings(epsilon=eps, bias=bias)
    product = Net(lambda v: torch.einsum("bid,bjd->bij", v[:, 0], v[:, 1]))
    found, rules = relevance(product, x, seed, settings=how, attention="attnlrp")
    terms = x[0, 0][:, None] * x[0, 1][None]  # (i, j, d)
    total = terms.sum(-1)
    whole = total + eps * torch.where(total < 0, -1.0, 1.0).double()
    shares = terms / whole[..., None]
    if bias == "spread":
        shares = shares + (1 - total / whole)[..., None] * terms.abs() / terms.abs().sum(-1, keepdim=True)
    given = shares * seed[0, ..., None] / 2
    torch.testing.assert_close(found[0], torch.stack([given.sum(1), given.sum(0)]))
    assert rules.books.targets[0].gap < 1e-12


def test_addmm_is_a_product_and_a_sum():
    torch.manual_seed(0)
    b, w = torch.randn(3).double(), torch.randn(4, 3).double()
    layer = nn.Linear(4, 3).double()
    with torch.no_grad():
        layer.weight.copy_(2 * w.T)
        layer.bias.copy_(0.5 * b)
    x, seed = drawn_image(2, 4), drawn_image(2, 3)
    how = Settings(epsilon=1e-14, bias="absorb")
    truth, _ = relevance(layer, x, seed, settings=how)
    added = Net(lambda v: torch.addmm(b, v, w, beta=0.5, alpha=2))
    found, rules = relevance(added, x, seed, settings=how, sums="epsilon")
    torch.testing.assert_close(found, truth)
    assert rules.books.targets[1].gap < 1e-9


def placed(net, x):
    """Per operation with weights, in the order of its number of outputs: first, last, linear to the output."""
    found = {}

    class Noting(Relevance):
        def shared(self, at, parts, out, relevance):
            found[out.shape[1]] = at.first, at.last, at.last and at.linear_to_output
            return super().shared(at, parts, out, relevance)

    leaf = x.clone().requires_grad_()
    z = Noting(net, "lrp", ("epsilon", "z_plus", "flat"), Settings()).watched(net, leaf)
    torch.autograd.grad(z, leaf, torch.ones_like(z))
    return [found[k] for k in sorted(found)]


@pytest.mark.parametrize(
    ("end", "linear"),
    [
        (lambda z: z, True),
        (lambda z: F.interpolate(z, scale_factor=2.0)[:, :2] / 3 + 1, True),
        (torch.sigmoid, False),
        (lambda z: z.softmax(1), False),
    ],
)
def test_which_operations_are_first_and_last(end, linear):
    """The third one's output goes round the fourth on a skip connection, so it is not last."""
    one, two, three, four = (
        nn.Conv2d(a, b, 1).double().requires_grad_(False) for a, b in ((1, 2), (1, 3), (5, 4), (4, 5))
    )

    def net(x):
        joined = torch.cat([one(2 * x), two(x.relu())], 1)
        middle = three(joined)
        return end(four(middle) + F.pad(middle, (0, 0, 0, 0, 0, 1)))

    places = placed(Net(net), drawn_image(1, 1, 3, 3))
    assert places == [(True, False, False)] * 2 + [(False, False, False), (False, True, linear)]


def test_a_padded_edge_is_no_input_and_a_learned_token_is_a_bias():
    x = drawn_image(1, 1, 3, 3)
    conv = nn.Conv2d(1, 1, 3, bias=False).double()
    seed = drawn_image(1, 1, 3, 3).flip(-1)
    ours, _ = relevance(Padded(conv), x, seed, "flat")
    built_in, _ = relevance(nn.Conv2d(1, 1, 3, padding=1).double(), x, seed, "flat")
    torch.testing.assert_close(ours, built_in)
    normed, _ = relevance(nn.Sequential(Padded(conv), nn.BatchNorm2d(1).double().eval()), x, seed, "flat")
    torch.testing.assert_close(normed, built_in)
    token = torch.ones(1, 1, 3, 1).double()
    joined = Net(lambda v: torch.cat([token, v], -1))
    seed = drawn_image(1, 1, 3, 4)
    found, rules = relevance(joined, x, seed, settings=Settings(bias="absorb"))
    torch.testing.assert_close(found, seed[..., 1:])
    assert rules.books.targets[0].bias == pytest.approx(float(seed[..., 0].sum()))
    found, _ = relevance(joined, x, seed)
    torch.testing.assert_close(found, seed[..., 1:] + x.abs() / x.abs().sum() * seed[..., 0].sum())


class Padded(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        return self.conv(F.pad(x, (1, 1, 1, 1)))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: F.conv2d(x, x[:, :, :1, :1]), "conv2d of several tensors"),
        (lambda x: x ** x.abs(), "pow"),
        (lambda x: torch.linalg.vector_norm(x, dim=1), "linalg_vector_norm"),
        (lambda x: x.cumprod(2), "cumprod"),
        (lambda x: F.grid_sample(x, torch.zeros(1, 2, 2, 2).double(), align_corners=False), "grid_sample"),
    ],
)
def test_what_has_no_rule_is_refused_by_name(function, name):
    with pytest.raises(ModelError, match=f"no rule for.*{name}"):
        relevance(Net(function), drawn_image(1, 1, 3, 3), torch.ones(1).double())
