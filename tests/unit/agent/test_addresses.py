"""Which addresses of a host are told."""

from backstay_agent.addresses import MOST_ADDRESSES
from backstay_api.objects.models.assignment import Facts


def test_as_many_are_told_as_the_api_server_takes() -> None:
    schema = Facts.model_json_schema(by_alias=True)["properties"]["addresses"]
    assert schema["maxItems"] == MOST_ADDRESSES
