"""A data set of heads with and without tumours, which brightness does not tell apart: for weakly supervised segmentation."""
