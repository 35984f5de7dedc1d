"""Which providers there are, what they speak, and whether they may be used here."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from turnlog.domain.errors import InvalidProvider, MissingConfiguration, UnsupportedApi
from turnlog.domain.ports import ModelProvider


class ProviderEntry(Struct, frozen=True, kw_only=True):
    """A provider: its APIs, an example of its models, and the variable that configures it.

    `apis` maps each API's name to its adapter, or to None where the provider is
    not configured.
    """

    provider_id: str
    name: str
    variable: str | None
    apis: Mapping[str, ModelProvider | None]
    models: tuple[str, ...] = ()

    @property
    def configured(self) -> bool:
        """Whether it may be used."""
        return all(adapter is not None for adapter in self.apis.values())


class Models:
    """The providers of this server."""

    def __init__(self, providers: tuple[ProviderEntry, ...]) -> None:
        self._providers = {entry.provider_id: entry for entry in providers}

    def all(self) -> list[ProviderEntry]:
        """All that are known, configured or not."""
        return list(self._providers.values())

    def provider(self, provider_id: str) -> ProviderEntry:
        """One of them; raises `InvalidProvider`, which names all."""
        entry = self._providers.get(provider_id)
        if entry is None:
            raise InvalidProvider(given=provider_id, supported=", ".join(self._providers))
        return entry

    def adapter(self, provider_id: str, api: str) -> ModelProvider:
        """What speaks the API; raises what keeps it from being used."""
        entry = self.provider(provider_id)
        if api not in entry.apis:
            raise UnsupportedApi(provider=provider_id, api=api, supported=", ".join(entry.apis))
        adapter = entry.apis[api]
        if adapter is None:
            raise MissingConfiguration(provider=provider_id, variable=entry.variable)
        return adapter
