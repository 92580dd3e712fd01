"""Every test runs with shapes checked by beartype and with rank promotion forbidden."""

import jax
from jaxtyping import install_import_hook

install_import_hook("jaxmlp", "beartype.beartype")
jax.config.update("jax_numpy_rank_promotion", "raise")
