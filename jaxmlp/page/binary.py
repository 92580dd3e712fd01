"""Arrays in the text of a page."""

import base64
from typing import Any

import numpy as np
from jaxtyping import Shaped

from jaxmlp.types import AnyArray


def pack_array(values: AnyArray, dtype: str) -> dict[str, str]:
    """The values in this dtype, row by row."""
    little = np.asarray(values).astype(np.dtype(dtype).newbyteorder("<"))
    return {"dtype": dtype, "data": base64.b64encode(little.tobytes()).decode()}


def pack_images(images: Shaped[np.ndarray, "images ..."]) -> dict[str, Any]:
    """Bytes as they are, others in single precision."""
    return {"images": pack_array(images, "uint8" if images.dtype == np.uint8 else "float32")}
