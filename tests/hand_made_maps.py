"""Maps made by hand or by a seed, that several tests share."""

from __future__ import annotations

import numpy as np

from voxplain.inherent.maps import Maps


def maps_of(contrasts, *, labels=None, masks=None, groups=None, ids=None, logits=None, **more) -> Maps:
    """Two classes, healthy 0; evidence whose contrast (class 1 less healthy) is what is given."""
    n = len(contrasts)
    labels = [1] * n if labels is None else labels
    ids = ids or [f"c{i:03d}" for i in range(n)]
    evidence = [np.stack([np.zeros_like(c), c]).astype(np.float32) for c in map(np.asarray, contrasts)]
    logits = [[0.0, 1.0] if label else [1.0, 0.0] for label in labels] if logits is None else logits
    groups = groups or [f"p{i:03d}" for i in range(n)]
    return Maps(tuple(ids), tuple(groups), evidence, logits, np.array(labels), masks or (), **more)


def blobs(
    n=24, shape=(20, 22), seed=0, healthy_every=3, prefix="c", spacing=None, per_patient=1, classes=3
) -> Maps:
    """Noisy evidence with a square lesion of a class in most cases; healthy ones are zero but for noise."""
    rng = np.random.default_rng(seed)
    evidence, masks, images, labels = [], [], [], []
    for i in range(n):
        label = 0 if i % healthy_every == 0 else 1 + i % (classes - 1)
        mask = np.zeros(shape, bool)
        maps = rng.normal(0, 0.3, (classes, *shape))
        if label:
            at = [int(rng.integers(1, s - 9)) for s in shape]
            mask[tuple(slice(a, a + int(rng.integers(3, 8))) for a in at)] = True
            maps[label][mask] += 2 + rng.normal(0, 0.8, mask.sum())
        images.append((mask + rng.normal(0, 0.5, shape))[None].astype(np.float32))
        evidence.append(maps.astype(np.float32))
        masks.append(mask)
        labels.append(label)
    logits = rng.normal(0, 1.2, (n, classes)) + 2 * np.eye(classes)[labels]
    names = tuple(f"{prefix}{i:03d}" for i in range(n))
    groups = tuple(f"{prefix}-patient{i // per_patient:03d}" for i in range(n))
    return Maps(names, groups, evidence, logits, np.array(labels), masks, images, [spacing] * n)


def shuffled(maps: Maps, seed=5) -> Maps:
    return maps.take(np.random.default_rng(seed).permutation(len(maps)))
