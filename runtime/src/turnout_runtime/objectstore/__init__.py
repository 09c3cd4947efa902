"""Object stores (s3, gs, az) through obstore: opened, and their failures told, in one place.

Credentials, region and endpoint come from the environment under the stores' own names: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL; GOOGLE_SERVICE_ACCOUNT; AZURE_STORAGE_ACCOUNT_NAME, ….
"""

from turnout_runtime.objectstore.explain import Cause, Explained, explain
from turnout_runtime.objectstore.store import SCHEMES, StoreMissing, is_remote, open_store

__all__ = ["SCHEMES", "Cause", "Explained", "StoreMissing", "explain", "is_remote", "open_store"]
