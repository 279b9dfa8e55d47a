"""Modified backward passes: every operation of the forward pass is seen, and a rule says how it is gone back through.

`Interceptor` sees the operations (functional, reused and in-place ones too, which module hooks miss), `operations`
knows what kind each is, `Rules` says what to do with a kind, `audit` finds operations that no rule saw.
"""

from voxplain.attribution.backprop.call import Call, Ruled
from voxplain.attribution.backprop.rules import Rules

__all__ = ["Call", "Ruled", "Rules"]
