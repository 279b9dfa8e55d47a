"""LRP rules written out with every single term ``z_ij``: slow, and with nothing in common with the package."""

from __future__ import annotations

import torch
from monai.inferers import sliding_window_inference
from torch import nn

from voxplain.attribution.backprop.relevance import Relevance
from voxplain.attribution.backprop.relevance_rules import COMPOSITES, Settings


def relevance(net, x, seed, rule="epsilon", *, settings=None, **kwargs):
    """Our relevance at the input of a network, given that at its output; and the rules."""
    composite = COMPOSITES.get(rule, (rule,) * 3)
    rules = Relevance(net, "lrp", composite, settings or Settings(), **kwargs)
    leaf = x.clone().requires_grad_()
    for p in net.parameters():
        p.requires_grad_(False)
    z = rules.watched(net, leaf)
    torch.testing.assert_close(z, net(x), rtol=1e-12, atol=1e-12)
    rules.books.open(seed)
    (found,) = torch.autograd.grad(z, leaf, seed)
    rules.after([(b, b) for b in range(len(x))])
    return found, rules


def dense(layer, x):
    """One sample's terms ``z_ij`` (outputs, inputs), structure and squared weights, and bias (outputs,) of a layer."""

    def matrix(change):
        other = type(layer).__new__(type(layer))
        other.__dict__ = {**layer.__dict__, "_parameters": dict(layer._parameters)}
        with torch.no_grad():
            other._parameters["weight"] = nn.Parameter(change(layer.weight), requires_grad=False)
        other._parameters["bias"] = None
        j = torch.autograd.functional.jacobian(lambda v: other(v), x)
        return j.reshape(-1, x.numel())

    z = layer(x)
    bias = z.flatten() - matrix(lambda w: w) @ x.flatten()
    terms = matrix(lambda w: w) * x.flatten()
    return terms, matrix(torch.ones_like), matrix(torch.square), bias


def truth(rule, layer, x, seed, *, eps=1e-6, gamma=0.25, alpha=2.0, absorb=True):
    """Every formula as in the papers, for one sample."""
    terms, ones, squares, bias = dense(layer, x)
    r, z = seed.flatten(), layer(x).flatten()
    if not absorb and rule != "epsilon":
        bias, eps = torch.zeros_like(bias), 0.0
        z = terms.sum(1)
    up, down = terms.clamp(min=0), terms.clamp(max=0)
    plus, minus = bias.clamp(min=0), bias.clamp(max=0)

    def by(parts, offset):
        total = parts.sum(1) + offset
        total = total + eps * torch.where(total < 0, -1.0, 1.0).double()
        return torch.where(total != 0, 1 / total, 0.0)[:, None] * parts

    if rule == "epsilon":
        shares = by(terms, bias)
    elif rule == "z_plus":
        shares = by(up, plus)
    elif rule == "alpha_beta":
        shares = alpha * by(up, plus) - (alpha - 1) * by(down, minus)
    elif rule == "gamma":
        above = by(terms + gamma * up, bias + gamma * plus)
        below = by(terms + gamma * down, bias + gamma * minus)
        shares = torch.where(z[:, None] > 0, above, below)
    else:
        weights = {"flat": ones, "w_square": squares}[rule]
        shares = by(weights, bias**2 if rule == "w_square" else 0.0)
    if not absorb:
        rest = 1 - shares.sum(1, keepdim=True)
        size = terms.abs().sum(1, keepdim=True)
        shares = shares + rest * torch.where(
            size > 0, terms.abs() / size.clamp(min=1e-300), ones / ones.sum(1, keepdim=True).clamp(min=1)
        )
    return (r @ shares).reshape(x.shape)


def brute(net, image, windows, score, explain):
    """Σ over windows of the relevance that starts at ``(∂F/∂z_w) ⊙ z_w``, all from MONAI's own inference."""
    where = torch.arange(image[0].numel(), dtype=torch.double).reshape(1, *image.shape[1:])
    parts = []

    def predict(patch):
        z = net(patch[:, :-1]).detach().requires_grad_()
        parts.append((patch[:, :-1], patch[:, -1], z))
        return z.clone()  # blended in place

    z = sliding_window_inference(
        torch.cat([image, where])[None], windows.roi, 1, predict, overlap=windows.overlap, mode=windows.blend
    )[0]
    label = z.argmax(0)
    maps = []
    for c in range(len(z)):
        others = z.detach().clone()
        others[c] = -torch.inf
        s = z[c] if score == "logit" else z[c] - z.gather(0, others.argmax(0)[None])[0]
        total = s[label == c].mean()
        cotangents = torch.autograd.grad(total, [p[2] for p in parts], retain_graph=True)
        out = torch.zeros_like(image).flatten(1)
        for (x, index, own), cotangent in zip(parts, cotangents, strict=True):
            out.index_add_(1, index.flatten().round().long(), explain(x, cotangent, own.detach()).flatten(1))
        maps.append((float(total.detach()), out.reshape(image.shape)))
    return maps
