"""Arrays in the text of a page."""

import base64

import numpy as np

from jaxmlp.types import AnyArray


def pack_array(values: AnyArray, dtype: str) -> dict[str, str]:
    """The values in this dtype, row by row."""
    little = np.asarray(values).astype(np.dtype(dtype).newbyteorder("<"))
    return {"dtype": dtype, "data": base64.b64encode(little.tobytes()).decode()}
