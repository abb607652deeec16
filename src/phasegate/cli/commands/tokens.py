"""``phasegate tokens``: who may call the service, and what they may do."""

from typing import TYPE_CHECKING

import click

from phasegate.cli.kit.app import FAILED, FINE, App, pass_app
from phasegate.cli.kit.options import example, json_option
from phasegate.cli.kit.output import count, emit, emit_json, stacked, table, talk

if TYPE_CHECKING:
    from phasegate.answers.times import Times
    from phasegate.credentials import Credential, Role
    from phasegate.errors import BadDocument
    from phasegate.printed.callers import CredentialJson

HEADER = ("caller", "role", "may report", "state", "since", "expires", "id")
DAYS_MAX = 3_650
DAY_S = 86_400.0


@click.group(
    epilog=example("phasegate tokens", "phasegate tokens add scraper --role reporter --step gamebook"),
    short_help="List who may call the service, add a caller, or revoke one.",
    invoke_without_command=True,
)
@json_option
@click.pass_context
def tokens(ctx: click.Context, /, *, as_json: bool) -> int:
    """List who may call the service, add a caller, or revoke one."""
    return int(ctx.invoke(listing, every=False, as_json=as_json)) if ctx.invoked_subcommand is None else FINE


@tokens.command(
    "list",
    epilog=example("phasegate tokens list", "phasegate tokens list --all --json"),
    short_help="List who may call the service, and what they may do.",
)
@click.option("--all", "every", is_flag=True, help="Also those that were revoked.")
@json_option
@pass_app
def listing(app: App, /, *, every: bool, as_json: bool) -> int:
    """List the credentials of the service's callers.

    Each with its caller, role, steps, state and id. No secret is stored, so none is shown.
    """
    from phasegate.credentials import Credentials

    plan, ports = app.reading()
    broken: list[BadDocument] = []
    times = app.times(plan)
    found = [(number, one) for number, one in Credentials(plan.pipeline, ports).all(broken=broken)
             if every or one.revoked_at is None]  # fmt: skip
    found.sort(key=lambda one: (one[1].name, one[1].since, one[0]))
    if as_json:
        from phasegate.printed.callers import CredentialsJson

        emit_json(CredentialsJson(
            now=times.iso(times.now),
            credentials=tuple(_document(number, one, times=times) for number, one in found),
            errors=tuple(str(error) for error in broken),
        ))  # fmt: skip
    else:
        emit(_lines(found, times=times))
    for error in broken:
        talk(str(error))
    return FAILED if broken else FINE


@tokens.command(
    epilog=example(
        "phasegate tokens add scraper --role reporter --step gamebook --days 90",
        "phasegate tokens add push --role reporter --all-steps --google-account push@nba.iam.gserviceaccount.com",
    ),
    short_help="Add a caller: print a new access token, or allow an account.",
)
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(("reporter", "reader", "operator")), help="What it may do.")
@click.option("--step", "steps", multiple=True, metavar="STEP",
              help="A step or receiver that a reporter may report; may be given several times.")  # fmt: skip
@click.option("--all-steps", is_flag=True, help="A reporter may report all, also those that the plan will have.")
@click.option("--days", type=click.IntRange(1, DAYS_MAX), metavar="N", help="It expires after N days. Default: never.")
@click.option("--google-account", metavar="ADDRESS", help="Allow this account of Google, in place of an access token.")
@json_option
@pass_app
def add(  # noqa: PLR0913  one for each option
    app: App, /, *, name: str, role: "Role", steps: tuple[str, ...], all_steps: bool, days: int | None,
    google_account: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Add a credential of the caller NAME.

    Prints a new access token on standard output, this once: only its hash is stored. A caller may have two that are
    valid, so that one can replace the other. With --google-account nothing secret is printed.
    """
    import secrets

    from phasegate import credentials

    token = credentials.access_token(secrets.token_hex(8), secrets.token_hex(32)) if google_account is None else None
    granted = credentials.granted(app.plan(), role, steps, every=all_steps)  # before there is any state
    with app.writing() as (plan, ports):
        number, added = credentials.Credentials(plan.pipeline, ports).add(
            name, role=role, proof=token or google_account or "", steps=granted,
            lasts_s=None if days is None else days * DAY_S,
        )  # fmt: skip
        times = app.times(plan)
    if as_json:
        from msgspec.structs import asdict

        from phasegate.printed.callers import AddedJson

        shown = asdict(_document(number, added, times=times))
        emit_json(AddedJson(**shown, access_token=None if token is None else token.text))
        return FINE
    rights = f"{name}: {role}{_of(added)}, {_expiry(added, times=times)}"
    if token is None:
        emit([f"added: account {added.account} as {rights}"])
    else:
        emit([token.text])
        talk(f"added: access token {number} of {rights}; it is shown this once")
    return FINE


@tokens.command(
    epilog=example("phasegate tokens revoke 3f9c2a7104d65b8e", "phasegate tokens revoke scraper"),
    short_help="Revoke an access token or account, or all of a caller.",
)
@click.argument("which", metavar="ID|NAME")
@json_option
@pass_app
def revoke(app: App, /, *, which: str, as_json: bool) -> int:
    """Revoke the credential of an ID, or all of the caller NAME.

    Ids are shown by phasegate tokens list. What is revoked is refused within ten seconds, and stays so.
    """
    from phasegate.credentials import FRESH_S, Credentials

    plan, ports = app.reading()
    times = app.times(plan)
    found = Credentials(plan.pipeline, ports).revoke(which)
    if as_json:
        from phasegate.printed.callers import RevokedJson

        emit_json(RevokedJson(revoked=tuple(_document(number, one, times=times) for number, one in found)))
    else:
        emit([f"revoked: {_kind(one)} {number} of {one.name}, {one.role}{_of(one)}" for number, one in found])
        talk(f"a running service refuses it within {FRESH_S:g} s")
    return FINE


def _document(number: str, credential: "Credential", *, times: "Times") -> "CredentialJson":
    from phasegate.credentials import state_of
    from phasegate.printed.callers import CredentialJson

    return CredentialJson(
        id=number,
        name=credential.name,
        role=credential.role,
        steps=credential.steps,
        account=credential.account,
        state=state_of(credential, now=times.now),
        since=times.iso(credential.since),
        expires_at=times.iso(credential.expires_at),
        revoked_at=times.iso(credential.revoked_at),
    )


def _lines(found: "list[tuple[str, Credential]]", *, times: "Times") -> list[str]:
    from phasegate.credentials import state_of

    if not found:
        return ["No caller has a credential; the first one: phasegate tokens add NAME --role operator"]
    rows = [
        (
            one.name,
            one.role,
            "" if one.role != "reporter" else "all" if one.steps is None else stacked(one.steps),
            state_of(one, now=times.now),
            times.since(one.since),
            "never" if one.expires_at is None else times.moment(one.expires_at),
            f"{number} ({one.account})" if one.account else number,
        )
        for number, one in found
    ]
    valid = sum(state_of(one, now=times.now) == "valid" for _, one in found)
    return [*table(HEADER, rows), "", f"{count(valid, 'valid credential')}. Times: {times.timezone}."]


def _kind(credential: "Credential") -> str:
    return "account" if credential.account else "access token"


def _of(credential: "Credential") -> str:
    if credential.role != "reporter":
        return ""
    return " of all steps" if credential.steps is None else f" of {', '.join(credential.steps)}"


def _expiry(credential: "Credential", *, times: "Times") -> str:
    return "it never expires" if credential.expires_at is None else f"it expires {times.moment(credential.expires_at)}"
