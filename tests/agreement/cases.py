"""What is compared: every public function that computes, and how a case of it is drawn."""

from collections.abc import Callable, Mapping

from hypothesis import strategies as st

from kerneltools.landmarks import RPCholesky
from tests.agreement import of_grids, of_kernels, of_landmarks, of_random_maps, of_rows, of_solvers, of_statistics
from tests.agreement.case import Case, Draw

CASES: Mapping[str, Callable[[Draw, bool], Case]] = {
    "arrays.safe_sqrt": of_rows.roots,
    "kernels: k(x, y)": of_rows.kernel_matrix,
    "kernels: k.diag(x)": of_rows.kernel_diagonal,
    "kernels: stationary": of_kernels.stationary,
    "kernels: a length for each column": of_kernels.lengths,
    "kernels: dot products": of_kernels.dot_products,
    "kernels: histograms": of_kernels.histograms,
    "kernels: composites": of_kernels.composites,
    "kernels.Precomputed": of_kernels.precomputed,
    "kernels.base.row_norms": of_rows.norms,
    "kernels.profiles": of_rows.profile_values,
    "kernels.square_distances": of_rows.distances,
    "landmarks.BLESS": of_landmarks.bless,
    "landmarks.Given": of_landmarks.given,
    "landmarks.Greedy": of_landmarks.greedy,
    "landmarks.KMeans": of_landmarks.kmeans,
    "landmarks.KMeansPlusPlus": of_landmarks.kmeans_plus_plus,
    "landmarks.MiniBatchKMeans": of_landmarks.minibatch_kmeans,
    "landmarks.RPCholesky": of_landmarks.rpcholesky,
    "landmarks.RPCholesky of a matrix": of_landmarks.of_a_matrix(RPCholesky),
    "landmarks.RidgeLeverage": of_landmarks.ridge_leverage,
    "landmarks.SphericalKMeans": of_landmarks.spherical_kmeans,
    "landmarks.Uniform": of_landmarks.uniform,
    "learning.GeneralisedCrossValidation": of_statistics.generalised,
    "learning.HoldOut": of_statistics.hold_out,
    "learning.LeaveOneOut": of_statistics.leave_one_out,
    "learning.hsic": of_statistics.criterion,
    "learning.independence_test": of_statistics.criteria,
    "learning.kernel_kmeans": of_statistics.clusters,
    "learning.kernel_pca": of_statistics.components,
    "learning.mmd": of_statistics.discrepancy,
    "learning.two_sample_test": of_statistics.discrepancies,
    "linalg.cholesky_factor": of_rows.cholesky,
    "linalg.conjugate_gradient": of_solvers.steps,
    "linalg.inverse_sqrt": of_rows.inverse_root,
    "linalg.lyapunov": of_rows.lyapunov,
    "maps.arccos": of_random_maps.arccos,
    "maps.chi2": of_random_maps.chi2,
    "maps.fourier": of_random_maps.fourier,
    "maps.fourier, independent frequencies": of_random_maps.independent_fourier,
    "maps.maclaurin": of_random_maps.maclaurin,
    "maps.positive": of_random_maps.positive,
    "maps.Sum and maps.Product": of_random_maps.composite,
    "maps.tensor_sketch": of_random_maps.tensor_sketch,
    "maps.nystrom": of_rows.exact_nystrom_map,
    "maps.nystrom with reg": of_rows.nystrom_map,
    "patches.Grid.extract": of_grids.grid_patches,
    "pooling": of_grids.pool,
    "primitives.exponential_response": of_rows.responses,
    "primitives.extract_patches": of_grids.patches,
    "primitives.fold_patches": of_grids.folded,
    "primitives.index_add": of_rows.added_rows,
    "primitives.pad": of_grids.padded,
    "primitives.patch_gram": of_grids.grams,
    "primitives.reciprocal": of_rows.reciprocals,
    "primitives.segment_max": of_rows.segment_maxima,
    "primitives.segment_sum": of_rows.segment_sums,
    "primitives.solve_triangular": of_rows.triangular,
    "primitives.window_sum": of_grids.sums,
    "random": of_rows.draws,
    "solvers.falkon": of_solvers.iterative_ridge,
    "solvers.fit_kernel": of_solvers.classifier,
    "solvers.kernel_ridge": of_solvers.direct_ridge,
    "solvers.nystrom_pcg": of_solvers.full_ridge,
    "solvers.path_of": of_solvers.path,
    "solvers.ridge, in y": of_rows.ridge_targets,
    "solvers.ridge_path": of_rows.ridge_solutions,
    "solvers.ridge_path of the rows": of_solvers.rows_path,
    "solvers.ridge_sums": of_solvers.sums,
    "ckn.Layer": of_grids.layer,
    "ckn.Layer: residual": of_grids.certificate,
    "ckn.Network": of_grids.network,
    "ckn.exact.gram": of_grids.exact_gram,
    "ckn.preprocessing.ContrastNormalise": of_grids.contrast,
    "ckn.preprocessing.Scale": of_grids.scaled,
    "ckn.preprocessing.Whiten": of_grids.whitened,
    "ckn.preprocessing.normalise_features": of_rows.features,
}
"""The rows of the table of capabilities, and how a case of each is drawn."""


@st.composite
def cases(draw: Draw, name: str, few: bool) -> Case:
    """A case of the function `name`; of few sizes where each new one costs a compilation."""
    return CASES[name](draw, few)
