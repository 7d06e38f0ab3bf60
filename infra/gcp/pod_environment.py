"""What containers are told so that Google's SDKs open the lake with the grants that they have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Otherwise gcsfs asks for the bucket, and for its storage layout at each open, in case the bucket is hierarchical or
# zonal. The lake's are neither, and a grant for a prefix refuses both (gcsfs/extended_gcsfs.py of 2026.10.1). Google's
# own client asks for the bucket beside each first call, to say in traces where it is.
LAKE_ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA": "true",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    }
)
