"""The tests; the names of the schemas are settled before anything of queue_worker is imported."""

from tests.support.schemas import use_other_schemas

use_other_schemas()
