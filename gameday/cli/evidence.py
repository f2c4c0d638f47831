"""The evidence of runs: `gameday evidence …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import Json, Reports

evidence_app = typer.Typer(
    help="The evidence of runs: bundled, verified, mapped to controls, kept, redacted.",
    no_args_is_help=True,
)

Run = Annotated[str, typer.Argument(help="A run id, a run directory, or `last`.")]
What = Annotated[str, typer.Argument(help="A bundle, or a run: its id, its directory, or `last`.")]
Signers = Annotated[
    Path | None,
    typer.Option("--signers", help="Who may have signed a bundle: an allowed-signers file."),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The file to write; else RUN.zip, here.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite another file that is there.")]
Sign = Annotated[
    Path | None,
    typer.Option("--sign", help="Your SSH key, or its .pub for the agent: the bundle is signed."),
]
Approvals = Annotated[
    Path | None,
    typer.Option("--approvals", help="The folder of approvals; else that of the project."),
]
Findings = Annotated[
    Path | None,
    typer.Option("--findings", help="A file or folder of findings; else `findings`, if there."),
]


@evidence_app.command("bundle")
def evidence_bundle(
    run: Run = "last",
    reports: Reports = Path("reports"),
    out: Out = None,
    sign: Sign = None,
    approvals: Approvals = None,
    findings: Findings = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Write everything that a run left behind as one archive, with the SHA-256 of each file."""
    from gameday.app.evidence import BundleRequest, bundle_command
    from gameday.app.evidence_files import Places

    request = BundleRequest(
        run=run,
        reports=reports,
        out=out,
        key=sign,
        force=force,
        places=Places(approvals=approvals, findings=findings),
    )
    return int(bundle_command(request, as_json=json))


@evidence_app.command("verify")
def evidence_verify(
    what: What = "last",
    reports: Reports = Path("reports"),
    signers: Signers = None,
    signer: Annotated[
        str | None, typer.Option("--signer", help="Who must have signed, as that file has them.")
    ] = None,
    json: Json = False,
) -> int:
    """Compute everything again, and name each file and event that is not as it was written."""
    from gameday.app.evidence import verify_command
    from gameday.app.evidence_verify import Trust

    trust = Trust(signers=signers, signer=signer)
    return int(verify_command(what, reports=reports, trust=trust, as_json=json))


@evidence_app.command("controls")
def evidence_controls(
    what: What = "last",
    reports: Reports = Path("reports"),
    framework: Annotated[
        list[str] | None,
        typer.Option(
            "--framework", help="Only this: `soc2`, `iso27001`, `dora`, `nist`, `pci` or `hipaa`."
        ),
    ] = None,
    approvals: Approvals = None,
    findings: Findings = None,
    signers: Signers = None,
    json: Json = False,
) -> int:
    """Print which controls this run's evidence supports, by what, and what is missing."""
    from gameday.app.evidence_controls import ControlsRequest, controls_command
    from gameday.app.evidence_files import Places

    request = ControlsRequest(
        what=what,
        reports=reports,
        frameworks=tuple(framework or ()),
        places=Places(approvals=approvals, findings=findings),
        signers=signers,
    )
    return int(controls_command(request, as_json=json))


@evidence_app.command("prune")
def evidence_prune(
    reports: Reports = Path("reports"),
    keep: Annotated[
        int | None, typer.Option("--keep", help="Keep the last so many runs of each kind.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", help="Keep what is younger than so many days.")
    ] = None,
    findings: Annotated[
        list[Path] | None,
        typer.Option("--findings", help="Also keep what is named in this file or folder."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove them; else it is said.")] = False,
    json: Json = False,
) -> int:
    """Say which old runs may go, and with `--yes` remove them; never one that may still matter."""
    from gameday.app.evidence_prune import PruneRequest, prune_command

    request = PruneRequest(
        reports=reports,
        keep=keep,
        days=days,
        findings=tuple(findings or ()),
        remove=yes,
    )
    return int(prune_command(request, as_json=json))


@evidence_app.command("redact")
def evidence_redact(
    what: Annotated[str, typer.Argument(help="A bundle, or a run as `verify` takes it.")],
    field: Annotated[
        list[str],
        typer.Option(
            "--field", help="What is taken out: `labels.instance`, or `human.note:data.text`."
        ),
    ],
    why: Annotated[str, typer.Option("--why", help="Why; it is written into the copy.")] = "",
    reports: Reports = Path("reports"),
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The copy to write; else RUN.redacted.zip, here."),
    ] = None,
    sign: Sign = None,
    approvals: Approvals = None,
    findings: Findings = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Write a copy of the evidence without some fields. What it is made from stays as it is."""
    from gameday.app.evidence_files import Places
    from gameday.app.evidence_redact import RedactRequest, redact_command

    request = RedactRequest(
        what=what,
        fields=tuple(field),
        why=why,
        reports=reports,
        out=out,
        key=sign,
        force=force,
        places=Places(approvals=approvals, findings=findings),
    )
    return int(redact_command(request, as_json=json))
