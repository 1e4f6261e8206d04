"""What operations cost: FLOPs and bytes from shapes, one small file a family.

The rules know no model and measure nothing. Higher rooms state the cost of their own operations with `register_cost`;
what nobody stated is unknown, never free.

Legend: `B H S D` batch, heads, sequence, head width; `M N K` rows, columns and inner length of a product; `T E` rows
and experts of a grouped product; `N C` batch and channels of a convolution.
"""

from labkit.measure.costs.cost import Cost, Rule
from labkit.measure.costs.registry import register_cost
from labkit.measure.costs.spec import Part, TensorSpec

__all__ = ["Cost", "Part", "Rule", "TensorSpec", "register_cost"]
