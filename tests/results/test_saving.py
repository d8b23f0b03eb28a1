"""What a saved fit must hold; the files themselves are tested in `tests/storage`."""

from __future__ import annotations

import dataclasses

from mixedsparse.api.storage.records import RECORDS


def test_every_field_of_every_class_is_stored_or_follows_from_others():
    for tag, record in RECORDS.items():
        if dataclasses.is_dataclass(record.cls):
            known = {field.name for field in dataclasses.fields(record.cls)}
            assert known == {*record.fields, *record.rebuilt}, f"{tag}: list new fields in api/storage/records.py"
