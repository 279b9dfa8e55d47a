"""Classifiers that explain themselves: the evidence map is the decision, and it segments.

Names are imported when they are first used: importing the room loads neither torch nor numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxplain.lazy import lazily

# Module -> its public names, as words. The block for type checkers repeats them.
_MODULES = {
    "voxplain.inherent.classifier": "EvidenceClassifier",
    "voxplain.inherent.data": (
        "Augment AugmentSettings Sample Samples Split cross_validation given_split near_duplicates "
        "read_brats read_csv read_figshare read_folders read_npz slices_of split_samples"
    ),
    "voxplain.inherent.evaluate": "Asked Protocol Result classification compare independent localisation map_quality",
    "voxplain.inherent.evidence": "Explanation",
    "voxplain.inherent.maps": "Maps",
    "voxplain.inherent.maps_file": "read_maps write_maps",
    "voxplain.inherent.mask": "Components DenseCrf RandomWalker Segmentation",
    "voxplain.inherent.networks": "GPReconResNet GPShuffleUNet GPUNet make_network network_names wrap",
    "voxplain.inherent.pools": "LogSumExp Max Mean NoisyOr Pool SoftmaxWeighted TopK make_pool pool_names",
    "voxplain.inherent.posthoc": "maps_by",
    "voxplain.inherent.running": (
        "Evaluation Task cost cost_of_evaluation evaluate_inherent predict_inherent prepare_task train_inherent "
        "trained_network"
    ),
    "voxplain.inherent.score_map": "ClassScore ImageIntensity RandomMap",
    "voxplain.inherent.settings": "InherentSettings load_inherent",
    "voxplain.inherent.threshold": (
        "HealthyQuantile HeldOutMasks MultiOtsu Oracle Otsu ZeroEvidence parse_threshold"
    ),
    "voxplain.inherent.training": "TrainingSettings predict train",
    "voxplain.inherent.uncertainty": "Committee Mirrored Temperature all_flips ensemble repeated spread turned",
}
_EXPORTS = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = list(_EXPORTS)

if TYPE_CHECKING:
    from voxplain.inherent.classifier import EvidenceClassifier as EvidenceClassifier
    from voxplain.inherent.data import (
        Augment as Augment,
        AugmentSettings as AugmentSettings,
        Sample as Sample,
        Samples as Samples,
        Split as Split,
        cross_validation as cross_validation,
        given_split as given_split,
        near_duplicates as near_duplicates,
        read_brats as read_brats,
        read_csv as read_csv,
        read_figshare as read_figshare,
        read_folders as read_folders,
        read_npz as read_npz,
        slices_of as slices_of,
        split_samples as split_samples,
    )
    from voxplain.inherent.evaluate import (
        Asked as Asked,
        Protocol as Protocol,
        Result as Result,
        classification as classification,
        compare as compare,
        independent as independent,
        localisation as localisation,
        map_quality as map_quality,
    )
    from voxplain.inherent.evidence import Explanation as Explanation
    from voxplain.inherent.maps import Maps as Maps
    from voxplain.inherent.maps_file import read_maps as read_maps, write_maps as write_maps
    from voxplain.inherent.mask import (
        Components as Components,
        DenseCrf as DenseCrf,
        RandomWalker as RandomWalker,
        Segmentation as Segmentation,
    )
    from voxplain.inherent.networks import (
        GPReconResNet as GPReconResNet,
        GPShuffleUNet as GPShuffleUNet,
        GPUNet as GPUNet,
        make_network as make_network,
        network_names as network_names,
        wrap as wrap,
    )
    from voxplain.inherent.pools import (
        LogSumExp as LogSumExp,
        Max as Max,
        Mean as Mean,
        NoisyOr as NoisyOr,
        Pool as Pool,
        SoftmaxWeighted as SoftmaxWeighted,
        TopK as TopK,
        make_pool as make_pool,
        pool_names as pool_names,
    )
    from voxplain.inherent.posthoc import maps_by as maps_by
    from voxplain.inherent.running import (
        Evaluation as Evaluation,
        Task as Task,
        cost as cost,
        cost_of_evaluation as cost_of_evaluation,
        evaluate_inherent as evaluate_inherent,
        predict_inherent as predict_inherent,
        prepare_task as prepare_task,
        train_inherent as train_inherent,
        trained_network as trained_network,
    )
    from voxplain.inherent.score_map import (
        ClassScore as ClassScore,
        ImageIntensity as ImageIntensity,
        RandomMap as RandomMap,
    )
    from voxplain.inherent.settings import (
        InherentSettings as InherentSettings,
        load_inherent as load_inherent,
    )
    from voxplain.inherent.threshold import (
        HealthyQuantile as HealthyQuantile,
        HeldOutMasks as HeldOutMasks,
        MultiOtsu as MultiOtsu,
        Oracle as Oracle,
        Otsu as Otsu,
        ZeroEvidence as ZeroEvidence,
        parse_threshold as parse_threshold,
    )
    from voxplain.inherent.training import (
        TrainingSettings as TrainingSettings,
        predict as predict,
        train as train,
    )
    from voxplain.inherent.uncertainty import (
        Committee as Committee,
        Mirrored as Mirrored,
        Temperature as Temperature,
        all_flips as all_flips,
        ensemble as ensemble,
        repeated as repeated,
        spread as spread,
        turned as turned,
    )


__getattr__, __dir__ = lazily(__name__, _EXPORTS)
