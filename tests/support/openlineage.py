"""Checks events against OpenLineage's own classes, which are generated from its schemas."""

import types
from typing import Any, Union, get_args, get_origin, get_type_hints

from openlineage.client import event_v2
from openlineage.client.generated import (
    base,
    base_subset_dataset,
    dataset_version_dataset,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    schema_dataset,
    sql_job,
    tags_run,
)
from openlineage.client.serde import Serde

# The facet of each name, by what it is a facet of.
FACETS: dict[str, dict[str, type]] = {
    "run": {"nominalTime": nominal_time_run.NominalTimeRunFacet, "tags": tags_run.TagsRunFacet,
            "errorMessage": error_message_run.ErrorMessageRunFacet},
    "job": {"jobType": job_type_job.JobTypeJobFacet, "sql": sql_job.SQLJobFacet},
    "dataset": {"version": dataset_version_dataset.DatasetVersionDatasetFacet,
                "schema": schema_dataset.SchemaDatasetFacet},
    "input": {"subset": base_subset_dataset.InputSubsetInputDatasetFacet,
              "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet},
    "output": {"subset": base_subset_dataset.OutputSubsetOutputDatasetFacet,
               "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet},
}  # fmt: skip
CONDITIONS = {"partition": base_subset_dataset.PartitionSubsetCondition}


def check_event(event: dict[str, Any]) -> None:
    """Raise unless an event is one of OpenLineage's: no field unknown, none missing, each of its type."""
    made = event_v2.RunEvent(
        eventType=base.EventType(event["eventType"]), eventTime=event["eventTime"], producer=event["producer"],
        run=base.Run(event["run"]["runId"], facets=_facets("run", event["run"]["facets"])),
        job=base.Job(event["job"]["namespace"], event["job"]["name"], facets=_facets("job", event["job"]["facets"])),
        inputs=[base.InputDataset(one["namespace"], one["name"], facets=_facets("dataset", one["facets"]),
                                  inputFacets=_facets("input", one["inputFacets"])) for one in event["inputs"]],
        outputs=[base.OutputDataset(one["namespace"], one["name"], facets=_facets("dataset", one["facets"]),
                                    outputFacets=_facets("output", one["outputFacets"])) for one in event["outputs"]],
    )  # fmt: skip
    assert _without_empty(Serde.to_dict(made)) == _without_empty(event)


def _facets(of: str, facets: dict[str, Any]) -> dict[str, Any]:
    return {name: _built(FACETS[of][name], value) for name, value in facets.items()}


def _built(kind: Any, value: Any) -> Any:
    """Return a value of a type, built from JSON; raise TypeError for a field too many, too few, or of another type."""
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [one for one in get_args(kind) if one is not type(None)]
        if isinstance(value, dict) and "type" in value:
            return _built(CONDITIONS[value["type"]], value)
        return None if value is None else _built(kinds[0], value)
    if get_origin(kind) is list:
        assert isinstance(value, list), value
        return [_built(get_args(kind)[0], one) for one in value]
    fields = getattr(kind, "__attrs_attrs__", None)
    if fields is None:
        if get_origin(kind) is not dict and kind is not Any and not isinstance(value, kind):
            raise TypeError(f"{value!r} is not {kind}")
        return value
    value = dict(value)
    producer, schema = value.pop("_producer", None), value.pop("_schemaURL", None)
    hints = get_type_hints(kind)
    if unknown := value.keys() - {one.name for one in fields}:
        raise TypeError(f"{kind.__name__} has no {', '.join(unknown)}")
    given = {name: _built(hints[name], one) for name, one in value.items()}
    if producer is None:
        return kind(**given)
    made = kind(**given, producer=producer)
    if made._schemaURL != schema:
        raise TypeError(f"{schema} is not {made._schemaURL}")
    return made


def _without_empty(value: Any) -> Any:
    """Return JSON without the empty lists that OpenLineage's client adds."""
    if isinstance(value, dict):
        return {name: _without_empty(one) for name, one in value.items() if one != []}
    return [_without_empty(one) for one in value] if isinstance(value, list) else value
