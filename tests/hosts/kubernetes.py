"""The models of Kubernetes' own API, as dataclasses.

They are those of the client lightkube, of which they want three names and nothing else.
"""

import dataclasses
import sys
from types import ModuleType

schema = ModuleType("lightkube.core.schema")
schema.dataclass, schema.field, schema.DictMixin = dataclasses.dataclass, dataclasses.field, object

sys.modules |= {"lightkube.core": ModuleType("lightkube.core"), schema.__name__: schema}

from lightkube.models import apps_v1, batch_v1, core_v1  # noqa: E402  they are looked for while it is imported

KINDS = {"Deployment": apps_v1.Deployment, "CronJob": batch_v1.CronJob, "Service": core_v1.Service}
