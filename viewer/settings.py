"""Every setting of the viewer: one typed class, read from SENTINODE_* variables."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from model.prediction.models import SHIPPED_MODELS
from viewer.flags.labels import load_labels

PROJECT_FOLDER = Path(__file__).resolve().parent.parent


def _split_paths(value: object) -> object:
    return _parts(value.split(os.pathsep)) if isinstance(value, str) else value


def _split_commas(value: object) -> object:
    return _parts(value.split(",")) if isinstance(value, str) else value


def _parts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(stripped for text in texts if (stripped := text.strip()))


# NoDecode: pydantic-settings would otherwise want JSON in these variables.
Folders = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split_paths)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_commas)]
HostNames = Names


class Settings(BaseSettings):
    """The settings of one Sentinode; each comes from SENTINODE_<NAME> or from the caller."""

    model_config = SettingsConfigDict(
        env_prefix="SENTINODE_", frozen=True, hide_input_in_errors=True
    )

    slides: Folders = Field(
        default=(),
        description="Folders of slides, separated by ':' (on Windows by ';'). Slides may be added, "
        "changed and removed while Sentinode runs. Nothing is ever written into them.",
    )
    data: Path = Field(
        default=Path("data"),
        description="Folder for what Sentinode itself stores: the database and the heat maps. "
        "Workers on other machines need it under the same path.",
    )
    models: Folders = Field(
        default=(SHIPPED_MODELS,),
        description="Folders that hold model folders, separated by ':'. Default: the shipped "
        "models.",
    )
    database: SecretStr | None = Field(
        default=None,
        description="Database address as SQLAlchemy writes it, for example "
        "'postgresql+psycopg://user:password@host/sentinode'. Default: a SQLite file in the data "
        "folder, which must then not lie on a network share.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address the web side listens on. Sentinode has no login yet: anybody who "
        "reaches this address sees every slide.",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port the web side listens on.")
    web_server: Literal["gunicorn", "granian"] = Field(
        default="gunicorn",
        description="What answers web requests: 'gunicorn', or 'granian', which takes a fraction "
        "of the processor time for a tile.",
    )
    web_threads: int = Field(
        default=8, ge=1, le=256, description="Threads that answer web requests."
    )
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=1024,
        description="Processes that compute heat maps. Default: one for each processor core.",
    )
    engine: Literal["auto", "torch", "openvino", "openvino-float32"] = Field(
        default="auto",
        description="What computes heat maps: 'auto' is PyTorch where it has a GPU, else OpenVINO. "
        "'openvino' computes in bfloat16 where the processor does. Also for `python -m model`.",
    )
    dask_address: str | None = Field(
        default=None,
        description="Address of an existing Dask scheduler ('tls://host:8786') that computes the "
        "heat maps. Default: processes of this machine, reachable from this machine alone.",
    )
    dask_allow_insecure: bool = Field(
        default=False,
        description="Allow a Dask address without TLS. Whoever reaches such a scheduler can run "
        "any program on its workers: only for a network of its own.",
    )
    analyse_on_open: bool = Field(
        default=True, description="Queue the analysis of a slide when it is opened in the viewer."
    )
    scan_interval_s: float = Field(
        default=5, gt=0, le=86400, description="Seconds between two looks at the slide folders."
    )
    open_slides: int = Field(
        default=32, ge=1, le=4096, description="Slide files the web side keeps open."
    )
    tile_cache_mb: int = Field(
        default=256,
        ge=1,
        description="Memory in MB for tiles that were decoded or composed, shared by all open "
        "slides.",
    )
    tile_disk_mb: int = Field(
        default=1024,
        ge=0,
        description="Disk space in MB, in the data folder, for tiles of coarse levels that a slide "
        "lacks: they are made of many finer tiles, once. 0: none are kept.",
    )
    trusted_hosts: HostNames = Field(
        default=(),
        description="Host names the web side answers to beside localhost and plain IP addresses, "
        "separated by commas; '.example.org' stands for all names below it. Protects against DNS "
        "rebinding.",
    )
    reader_header: str | None = Field(
        default=None,
        description="Request header in which a proxy that signs people in names the reader, for "
        "example 'X-Forwarded-User'. Then nothing else tells who reads, so nobody may reach "
        "Sentinode but through that proxy.",
    )
    blind_first_read: Names = Field(
        default=(),
        description="Names of slide folders, separated by commas, or 'all': there a reader sees "
        "heat map, hot spots and score of a slide only after a first verdict of his or her own.",
    )
    labels: Path | None = Field(
        default=None,
        description="File of the labels that flags may have, TOML or JSON by its ending; "
        "docs/flags.md shows one. Default: labels with the colours of QuPath's classes.",
    )
    lease_s: float = Field(
        default=60,
        ge=1,
        description="Seconds after which the analysis of a worker that fell silent is taken over.",
    )
    jpeg_quality: int = Field(
        default=80, ge=1, le=100, description="JPEG quality of the tiles shown; PNG is lossless."
    )

    @field_validator("data")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.absolute()

    @field_validator("labels")
    @classmethod
    def _labels_are_right(cls, path: Path | None) -> Path | None:
        try:
            load_labels(path)
        except OSError as error:
            msg = f"the file cannot be read: {error.strerror}"
            raise ValueError(msg) from None
        return path and path.absolute()

    @field_validator("slides", "models")
    @classmethod
    def _all_absolute(cls, folders: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(folder.absolute() for folder in folders))

    @property
    def database_url(self) -> str:
        """The address to hand to SQLAlchemy; it may hold a password: never log it."""
        if self.database is not None:
            return self.database.get_secret_value()
        return f"sqlite:///{self.data / 'sentinode.sqlite3'}"

    @property
    def heatmaps(self) -> Path:
        """The folder of the heat maps."""
        return self.data / "heatmaps"

    @property
    def tiles(self) -> Path:
        """The folder of the tiles that are kept on disk."""
        return self.data / "tiles"
