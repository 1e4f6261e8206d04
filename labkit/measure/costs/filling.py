"""Operations that write without reading what they overwrite, and those that move no data at all."""

from __future__ import annotations

from labkit.measure.costs.cost import Cost, Rule, nothing
from labkit.measure.costs.spec import TensorSpec, specs_in


def created(*_: object, **__: object) -> Cost:
    """A new tensor of constants or random numbers; a `_like` argument lends its shape only."""
    return Cost(0, reads=())


def overwritten(target: TensorSpec, *rest: object, **_: object) -> Cost:
    """`copy_`, `fill_`, `normal_`: everything but the target is read, the target is written."""
    return Cost(0, reads=list(specs_in(rest)), writes=[target])


def copied(target: object, source: object, *_: object, **__: object) -> Cost:
    """`_foreach_copy_` and `copy`: the second argument goes to the result, the first lends its shape."""
    return Cost(0, reads=list(specs_in(source)))


def optimizer_step(parameters: object, gradients: object, *state: object, **_: object) -> Cost:
    """A fused optimizer: parameters, gradients and moments are read, all but the gradients written back."""
    return Cost(0, writes=list(specs_in((parameters, *state[:4]))))


_CREATED = """arange eye full full_like linspace logspace new_full new_ones new_zeros ones ones_like rand rand_like
randint randint_like randn randn_like randperm range scalar_tensor tril_indices triu_indices zeros zeros_like
bartlett_window blackman_window hamming_window hann_window kaiser_window normal_functional _efficientzerotensor"""

_OVERWRITTEN = """copy_ fill_ zero_ normal_ uniform_ random_ bernoulli_ exponential_ geometric_ cauchy_ log_normal_"""

_NOTHING = """empty empty_like empty_permuted empty_strided new_empty new_empty_strided _unsafe_view lift lift_fresh
_reshape_alias detach_ t_ transpose_ squeeze_ unsqueeze_ as_strided_ swapaxes_ set_ resize_ resize_as_ record_stream
is_same_size is_set_to is_pinned sym_size sym_stride sym_numel sym_storage_offset sym_is_contiguous is_contiguous size
stride numel dim storage_offset _fused_sdp_choice _has_same_storage_numel _assert_scalar _assert_tensor_metadata
_lazy_clone sym_constrain_range sym_constrain_range_for_size qscheme q_scale q_zero_point q_per_channel_axis dense_dim
_nnz _dimI _dimV is_coalesced is_strides_like_format is_non_overlapping_and_dense"""

_OPTIMIZERS = "_fused_adam_ _fused_adamw_ _fused_sgd_ _fused_adagrad_"

RULES: dict[str, Rule] = {
    **{f"aten::{name}": created for name in _CREATED.split()},
    **{f"aten::{name}": overwritten for name in _OVERWRITTEN.split()},
    **{f"aten::{name}": nothing for name in _NOTHING.split()},
    **{f"aten::{name}": optimizer_step for name in _OPTIMIZERS.split()},
    **dict.fromkeys(("aten::copy", "aten::_foreach_copy_"), copied),
    "prim::device": nothing,
    "prim::layout": nothing,
    "profiler::_record_function_enter_new": nothing,
    "profiler::_record_function_exit": nothing,
}
