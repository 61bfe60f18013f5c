"""What the names of a method's counts mean, for reports."""

from __future__ import annotations

__all__ = ["MEANING"]

#: name of a count -> what was counted
MEANING = {
    "gaussians": "Gaussians of the scene",
    "in_front": "Gaussians in front of the camera's near plane",
    "visible": "Gaussians left after culling, projected to the image",
    "pairs": "Gaussian-tile pairs: entries of all tiles' lists",
    "candidates": "tiles of the visible Gaussians' axis-aligned boxes",
    "oriented_tests": "Gaussians long enough to be tested with an oriented box",
    "tiles": "tiles of the image",
    "tiles_with_pairs": "tiles with at least one Gaussian",
    "empty_tiles": "tiles without a Gaussian",
    "longest_list": "pairs of the fullest tile",
    "pixels": "pixels of the image",
    "consumed": "list entries used before every pixel of the tile was done",
    "fetched": "list entries loaded, in whole batches",
    "colour_reads": "list entries that added to a pixel, so that their colour was read",
    "alpha_tests": "opacity evaluations: a Gaussian at a pixel that is not done",
    "alpha_passed": "opacity evaluations that reached 1/255",
    "blends": "additions of a Gaussian to a pixel",
    "saturated": "pixels done before their list's end",
    "saturated_pixels": "pixels done before the last voxel",
    "warp_iterations": "list entries summed over warps until all lanes were done",
    "warp_blend_iterations": "those in which at least one lane blended",
    "subtile_entries": "(list entry, subtile) that the bitmaps mark",
    "subtile_work": "(Gaussian, subtile) rendered after skipping and early end",
    "sort_passes": "pivot passes of the hierarchical sort",
    "sort_moved": "entries that those passes moved",
    "buckets": "depth chunks that were sorted precisely",
    "grid_cells": "cells of the voxel grid",
    "voxels_occupied": "voxels with at least one Gaussian",
    "gaussians_per_voxel_median": "Gaussians of an occupied voxel, median",
    "gaussians_per_voxel_max": "Gaussians of the fullest voxel",
    "groups": "pixel groups of the image",
    "groups_with_voxels": "groups whose rays cross an occupied voxel",
    "ray_steps": "cells stepped through by the rays that build the tables",
    "voxels_queued": "(group, voxel) that the rays found",
    "visits": "(group, voxel) streamed before the group was done",
    "voxels_per_group": "voxels queued for a group that has any, mean",
    "loaded": "Gaussians loaded, once per visit of their voxel",
    "loaded_per_group": "Gaussians loaded for a group with voxels, mean",
    "coarse_pass": "loaded Gaussians that passed the coarse filter",
    "fine_pass": "loaded Gaussians that passed the fine filter, too",
    "coarse_pass_fraction": "coarse pass / loaded",
    "fine_pass_fraction": "fine pass / loaded",
    "filtered_fraction": "loaded Gaussians that a filter removed / loaded",
    "lost_to_coarse_filter": "Gaussians that only the fine filter would keep: quantisation made "
    "them larger than their largest scale as stored",
    "misordered_group_fraction": "Gaussians behind a deeper one of their pixel group / all "
    "Gaussians that groups rendered",
    "misordered_size_fraction": "the same, each weighted by its largest scale",
    "misordered_pixel_fraction": "blending weight behind something deeper in the same pixel / all "
    "blending weight",
    "vq_saving_with_filter_packed_fraction": "voxel bytes that codebooks save / those of the same "
    "survivors in FP32, records alone",
    "vq_saving_with_filter_bursts_fraction": "the same, in whole bursts of 32 bytes",
    "vq_saving_without_filter_packed_fraction": "voxel bytes not read / all parameters of all "
    "loaded Gaussians in FP32, records alone",
    "vq_saving_without_filter_bursts_fraction": "the same, in whole bursts of 32 bytes",
    "uncovered_pair_fraction": "pairs whose voxel no ray of the group crosses / all pairs of the "
    "reference",
    "misordered_pair_fraction": "pairs behind a deeper Gaussian of their tile, in voxel order / "
    "all pairs of the reference",
}
