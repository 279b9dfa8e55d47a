"""How good decisions and masks are, with intervals over patients and the supervision that each number cost."""

from voxplain.inherent.bootstrap import Interval, intervals
from voxplain.inherent.evaluate.boxes import BoxAccuracy, max_box_acc
from voxplain.inherent.evaluate.classification import classification
from voxplain.inherent.evaluate.froc import Froc, Marks, froc, marks
from voxplain.inherent.evaluate.independent import independent
from voxplain.inherent.evaluate.localisation import Asked, localisation
from voxplain.inherent.evaluate.map_quality import DiceCurve, dice_curve, map_quality
from voxplain.inherent.evaluate.pixels import PixelHistogram, pixel_average_precision
from voxplain.inherent.evaluate.rows import Result, write_rows
from voxplain.inherent.evaluate.strata import class_strata, lesion_sizes, size_strata
from voxplain.inherent.evaluate.surfaces import assd, hd95
from voxplain.inherent.evaluate.table import Protocol, all_thresholds, compare
from voxplain.inherent.overlap import dice, iou

__all__ = [
    "Asked",
    "BoxAccuracy",
    "DiceCurve",
    "Froc",
    "Interval",
    "Marks",
    "PixelHistogram",
    "Protocol",
    "Result",
    "all_thresholds",
    "assd",
    "class_strata",
    "classification",
    "compare",
    "dice",
    "dice_curve",
    "froc",
    "hd95",
    "independent",
    "intervals",
    "iou",
    "lesion_sizes",
    "localisation",
    "map_quality",
    "marks",
    "max_box_acc",
    "pixel_average_precision",
    "size_strata",
    "write_rows",
]
