"""Operations that read every input once and write every output once: copies, reductions, norms, pooling, resampling.

Pointwise operations and views carry a tag or a schema that says so and need no entry. A kernel may in truth pass over
its input twice (softmax, sort); what it must move is what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from labkit.measure.costs.cost import Cost, Rule, stream
from labkit.measure.costs.spec import TensorSpec, specs_in


def batch_norm(
    x: TensorSpec,
    weight: TensorSpec | None,
    bias: TensorSpec | None,
    mean: TensorSpec | None,
    variance: TensorSpec | None,
    training: bool,
    *_: object,
    out: Sequence[TensorSpec],
    **__: object,
) -> Cost:
    """`native_batch_norm` updates its running statistics although its schema does not say so."""
    kept = [mean, variance] if training else []
    return Cost(0, writes=[*specs_in(out), *(s for s in kept if s is not None)])


_COPIES = """clone _to_copy cat _chunk_cat stack _stack constant_pad_nd roll flip rot90 repeat repeat_interleave
tril triu diag_embed block_diag channel_shuffle pixel_shuffle pixel_unshuffle im2col col2im unfold_backward _pin_memory
unsafe_split unsafe_split_with_sizes lift_fresh_copy slice_backward select_backward diagonal_backward slice_scatter
select_scatter diagonal_scatter as_strided_scatter reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d
replication_pad2d replication_pad3d reflection_pad1d_backward reflection_pad2d_backward reflection_pad3d_backward
replication_pad1d_backward replication_pad2d_backward replication_pad3d_backward complex polar copysign"""

_REDUCTIONS = """_aminmax _is_all_true _is_any_true _local_scalar_dense _logcumsumexp logcumsumexp cumsum cumprod cummax
cummin _cummax_helper _cummin_helper dist trace median nanmedian mode kthvalue sort topk searchsorted bucketize histc
bincount isin equal allclose unique_consecutive unique_dim _unique _unique2 nonzero nonzero_static multinomial
masked_select renorm _linalg_check_errors _assert_async segment_reduce linalg_vector_norm"""

_SOFTMAX = """_softmax _log_softmax _safe_softmax _masked_softmax _softmax_backward_data _log_softmax_backward_data
_masked_softmax_backward logsumexp softmax log_softmax"""

_NORMS = """native_layer_norm native_layer_norm_backward native_group_norm native_group_norm_backward
native_batch_norm_backward _native_batch_norm_legit _native_batch_norm_legit_no_training _batch_norm_no_update
_batch_norm_with_update batch_norm_backward batch_norm_stats batch_norm_elemt cudnn_batch_norm_backward _fused_rms_norm
_fused_rms_norm_backward _weight_norm_interface _weight_norm_interface_backward"""

_POOLING = """avg_pool1d avg_pool2d avg_pool3d max_pool2d_with_indices max_pool3d_with_indices _adaptive_avg_pool2d
_adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d adaptive_avg_pool2d adaptive_avg_pool3d avg_pool2d_backward
avg_pool3d_backward max_pool2d_with_indices_backward max_pool3d_with_indices_backward _adaptive_avg_pool2d_backward
_adaptive_avg_pool3d_backward adaptive_max_pool2d_backward adaptive_max_pool3d_backward upsample_nearest1d
upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d
_upsample_bilinear2d_aa _upsample_bicubic2d_aa upsample_nearest1d_backward upsample_nearest2d_backward
upsample_nearest3d_backward upsample_linear1d_backward upsample_bilinear2d_backward upsample_bicubic2d_backward
upsample_trilinear3d_backward fractional_max_pool2d fractional_max_pool2d_backward
grid_sampler_2d grid_sampler_3d grid_sampler_2d_backward"""

_POINTWISE_UNTAGGED = """_prelu_kernel _prelu_kernel_backward _masked_scale _fused_dropout native_dropout glu
glu_backward elu_backward hardshrink_backward hardsigmoid_backward hardswish hardswish_backward hardtanh_backward
leaky_relu_backward rrelu_with_noise rrelu_with_noise_backward
log_sigmoid_forward log_sigmoid_backward softplus_backward softshrink_backward mse_loss
mse_loss_backward huber_loss huber_loss_backward smooth_l1_loss smooth_l1_loss_backward soft_margin_loss
binary_cross_entropy binary_cross_entropy_backward binary_cross_entropy_with_logits floor_divide rsub bernoulli
_amp_foreach_non_finite_check_and_unscale_ _amp_update_scale_ embedding_dense_backward _thnn_fused_lstm_cell
_thnn_fused_gru_cell dequantize quantize_per_tensor quantize_per_tensor_dynamic quantize_per_channel int_repr normal
_fake_quantize_per_tensor_affine_cachemask_tensor_qparams fake_quantize_per_tensor_affine_cachemask
fake_quantize_per_channel_affine_cachemask index_put index_add index_copy index_fill scatter scatter_add scatter_reduce
put masked_scatter masked_scatter_ embedding_renorm_ _embedding_bag_dense_backward"""

_VIEW_COPIES = """alias as_strided diagonal expand narrow permute select slice split split_with_sizes squeeze t
transpose unbind unfold unsqueeze view view_as_complex view_as_real _reshape"""

_NAMES = (_COPIES, _REDUCTIONS, _SOFTMAX, _NORMS, _POOLING, _POINTWISE_UNTAGGED)

RULES: dict[str, Rule] = {
    **{f"aten::{name}": stream for group in _NAMES for name in group.split()},
    **{f"aten::{name}_copy": stream for name in _VIEW_COPIES.split()},
    **dict.fromkeys(("aten::native_batch_norm", "aten::cudnn_batch_norm"), batch_norm),
}
