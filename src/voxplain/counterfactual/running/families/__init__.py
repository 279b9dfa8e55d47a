"""How each family of images is made, written and read."""

from __future__ import annotations

from voxplain.counterfactual.running.families.autoencoding import AutoencoderFamily
from voxplain.counterfactual.running.families.components import PcaFamily
from voxplain.counterfactual.running.families.diffusing import DiffusionFamily
from voxplain.counterfactual.running.families.family import Family
from voxplain.counterfactual.running.families.foreign import ForeignFamily
from voxplain.counterfactual.running.families.styles import StyleFamily
from voxplain.counterfactual.settings.config import GeneratorSettings
from voxplain.errors import InputError, suggest

_FAMILIES: dict[str, type[Family]] = {
    "pca": PcaFamily,
    "autoencoder": AutoencoderFamily,
    "stylegan": StyleFamily,
    "diffusion": DiffusionFamily,
    "module": ForeignFamily,
}


def family_of(asked: GeneratorSettings) -> Family:
    """The family with its parameters.

    Raises:
        InputError: an unknown parameter, or one that cannot be.
    """
    check_parameters(asked)
    return _FAMILIES[asked.family](asked)


def check_parameters(asked: GeneratorSettings) -> None:
    """Refuse what the family does not know.

    Raises:
        InputError: an unknown parameter, or one that cannot be.
    """
    known = _FAMILIES[asked.family].parameters
    for name in asked.parameters:
        if known is not None and name not in known:
            raise InputError(
                f"generator.parameters: unknown key {name!r} of {asked.family}; {suggest(name, known)}"
            )
    _FAMILIES[asked.family](asked).check()


__all__ = ["Family", "check_parameters", "family_of"]
