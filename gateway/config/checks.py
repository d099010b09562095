"""What one key says about another: rules that no single field can check."""

from collections.abc import Iterator

from gateway.config.conditions import ANONYMOUS
from gateway.config.document import Document
from gateway.config.guarding import wrong_guards
from gateway.config.problems import Finding, Loc
from gateway.config.transforms import wrong_transforms
from gateway.config.validation import suggestion


def contradictions(document: Document) -> Iterator[Finding]:
    """Yield everything in `document` that does not fit together."""
    yield from _targets(document)
    yield from _names(document)
    yield from _aliases(document)
    yield from _changes(document)
    yield from _named_models(document)
    yield from _keys(document)
    yield from _plans(document)
    yield from _conditions(document)


def _targets(document: Document) -> Iterator[Finding]:
    known = tuple(document.providers)
    for name, model in document.models.items():
        for index, target in enumerate(model.targets):
            loc: Loc = ("models", name, "targets", index)
            if target.provider not in document.providers:
                near = suggestion(target.provider, known)
                message = f"no provider is called {target.provider}; {near}"
                yield Finding((*loc, "provider"), message)
            if "*" in target.model and target.model != "*":
                message = "write a whole name, or * alone to pass the caller's through"
                yield Finding((*loc, "model"), message)
            elif target.model == "*" and not name.endswith("*"):
                message = "* passes the caller's name through: write it under a model like llama-*"
                yield Finding((*loc, "model"), message)


def _names(document: Document) -> Iterator[Finding]:
    for name in document.models:
        if not name or name != name.strip():
            message = "a model needs a name without spaces around it"
            yield Finding(("models", name), message, is_about_key=True)
        elif "*" in name[:-1]:
            message = "a * may only be the last character of a name"
            yield Finding(("models", name), message, is_about_key=True)


def _aliases(document: Document) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for name, model in document.models.items():
        for index, alias in enumerate(model.aliases):
            loc: Loc = ("models", name, "aliases", index)
            if not alias or alias != alias.strip() or "*" in alias:
                yield Finding(loc, "an alias is one whole name: no *, no spaces around it")
            elif alias in document.models:
                message = f"{alias} is a model of its own: remove the alias, or rename one"
                yield Finding(loc, message)
            elif alias in owners:
                yield Finding(loc, f"{alias} is an alias of {owners[alias]} already: keep one")
            owners.setdefault(alias, name)


def _changes(document: Document) -> Iterator[Finding]:
    for name, model in document.models.items():
        if model.transforms is not None:
            yield from wrong_transforms(model.transforms, ("models", name, "transforms"))
        if model.guards is not None:
            yield from wrong_guards(model.guards, ("models", name, "guards"))


def _named_models(document: Document) -> Iterator[Finding]:
    known = [*document.models, *(a for model in document.models.values() for a in model.aliases)]
    whole = [name for name in known if not name.endswith("*")]
    stems = [name[:-1] for name in known if name.endswith("*")]
    named: list[tuple[Loc, str | None]] = [
        (("chat", key), getattr(document.chat, key)) for key in ("hears_with", "speaks_with")
    ]
    for model, section in document.models.items():
        if section.shadow is not None:
            named.append((("models", model, "shadow", "model"), section.shadow.model))
    for loc, name in named:
        if name is None or name in whole:
            continue
        is_of_family = any(name.startswith(stem) and name != stem for stem in stems)
        if name.endswith("*") or not is_of_family:
            yield Finding(loc, f"no model is called {name}; {suggestion(name, whole)}")


def _keys(document: Document) -> Iterator[Finding]:
    if document.auth.mode == "keys" and document.state.url == "memory://":
        message = "keys are kept in a database: write `state: {url: sqlite:///path}`"
        yield Finding(("auth", "mode"), message)


def _plans(document: Document) -> Iterator[Finding]:
    known = [*document.models, *(a for model in document.models.values() for a in model.aliases)]
    stems = [name[:-1] for name in known if name.endswith("*")]
    for plan, section in document.plans.items():
        for index, name in enumerate(section.models or ()):
            is_family = name.endswith("*") and any(one.startswith(name[:-1]) for one in known)
            is_of_family = any(name.startswith(stem) for stem in stems)
            if name not in known and not is_family and not is_of_family:
                message = f"no model is called {name}; {suggestion(name, known)}"
                yield Finding(("plans", plan, "models", index), message)


def _conditions(document: Document) -> Iterator[Finding]:
    """Yield plans that no caller can have; `default` is that of keys whose plan is gone."""
    known = (*document.plans, "default", ANONYMOUS)
    for name, model in document.models.items():
        for index, target in enumerate(model.targets):
            for place, plan in enumerate((target.when and target.when.plans) or ()):
                loc: Loc = ("models", name, "targets", index, "when", "plans", place)
                if plan not in known:
                    yield Finding(loc, f"no plan is called {plan}; {suggestion(plan, known)}")
                elif plan == ANONYMOUS and ANONYMOUS in document.plans:
                    message = f"{ANONYMOUS} are callers without a key: rename the plan of that name"
                    yield Finding(loc, message)
