"""The nested objects of a request, as the reference gives them.

A key that a shape does not have is refused. JSON schemas stay free mappings, because
their order matters and their vocabulary is another standard's.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Name = Annotated[
    str,
    # \Z, because $ would let a final line feed through
    Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}\Z", description="name of 1 to 64 letters, digits, _ or -"),
]
TokenId = Annotated[str, Meta(pattern=r"^[0-9]+\Z", description="token id (digits only)")]
Schema = dict[str, Any]


class Shape(Struct, forbid_unknown_fields=True, repr_omit_defaults=True):
    """An object inside a request."""


class CacheBreakpoint(Shape):
    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] | UnsetType = UNSET


class TextPart(Shape):
    type: Literal["text"]
    text: str
    prompt_cache_breakpoint: CacheBreakpoint | UnsetType = UNSET


class Prediction(Shape):
    type: Literal["content"]
    content: str | Annotated[list[TextPart], Meta(min_length=1)]


class Voice(Shape):
    id: str


class Audio(Shape):
    voice: str | Voice
    format: Literal["wav", "aac", "mp3", "flac", "opus", "pcm16"]


class Place(Shape):
    country: str | UnsetType = UNSET
    region: str | UnsetType = UNSET
    city: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET


class UserLocation(Shape):
    type: Literal["approximate"]
    approximate: Place


class WebSearchOptions(Shape):
    search_context_size: Literal["low", "medium", "high"] | UnsetType = UNSET
    user_location: UserLocation | UnsetType | None = UNSET


class TextFormat(Shape, tag_field="type", tag="text"):
    pass


class JsonObjectFormat(Shape, tag_field="type", tag="json_object"):
    pass


class JsonSchema(Shape):
    name: Name
    description: str | UnsetType = UNSET
    schema: Schema | UnsetType = UNSET
    strict: bool | UnsetType | None = UNSET


class JsonSchemaFormat(Shape, tag_field="type", tag="json_schema"):
    json_schema: JsonSchema


ResponseFormat = TextFormat | JsonObjectFormat | JsonSchemaFormat


class StreamOptions(Shape):
    include_usage: bool | UnsetType = UNSET
    include_obfuscation: bool | UnsetType = UNSET


class Function(Shape):
    name: Name
    description: str | UnsetType = UNSET
    parameters: Schema | UnsetType = UNSET
    strict: bool | UnsetType | None = UNSET


class FunctionTool(Shape, tag_field="type", tag="function"):
    function: Function


class TextInput(Shape, tag_field="type", tag="text"):
    pass


class Grammar(Shape):
    definition: str
    syntax: Literal["lark", "regex"]


class GrammarInput(Shape, tag_field="type", tag="grammar"):
    grammar: Grammar


class Custom(Shape):
    name: Name
    description: str | UnsetType = UNSET
    format: TextInput | GrammarInput | UnsetType = UNSET


class CustomTool(Shape, tag_field="type", tag="custom"):
    custom: Custom


Tool = FunctionTool | CustomTool


class Named(Shape):
    name: Name


class FunctionChoice(Shape, tag_field="type", tag="function"):
    function: Named


class CustomChoice(Shape, tag_field="type", tag="custom"):
    custom: Named


class AllowedTools(Shape):
    mode: Literal["auto", "required"]
    tools: Annotated[list[FunctionChoice | CustomChoice], Meta(min_length=1)]


class AllowedToolsChoice(Shape, tag_field="type", tag="allowed_tools"):
    allowed_tools: AllowedTools


ToolChoice = FunctionChoice | CustomChoice | AllowedToolsChoice


class LegacyFunction(Shape):
    """An entry of the deprecated `functions`: a function tool without its wrapper."""

    name: Name
    description: str | UnsetType = UNSET
    parameters: Schema | UnsetType = UNSET


class PromptCacheOptions(Shape):
    mode: Literal["implicit", "explicit"] | UnsetType = UNSET
    ttl: Literal["30m"] | UnsetType = UNSET


class ModerationMode(Shape):
    mode: Literal["score", "block"]


class ModerationPolicy(Shape):
    input: ModerationMode | UnsetType | None = UNSET
    output: ModerationMode | UnsetType | None = UNSET


class Moderation(Shape):
    model: str
    policy: ModerationPolicy | UnsetType | None = UNSET
